/** The master's process: the embedded config store and the server that nodes and clients ask. */
import { join } from 'node:path';
import { EmbeddedConfigStore } from '../../storage-nodes/master/embedded-config-store.ts';
import { MasterServer } from '../../storage-nodes/master/server.ts';
import { runProcess } from './process.ts';

runProcess('master', async ({ plan, cluster, nodes, folder, logger }) => {
  const store = new EmbeddedConfigStore({ folder: join(folder, 'config'), logger });
  await store.open();
  const { host, port } = plan;
  const server = new MasterServer({ store, secret: cluster.secret, nodes, host, port, logger });
  await server.start();
  return {
    alarms: () => server.master.alarms,
    stop: async () => {
      await server.stop();
      await store.close();
    },
  };
});
