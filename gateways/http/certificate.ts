/**
 * The certificate of the web and mail ports, and its renewal: the files are looked at every two seconds (and when
 * asked), and what is new is shown to whoever connects next; open connections stay. A pair that does not fit
 * together, as while only one of the two files has been replaced, is logged and not used.
 */
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Logger } from 'pino';

const LOOK_EVERY_MS = 2_000;

/** PEM; the certificate with its chain. */
export type Certificate = { readonly cert: string; readonly key: string };
export type CertificateFiles = { readonly certFile: string; readonly keyFile: string };

/** Throws an Error whose message names what cannot be used. */
export function readCertificate({ certFile, keyFile }: CertificateFiles): Certificate {
  const certificate = { cert: contentOf(certFile), key: contentOf(keyFile) };
  try {
    createSecureContext(certificate);
  } catch (error) {
    const reason = (error as Error).message;
    throw new Error(`The certificate ${certFile} cannot be used with the key ${keyFile}: ${reason}.`, {
      cause: error,
    });
  }
  return certificate;
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as Error).message}.`, { cause: error });
  }
}

/** Gives what the files have to `use` whenever they change, until `close`. */
export function renewCertificate(
  use: (certificate: Certificate) => void,
  files: CertificateFiles,
  logger: Pick<Logger, 'info' | 'error'>,
): { renew(): void; close(): void } {
  const renew = (): void => {
    try {
      use(readCertificate(files));
      logger.info(files, 'the certificate was read anew');
    } catch (error) {
      logger.error({ err: error }, 'the certificate is not renewed: the one before it goes on');
    }
  };
  const paths = [files.certFile, files.keyFile];
  // By looking, not by inode events: renewals swap symbolic links.
  for (const path of paths) watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, renew);
  return {
    renew,
    close: () => {
      for (const path of paths) unwatchFile(path, renew);
    },
  };
}
