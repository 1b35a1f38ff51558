/**
 * data/cluster.json: what a cluster made for itself on its first start and keeps for good. It holds
 * secrets, so only its owner may read it (mode 0600); it is written whole or not at all.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const ClusterFile = z.object({
  /** What processes of the cluster prove to each other on TCP; 32 bytes, base64url. */
  secret: z.string().min(43),
  nats: z.object({ user: z.string().min(1), password: z.string().min(16) }),
  createdAt: z.string(),
});
export type ClusterFile = z.infer<typeof ClusterFile>;

export class ClusterFileError extends Error {}

const pathIn = (dataFolder: string): string => join(dataFolder, 'cluster.json');

/** Throws ClusterFileError if there is none: no cluster was ever started in this folder. */
export function readClusterFile(dataFolder: string): ClusterFile {
  const path = pathIn(dataFolder);
  if (!existsSync(path)) {
    throw new ClusterFileError(
      `No cluster was started in ${dataFolder}: start one with \`npm start\`, or name its folder in PENNCLOUD_DATA.`,
    );
  }
  try {
    return ClusterFile.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new ClusterFileError(
      `${path} cannot be used. Put back a copy of it: the cluster's processes know each other by the secret in it.`,
      { cause: error },
    );
  }
}

export function readOrCreateClusterFile(dataFolder: string): ClusterFile {
  mkdirSync(dataFolder, { recursive: true });
  const path = pathIn(dataFolder);
  if (!existsSync(path)) {
    const cluster: ClusterFile = {
      secret: randomBytes(32).toString('base64url'),
      nats: { user: 'penncloud', password: randomBytes(24).toString('base64url') },
      createdAt: new Date().toISOString(),
    };
    const unfinished = `${path}.new`;
    writeFileSync(unfinished, JSON.stringify(cluster, null, 2) + '\n', { mode: 0o600, flush: true });
    renameSync(unfinished, path);
  }
  chmodSync(path, 0o600);
  return readClusterFile(dataFolder);
}
