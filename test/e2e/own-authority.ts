/** A throw-away certificate for tests, in files of its own, signed by itself. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';

export type OwnAuthority = {
  readonly certFile: string;
  readonly keyFile: string;
  /** Puts a new pair in their place. */
  renew(): Promise<void>;
  remove(): void;
};

export async function ownAuthority(): Promise<OwnAuthority> {
  const folder = mkdtempSync(join(tmpdir(), 'penncloud-certificate-'));
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const renew = async (): Promise<void> => {
    const made = await generate([{ name: 'commonName', value: 'localhost' }], {
      keyType: 'ec',
      extensions: [
        { name: 'basicConstraints', cA: true },
        {
          name: 'subjectAltName',
          altNames: [
            { type: 2, value: 'localhost' },
            { type: 7, ip: '127.0.0.1' },
          ],
        },
      ],
    });
    writeFileSync(keyFile, made.private);
    writeFileSync(certFile, made.cert);
  };
  await renew();
  return { certFile, keyFile, renew, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
