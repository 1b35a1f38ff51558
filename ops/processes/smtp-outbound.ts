/** The process that takes mail to other systems. It keeps nothing but policies of other domains; the store has the queues. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startOutbound } from '../../gateways/smtp/outbound/outbound.ts';
import { STAGES } from '../../gateways/smtp/outbound/transport/session.ts';
import { createStoreClient } from '../../storage-nodes/client/store-client.ts';
import { runProcess } from './process.ts';
import { signingKeyFolder } from './signing-key-folder.ts';
import { SettingsError, type Settings } from './settings.ts';
import { planCluster } from './topology.ts';

/** Shorter than the launcher's patience. */
const DRAIN_MS = 7000;
const HOUR_MS = 3_600_000;

runProcess('smtp-out', async ({ plan, settings, cluster, nodes, folder, logger, notices }) => {
  const store = createStoreClient({ nodes, secret: cluster.secret, clientId: plan.id, logger });
  const intake = planCluster(settings).find(({ kind }) => kind === 'smtp-in')!;
  const ca = certificateAuthority(settings);
  const ownName = settings.domains[0]!;
  mkdirSync(folder, { recursive: true });
  const outbound = startOutbound({
    store,
    notices,
    id: plan.id,
    carrier: {
      servers: {
        resolvers: settings.dnsResolvers,
        port: settings.remoteSmtpPort,
        ownNames: [...settings.domains, 'localhost'],
        ownPort: intake.port,
        isPrivateAllowed: settings.outboundPrivate === 'allow',
      },
      limits: {
        perDomain: settings.outboundSessionsPerDomain,
        inAll: settings.outboundSessions,
        perSecond: settings.outboundPerSecond,
      },
      ownName,
      stages: { ...STAGES, answer: settings.outboundAnswerSeconds * 1000 },
      sts: { file: join(folder, 'mta-sts.json'), port: settings.stsPort },
      ...(ca !== undefined && { ca }),
    },
    times: {
      first: settings.retryFirstSeconds * 1000,
      most: settings.retryMostSeconds * 1000,
      giveUp: settings.giveUpHours * HOUR_MS,
      tellDelay: settings.delayNoticeHours * HOUR_MS,
    },
    domains: settings.domains,
    keyFolder: signingKeyFolder(settings.dataFolder),
    drainMs: DRAIN_MS,
    logger,
  });
  return {
    load: outbound.load,
    stop: async () => {
      await outbound.stop();
      await store.close();
    },
  };
});

function certificateAuthority({ outboundCaFile }: Settings): string | undefined {
  if (outboundCaFile === '') return undefined;
  try {
    return readFileSync(outboundCaFile, 'utf8');
  } catch (error) {
    throw new SettingsError(`PENNCLOUD_OUTBOUND_CA_FILE names ${outboundCaFile}, which cannot be read.`, {
      cause: error,
    });
  }
}
