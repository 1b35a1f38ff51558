/**
 * The keys that messages are signed with (DKIM, RFC 6376): `<folder>/<domain>/<selector>.pem`, RSA of 2048 bits, which
 * everybody verifies, or Ed25519 (RFC 8463), for a second signature beside it. Of each kind the last selector in
 * order is the newest; older ones stay for as long as their record in DNS is wanted.
 *
 * A key signs once it is active: `<selector>.active` lies beside it, put there by the first worker that sees its record
 * in DNS, or by the operator. Until then the one before it goes on.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Algorithm } from './dkim-fields.ts';

export type SigningKey = {
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: Algorithm;
  readonly privateKey: KeyObject;
  readonly isActive: boolean;
};

const BITS = 2048;

/** In the order of their selectors; none where there is no folder for it. Throws for a file that holds no such key. */
export async function signingKeys(folder: string, domain: string): Promise<SigningKey[]> {
  if (!/^[a-z0-9.-]+$/.test(domain) || domain.startsWith('.')) return [];
  const names = await readdir(join(folder, domain)).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const selectors = names.flatMap((name) => /^([a-z0-9-]+)\.pem$/.exec(name)?.[1] ?? []).sort();
  return Promise.all(
    selectors.map(async (selector) => {
      const file = join(folder, domain, `${selector}.pem`);
      const privateKey = keyIn(file, await readFile(file));
      const algorithm = privateKey.asymmetricKeyType as Algorithm;
      return { domain, selector, algorithm, privateKey, isActive: names.includes(`${selector}.active`) };
    }),
  );
}

/** Not active. Rejects with EEXIST where there is one of that name: a key in use is never replaced. */
export async function makeSigningKey(
  folder: string,
  domain: string,
  selector: string,
  algorithm: Algorithm = 'rsa',
): Promise<SigningKey> {
  const { privateKey } =
    algorithm === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: BITS })
      : generateKeyPairSync('ed25519');
  await mkdir(join(folder, domain), { recursive: true, mode: 0o700 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  await writeFile(join(folder, domain, `${selector}.pem`), pem, { mode: 0o600, flag: 'wx' });
  return { domain, selector, algorithm, privateKey, isActive: false };
}

export async function activate(folder: string, { domain, selector }: SigningKey): Promise<void> {
  await writeFile(join(folder, domain, `${selector}.active`), '', { mode: 0o600 });
}

/** What is published in DNS: a name and its TXT (RFC 6376 §3.6.1, RFC 8463 §4). */
export function keyRecord(key: SigningKey): { name: string; text: string } {
  return {
    name: `${key.selector}._domainkey.${key.domain}`,
    text: `v=DKIM1; k=${key.algorithm}; p=${publicPart(key)}`,
  };
}

function publicPart({ algorithm, privateKey }: SigningKey): string {
  const publicKey = createPublicKey(privateKey);
  if (algorithm === 'rsa') return publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  return Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url').toString('base64');
}

function keyIn(file: string, pem: Buffer): KeyObject {
  const refused = (cause?: unknown) =>
    new Error(`${file} holds no private key for DKIM (RSA or Ed25519, PEM): replace it or take it away.`, {
      cause,
    });
  try {
    const key = createPrivateKey(pem);
    if (['rsa', 'ed25519'].includes(key.asymmetricKeyType ?? '')) return key;
  } catch (error) {
    throw refused(error);
  }
  throw refused();
}
