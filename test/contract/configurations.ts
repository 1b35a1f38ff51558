/** Configurations of a tablet, one after the other. */
import { configurationHash } from '../../storage-nodes/master/configuration-hash.ts';
import type { Configuration } from '../../storage-nodes/replication/configuration.ts';
import { epoch, nodeId, tabletId, version, type NodeId } from '../../storage-nodes/words.ts';

export const NODES = ['n1', 'n2', 'n3', 'n4'].map(nodeId) as [NodeId, NodeId, NodeId, NodeId];

export function first(tablet = 't01'): Configuration {
  const nodes = NODES.slice(0, 3);
  return {
    tablet: tabletId(tablet),
    version: version(1),
    epoch: epoch(1),
    lineage: 1,
    primary: NODES[0],
    inSync: nodes,
    replicas: nodes,
    range: { from: 'a', to: 'b' },
    predecessor: '',
  };
}

export function after(current: Configuration, change: Partial<Configuration> = {}): Configuration {
  return {
    ...current,
    version: version(current.version + 1),
    predecessor: configurationHash(current),
    ...change,
  };
}
