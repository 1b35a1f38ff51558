/** The operator's certificate, which the web and mail ports show: where it lies, what is wrong with it, and when it is read anew. */
import {
  readCertificate,
  renewCertificate,
  type Certificate,
  type CertificateFiles,
} from '../../gateways/http/certificate.ts';
import type { Logger } from './logger.ts';
import { SettingsError, type Settings } from './settings.ts';

/** Undefined: none is configured. Throws SettingsError. */
export function certificateFiles({
  tlsCertFile,
  tlsKeyFile,
}: Pick<Settings, 'tlsCertFile' | 'tlsKeyFile'>): CertificateFiles | undefined {
  if ((tlsCertFile === '') !== (tlsKeyFile === '')) {
    throw new SettingsError(
      'PENNCLOUD_TLS_CERT_FILE and PENNCLOUD_TLS_KEY_FILE go together: set both, or none.',
    );
  }
  return tlsCertFile === '' ? undefined : { certFile: tlsCertFile, keyFile: tlsKeyFile };
}

/** Throws SettingsError. */
export function certificateIn(files: CertificateFiles | undefined): Certificate | undefined {
  if (files === undefined) return undefined;
  try {
    return readCertificate(files);
  } catch (error) {
    throw new SettingsError((error as Error).message, { cause: error });
  }
}

/** What the files have goes to `use` when they change, and on SIGHUP, until `close`. */
export function whenRenewed(
  files: CertificateFiles | undefined,
  logger: Logger,
  use: (certificate: Certificate) => void,
): { close(): void } {
  // Without a certificate there is nothing to read anew; the signal's default would end the process.
  const renewal = files && renewCertificate(use, files, logger);
  process.on('SIGHUP', () => renewal?.renew());
  return { close: () => renewal?.close() };
}
