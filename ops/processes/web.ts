/**
 * What the processes that serve the web share: how their certificate is renewed, the key between front door and
 * gateways, and how they leave.
 */
import { createHmac } from 'node:crypto';
import { Server as TlsServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import type { CertificateFiles } from '../../gateways/http/certificate.ts';
import type { Notices } from '../../storage-nodes/wire/notices.ts';
import { whenRenewed } from './certificate.ts';
import type { ClusterFile } from './cluster-file.ts';
import type { Logger } from './logger.ts';
import type { Settings } from './settings.ts';

/** Heartbeats arrive at once. */
const LINGER_MS = 500;
/** Without them the front door notices by its next health check, and takes a moment for it. */
const LINGER_UNHEARD_MS = 3_000;

export function sealKeyOf({ secret }: ClusterFile): string {
  return createHmac('sha256', secret).update('forwarded').digest('base64url');
}

/** Renews the certificate when its files change, and on SIGHUP. */
export function keepRenewed(app: FastifyInstance, files: CertificateFiles | undefined, logger: Logger): void {
  const { server } = app;
  const renewal = whenRenewed(files, logger, (certificate) => {
    if (server instanceof TlsServer) server.setSecureContext(certificate);
  });
  app.addHook('onClose', () => renewal.close());
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
