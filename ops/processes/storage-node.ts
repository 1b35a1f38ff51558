/** A storage node's process: log, cells and tablets, the links between nodes, and commit notices. */
import { join } from 'node:path';
import { RocksCells } from '../../storage-nodes/cells/rocks-cells.ts';
import { createStoreClient } from '../../storage-nodes/client/store-client.ts';
import { DiskLog } from '../../storage-nodes/log/disk-log.ts';
import { StorageNode } from '../../storage-nodes/node.ts';
import { CommitNotices } from '../../storage-nodes/wire/commit-notices.ts';
import { CELL_FORM, createApplication } from './platform.ts';
import { runProcess } from './process.ts';

runProcess('storage-node', async ({ plan, settings, cluster, nodes, masters, folder, logger, notices }) => {
  const { id, host, port } = plan;
  // Reactions go through the same client as everyone's commands.
  const client = createStoreClient({ nodes, secret: cluster.secret, clientId: `${id}-reactions`, logger });
  const commits = new CommitNotices(notices);
  const node = new StorageNode({
    self: { id, host, port },
    peers: nodes.filter((peer) => peer.id !== id),
    masters,
    secret: cluster.secret,
    log: new DiskLog({ folder: join(folder, 'log'), logger }),
    cells: new RocksCells({ folder: join(folder, 'cells'), form: CELL_FORM, logger }),
    application: createApplication(settings),
    logger,
    scrubEveryMs: settings.scrubSeconds * 1000,
    execute: (command) => client.execute(command),
    onCommitted: (tablet, epoch, from, to, streams) => commits.add(tablet, epoch, from, to, streams),
    onConfiguration: (configuration) => notices.configChanged(configuration.tablet),
    onFatal: (error) => {
      logger.fatal({ err: error }, 'the node cannot go on');
      process.exit(1);
    },
  });
  await node.start();
  return {
    load: () => node.load,
    alarms: () => node.alarms,
    tablets: () =>
      node.tabletViews().map(({ tablet, role, version, epoch, last, committed, applied }) => ({
        id: tablet,
        role: role === 'none' ? 'starting' : role,
        version,
        epoch,
        last,
        committed,
        applied,
      })),
    drain: () => node.drain(),
    stop: async () => {
      commits.close();
      await node.stop();
      await client.close();
    },
  };
});
