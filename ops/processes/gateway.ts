/** A gateway's process: the web pages, on a store client of its own. It keeps nothing. */
import { createHmac } from 'node:crypto';
import { createGatewayApp } from '../../gateways/gateway.ts';
import { createStoreClient } from '../../storage-nodes/client/store-client.ts';
import { AT_ONCE } from '../../gateways/http/drain.ts';
import { runProcess } from './process.ts';
import { planCluster } from './topology.ts';
import { certificateFiles, certificateIn } from './certificate.ts';
import { keepRenewed, leave, lingerMs, sealKeyOf } from './web.ts';
import { Postmaster } from '../../gateways/postmaster/postmaster.ts';

runProcess('gateway', async ({ plan, settings, cluster, nodes, logger, notices }) => {
  const { id, host, port } = plan;
  const store = createStoreClient({ nodes, secret: cluster.secret, clientId: id, logger });
  const files = certificateFiles(settings);
  const deps = {
    store,
    notices,
    logger,
    postmaster: new Postmaster({ store, logger }),
    gatewayId: id,
    domains: settings.domains,
    // Also behind a front door that speaks HTTPS for us.
    cookieSecure: files !== undefined,
    // From the cluster's secret, so that every gateway takes the others' cookies and forms.
    cookieSecret: createHmac('sha256', cluster.secret).update('cookies').digest('base64url'),
    messageBytesMax: settings.messageBytesMax,
    undoSendMs: settings.undoSendSeconds * 1000,
  };
  const ownTls = plan.scheme === 'https' ? files : undefined;
  const app = await createGatewayApp({
    deps,
    logger,
    certificate: certificateIn(ownTls),
    sealKey: sealKeyOf(cluster),
    // Where people see one address only, a page has nowhere else to go.
    frontDoorPort:
      settings.frontDoor === 'proxy'
        ? undefined
        : planCluster(settings).find(({ kind }) => kind === 'front-door')!.port,
  });
  keepRenewed(app, ownTls, logger);
  await app.listen({ host, port });
  return {
    load: () => app.load(),
    drain: async () => app.drain.announce(),
    leave: () => leave(app, { settings, logger, lingerMs: lingerMs(notices) }),
    stop: async () => {
      await app.drain.finish(AT_ONCE);
      await store.close();
    },
  };
});
