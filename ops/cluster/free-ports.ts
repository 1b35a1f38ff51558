/** Checks that every port of a cluster can be opened, before anything is started; finds some that can. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { ETCD_PEER_PORT_STEP, planCluster, type ProcessPlan } from '../processes/topology.ts';

/** A sentence about the first port that cannot be opened; undefined if all can. */
export async function portObstacle(plans: readonly ProcessPlan[]): Promise<string | undefined> {
  for (const { id, kind, host, port, health } of plans) {
    const wanted = [
      { host, port },
      ...(health && health.port !== port ? [health] : []),
      ...(kind === 'etcd' ? [{ host, port: port + ETCD_PEER_PORT_STEP }] : []),
    ];
    for (const place of wanted) {
      const code = await openingError(place);
      if (code === 'EADDRINUSE') {
        return `Port ${place.port}, which ${id} needs, is in use: stop the program that holds it, or set PENNCLOUD_PORT_OFFSET (for example PENNCLOUD_PORT_OFFSET=1000) to run beside it.`;
      }
      if (code === 'EADDRNOTAVAIL') {
        return `PENNCLOUD_HOST is ${place.host}, but this machine has no such address.`;
      }
      if (code !== undefined) {
        return `Port ${place.port}, which ${id} needs, cannot be opened (${code}): set PENNCLOUD_PORT_OFFSET to use others.`;
      }
    }
  }
  return undefined;
}

/** Below the range that the system takes outgoing ports from; at random, since clusters start side by side. */
export async function freeOffset(settings: Parameters<typeof planCluster>[0]): Promise<number> {
  for (;;) {
    const portOffset = randomInt(9_000, 24_000);
    if ((await portObstacle(planCluster({ ...settings, portOffset }))) === undefined) return portOffset;
  }
}

function openingError(place: { host: string; port: number }): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ ...place, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
