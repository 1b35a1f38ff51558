/** A gateway's process: the web pages, on a store client of its own. It keeps nothing. */
import { createHmac } from 'node:crypto';
import { createGatewayApp } from '../../gateways/gateway.ts';
import { createStoreClient } from '../../storage-nodes/client/store-client.ts';
import { runProcess } from './process.ts';

runProcess('gateway', async ({ plan, settings, cluster, nodes, logger, notices }) => {
  const { id, host, port } = plan;
  const store = createStoreClient({ nodes, secret: cluster.secret, clientId: id, logger });
  const deps = {
    store,
    notices,
    logger,
    gatewayId: id,
    domains: settings.domains,
    cookieSecure: false,
    // From the cluster's secret, so that every gateway takes the others' cookies and forms.
    cookieSecret: createHmac('sha256', cluster.secret).update('cookies').digest('base64url'),
    messageBytesMax: settings.messageBytesMax,
    undoSendMs: settings.undoSendSeconds * 1000,
  };
  const app = await createGatewayApp({ deps, logger });
  await app.listen({ host, port });
  return {
    load: () => app.load(),
    stop: async () => {
      await app.close();
      await store.close();
    },
  };
});
