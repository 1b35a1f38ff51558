/**
 * The DKIM-Signature fields of a message (RFC 6376, relaxed/relaxed), one for each key. mailauth reads, canonicalises
 * and hashes the message, piece by piece; the signatures alone are made here, for mailauth would read each key's PEM
 * anew for each message, which takes as long as two signatures, and would sign on the main thread. Here a key is
 * read once, and signs in libuv's thread pool.
 *
 * From is signed once more than it is there, so that none can be added (RFC 6376 §8.15).
 */
import { createHash, sign, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { DkimSigner } from 'mailauth/lib/dkim/dkim-signer.js';
import { generateCanonicalizedHeader } from 'mailauth/lib/dkim/header/index.js';
import { formatSignatureHeaderLine, getSigningHeaderLines, writeToStream } from 'mailauth/lib/tools.js';

export type Algorithm = 'rsa' | 'ed25519';

export type FieldKey = {
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: Algorithm;
  readonly privateKey: KeyObject;
};

const CANONICALIZATION = 'relaxed/relaxed';
const BODY_HASH = 'relaxed:sha256:';
const signInPool = promisify(sign);

/** Each field with its CRLF, in the order of the keys; empty for what has no body, not even an empty one. */
export async function dkimFields(
  message: Buffer,
  keys: readonly FieldKey[],
  signTime: Date,
): Promise<Buffer> {
  const signer = new FieldSigner(keys, signTime);
  await writeToStream(signer, message);
  return Buffer.from(signer.fields.map((field) => `${field}\r\n`).join(''), 'latin1');
}

class FieldSigner extends DkimSigner {
  fields: readonly string[] = [];
  readonly #keys: readonly FieldKey[];
  readonly #signTime: Date;

  constructor(keys: readonly FieldKey[], signTime: Date) {
    super({
      canonicalization: CANONICALIZATION,
      algorithm: 'rsa-sha256',
      signatureData: [{ privateKey: 'not read: see finalize' }],
    });
    this.#keys = keys;
    this.#signTime = signTime;
  }

  override async finalize(): Promise<void> {
    if (this.headers === false) return;
    const { keys: names, headers } = getSigningHeaderLines(this.headers.parsed);
    const lines = { keys: `${names}: From`, headers };
    const bodyHash = this.bodyHashes.get(BODY_HASH)!.hash;
    this.fields = await Promise.all(
      this.#keys.map(async ({ domain, selector, algorithm, privateKey }) => {
        const { canonicalizedHeader, dkimHeaderOpts } = generateCanonicalizedHeader('DKIM', lines, {
          signingDomain: domain,
          selector,
          algorithm: `${algorithm}-sha256`,
          canonicalization: CANONICALIZATION,
          bodyHash,
          signTime: this.#signTime,
        });
        const signature = await signatureOf(canonicalizedHeader, algorithm, privateKey);
        return formatSignatureHeaderLine(
          'DKIM',
          { ...dkimHeaderOpts, b: signature.toString('base64') },
          true,
        );
      }),
    );
  }
}

/** RFC 8463 §3: Ed25519 signs the hash. */
function signatureOf(header: Buffer, algorithm: Algorithm, key: KeyObject): Promise<Buffer> {
  if (algorithm === 'rsa') return signInPool('sha256', header, key);
  return signInPool(null, createHash('sha256').update(header).digest(), key);
}
