/**
 * The keys that messages are signed with (DKIM, RFC 6376): `<folder>/<domain>/<selector>.pem`, RSA of 2048 bits, since
 * Ed25519 (RFC 8463) is still not verified everywhere. The last selector in order is the one in use; older ones
 * stay for as long as their record in DNS is wanted.
 */
import { createPublicKey, generateKeyPair } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export type SigningKey = { readonly domain: string; readonly selector: string; readonly pem: string };

const BITS = 2048;

/** Newest last; none where there is no folder for it. */
export async function signingKeys(folder: string, domain: string): Promise<SigningKey[]> {
  if (!/^[a-z0-9.-]+$/.test(domain) || domain.startsWith('.')) return [];
  const names = await readdir(join(folder, domain)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const selectors = names.filter((name) => /^[a-z0-9-]+\.pem$/.test(name)).sort();
  return Promise.all(
    selectors.map(async (name) => ({
      domain,
      selector: name.slice(0, -'.pem'.length),
      pem: await readFile(join(folder, domain, name), 'utf8'),
    })),
  );
}

/** Rejects with EEXIST where there is one of that name: a key in use is never replaced. */
export async function makeSigningKey(folder: string, domain: string, selector: string): Promise<SigningKey> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  await mkdir(join(folder, domain), { recursive: true, mode: 0o700 });
  await writeFile(join(folder, domain, `${selector}.pem`), privateKey, { mode: 0o600, flag: 'wx' });
  return { domain, selector, pem: privateKey };
}

/** What is published in DNS: a name and its TXT (RFC 6376 §3.6.1). */
export function keyRecord({ domain, selector, pem }: SigningKey): { name: string; text: string } {
  const key = createPublicKey(pem).export({ type: 'spki', format: 'der' }).toString('base64');
  return { name: `${selector}._domainkey.${domain}`, text: `v=DKIM1; k=rsa; p=${key}` };
}
