/**
 * What the processes that serve the web share: their certificate and its renewal, the key between front door
 * and gateways, and how they leave.
 */
import { createHmac } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import {
  readCertificate,
  renewCertificate,
  type Certificate,
  type CertificateFiles,
} from '../../gateways/http/certificate.ts';
import type { Notices } from '../../storage-nodes/wire/notices.ts';
import type { ClusterFile } from './cluster-file.ts';
import type { Logger } from './logger.ts';
import { SettingsError, type Settings } from './settings.ts';

/** Heartbeats arrive at once. */
const LINGER_MS = 500;
/** Without them the front door notices by its next health check, and takes a moment for it. */
const LINGER_UNHEARD_MS = 3_000;

/** Undefined: none is configured. Throws SettingsError. */
export function certificateFiles({ tlsCertFile, tlsKeyFile }: Settings): CertificateFiles | undefined {
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

export function sealKeyOf({ secret }: ClusterFile): string {
  return createHmac('sha256', secret).update('forwarded').digest('base64url');
}

/** Renews the certificate when its files change, and on SIGHUP. */
export function keepRenewed(app: FastifyInstance, files: CertificateFiles | undefined, logger: Logger): void {
  // Without a certificate there is nothing to read anew; the signal's default would end the process.
  const renewal = files && renewCertificate(app.server, files, logger);
  process.on('SIGHUP', () => renewal?.renew());
  app.addHook('onClose', () => renewal?.close());
}

/** How long clients still come that the front door sent a moment ago. */
export function lingerMs(notices: Notices): number {
  return notices.connected() ? LINGER_MS : LINGER_UNHEARD_MS;
}

/** Resolves when nothing is in flight any more, or PENNCLOUD_DRAIN_SECONDS have passed. */
export async function leave(
  app: FastifyInstance,
  options: { settings: Settings; logger: Logger; lingerMs: number },
): Promise<void> {
  const { settings, logger, lingerMs } = options;
  const cut = await app.drain.finish({
    lingerMs,
    limitMs: settings.drainSeconds * 1000,
  });
  if (cut > 0) logger.warn({ requests: cut }, 'cut off: they took longer than PENNCLOUD_DRAIN_SECONDS');
}
