/**
 * The codes of two-step log-in: time-based ones from an app (RFC 6238: SHA-1, 6 digits, 30 s, which every app
 * knows), and recovery codes on paper. That a code works once, the store decides: here it becomes the name of
 * its time step, or the hash that the store knows.
 */
import { createHash, createHmac } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';
import { encodeQR } from 'qr';
import { base32 } from './command-ids.ts';
import { Seal } from './seal.ts';

const ISSUER = 'PennCloud';
const SECRET_BYTES = 20;
/** Clocks of phones differ: one step before and after are taken too (RFC 6238 §5.2). */
const STEPS_AROUND = 1;
const RECOVERY_CHARS = 16;

export class OneTimeCodes {
  private readonly seal: Seal;
  private readonly secret: string;

  /** `secret`: the deployment's. */
  constructor(secret: string) {
    this.secret = secret;
    this.seal = new Seal({ secret, purpose: 'second factor' });
  }

  /** A new secret, sealed for this account. */
  newSealed(account: string): string {
    return this.seal.close(new Secret({ size: SECRET_BYTES }).base32, account);
  }

  /** What an app is set up with: the URI of the QR code, and the secret to type. Undefined: not sealed for this account. */
  setUp(sealed: string, account: string, domain: string): { uri: string; secret: string } | undefined {
    const secret = this.seal.open(sealed, account);
    if (secret === undefined) return undefined;
    const uri = new TOTP({ issuer: ISSUER, label: `${account}@${domain}`, secret }).toString();
    return { uri, secret };
  }

  /** The time step that this code is the one of, at this time; undefined if it is none. */
  stepOf(sealed: string, account: string, typed: string, now: number): number | undefined {
    const token = typed.replace(/[\s-]/g, '');
    const secret = this.seal.open(sealed, account);
    if (secret === undefined || !/^\d{6}$/.test(token)) return undefined;
    const totp = new TOTP({ secret });
    const delta = totp.validate({ token, window: STEPS_AROUND, timestamp: now });
    return delta === null ? undefined : totp.counter({ timestamp: now }) + delta;
  }

  /** Codes of 80 bits, the same each time the same form is sent, so that a repeat shows the ones that are in force. */
  recoveryCodes(account: string, commandId: string, count: number): string[] {
    return Array.from({ length: count }, (_, number) => {
      const bytes = createHmac('sha256', this.secret)
        .update(`recovery\0${account}\0${commandId}\0${number}`)
        .digest();
      return (base32(bytes).slice(0, RECOVERY_CHARS).match(/.{4}/g) ?? []).join('-');
    });
  }
}

/** What the store knows of a recovery code; undefined for what is not shaped like one. */
export function recoveryCodeHash(account: string, typed: string): string | undefined {
  const code = typed.toLowerCase().replace(/[\s-]/g, '');
  if (!/^[a-z2-7]{16}$/.test(code)) return undefined;
  return createHash('sha256').update(`recovery\0${account}\0${code}`).digest('hex');
}

/** A QR code as the `d` of one SVG path, each row's runs as rectangles; `size` is the side of its view box. */
export function qrPath(text: string): { path: string; size: number } {
  const rows = encodeQR(text, 'raw', { ecc: 'medium', border: 3 });
  let path = '';
  rows.forEach((row, y) => {
    for (let x = 0; x < row.length; x++) {
      if (row[x] !== true) continue;
      let run = 1;
      while (row[x + run] === true) run++;
      path += `M${x} ${y}h${run}v1h-${run}z`;
      x += run;
    }
  });
  return { path, size: rows.length };
}
