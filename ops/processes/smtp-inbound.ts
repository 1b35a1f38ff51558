/** The process that takes mail from other servers. It keeps nothing; the store does. */
import { Authentication } from '../../gateways/smtp/inbound/authentication.ts';
import { createSmtpIntake } from '../../gateways/smtp/inbound/intake.ts';
import { ownCertificate } from '../../gateways/smtp/session/own-certificate.ts';
import { createStoreClient } from '../../storage-nodes/client/store-client.ts';
import { runProcess } from './process.ts';

/** Shorter than the launcher's patience. */
const DRAIN_MS = 8000;

runProcess('smtp-in', async ({ plan, settings, cluster, nodes, logger }) => {
  const { id, host, port } = plan;
  const store = createStoreClient({ nodes, secret: cluster.secret, clientId: id, logger });
  const intake = createSmtpIntake({
    store,
    domains: settings.domains,
    messageBytesMax: settings.messageBytesMax,
    logger,
    hostname: settings.domains[0]!,
    authentication: new Authentication({
      dnsServers: settings.dnsServers,
      hostname: settings.domains[0]!,
    }),
    tls: await ownCertificate(settings.domains[0]!, Date.now()),
    drainMs: DRAIN_MS,
  });
  await intake.listen(port, host);
  return {
    load: () => intake.stats().connections,
    stop: async () => {
      await intake.close();
      await store.close();
    },
  };
});
