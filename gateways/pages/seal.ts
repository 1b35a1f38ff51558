/**
 * Sealing what the log must keep and nobody who reads the log may read: AES-256-GCM under a key derived
 * from the deployment's secret. What is sealed is bound to what it is about, so that it opens nowhere else.
 *
 *   sealed = "1." base64url(nonce (12 bytes) ‖ tag (16) ‖ ciphertext)
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PREFIX = '1.';

export class Seal {
  private readonly key: Buffer;
  private readonly purpose: string;

  /** `purpose`: what is sealed; each has a key of its own. */
  constructor(options: { secret: string; purpose: string }) {
    this.purpose = options.purpose;
    this.key = Buffer.from(hkdfSync('sha256', options.secret, '', `penncloud ${options.purpose}`, 32));
  }

  close(plain: string, about: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce).setAAD(this.bound(about));
    const text = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
    return PREFIX + Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64url');
  }

  /** Undefined for what was not sealed here, about this, under this secret. */
  open(sealed: string, about: string): string | undefined {
    const body = sealed.slice(PREFIX.length);
    if (!sealed.startsWith(PREFIX) || body.length < 38 || body.length > 2048) return undefined;
    const bytes = Buffer.from(body, 'base64url');
    // Base64 has several spellings of the same bytes; only ours is taken.
    if (bytes.toString('base64url') !== body) return undefined;
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', this.key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(this.bound(about))
      .setAuthTag(tag);
    try {
      const text = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    } catch {
      return undefined;
    }
  }

  private bound(about: string): Buffer {
    return Buffer.from(`${this.purpose}\0${about}`);
  }
}
