/** Finds the cluster that the settings mean and opens a store client on it for one command. */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import type { CommandRequest } from '../../storage-nodes/client/client.ts';
import { createStoreClient, type TcpStoreClient } from '../../storage-nodes/client/store-client.ts';
import { readRunningFile } from '../cluster/running-file.ts';
import { readClusterFile, type ClusterFile } from '../processes/cluster-file.ts';
import { readSettings, type Settings } from '../processes/settings.ts';
import { addressesOf, planCluster, type ProcessPlan } from '../processes/topology.ts';

/** Within it, a retry of the same command gets the first answer. */
const COMMAND_VALID_MS = 10 * 60 * 1000;

/** A client's own word on its work is not part of a command's output. */
export const quietLogger = pino({ level: 'silent' });

export type Surroundings = {
  readonly settings: Settings;
  readonly cluster: ClusterFile;
  readonly plans: readonly ProcessPlan[];
};

/** A cluster that runs in the data folder knows its ports better than this shell's environment. */
export function findCluster(): Surroundings {
  const settings = readSettings();
  const cluster = readClusterFile(settings.dataFolder);
  const plans = planCluster(readRunningFile(settings.dataFolder) ?? settings);
  return { settings, cluster, plans };
}

export function openStore({ cluster, plans }: Surroundings): TcpStoreClient {
  const nodes = addressesOf('storage-node', plans);
  return createStoreClient({
    nodes,
    secret: cluster.secret,
    clientId: `cli-${process.pid}`,
    logger: quietLogger,
  });
}

export async function withStore<T>(
  work: (store: TcpStoreClient, surroundings: Surroundings) => Promise<T>,
): Promise<T> {
  const surroundings = findCluster();
  const store = openStore(surroundings);
  try {
    return await work(store, surroundings);
  } finally {
    await store.close();
  }
}

/** A command by the operator at this terminal. */
export function operatorCommand(
  command: Pick<CommandRequest, 'stream' | 'type' | 'data' | 'parts' | 'action'>,
): CommandRequest {
  return {
    ...command,
    id: randomUUID(),
    expiresAt: Date.now() + COMMAND_VALID_MS,
    actor: 'cli',
    session: '',
  };
}
