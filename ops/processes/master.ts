/**
 * A master's process: the config store, the server that nodes ask, and an ear for heartbeats, from which
 * the active master tells nodes whom it has not heard.
 */
import { MasterServer } from '../../storage-nodes/master/server.ts';
import { Silence } from '../../storage-nodes/master/silence.ts';
import { nodeId } from '../../storage-nodes/words.ts';
import { openConfigStore } from './config-store.ts';
import { runProcess } from './process.ts';

const LISTEN_EVERY_MS = 250;

runProcess('master', async ({ plan, settings, cluster, nodes, folder, logger, notices }) => {
  const { id, host, port } = plan;
  const { store, isActive, close } = await openConfigStore(settings, { name: id, folder, logger });
  const server = new MasterServer({ store, secret: cluster.secret, nodes, host, port, logger, isActive });
  await server.start();

  const silence = new Silence();
  const deafen = notices.onHeartbeat(({ kind, id }) => {
    if (kind === 'storage-node') silence.heard(id, performance.now());
  });
  const listening = setInterval(() => {
    for (const node of silence.fallenSilent(performance.now())) {
      if (!isActive()) continue;
      logger.warn({ node }, 'no heartbeat of this node: telling the others');
      server.master.suspect(nodeId(node));
    }
  }, LISTEN_EVERY_MS);
  return {
    alarms: () => server.master.alarms,
    stop: async () => {
      clearInterval(listening);
      deafen();
      await server.stop();
      await close();
    },
  };
});
