/** A port offset at which all of a cluster's ports are free; at random, since clusters start side by side. */
import { randomInt } from 'node:crypto';
import { portObstacle } from '../../cluster/free-ports.ts';
import { readSettings } from '../../processes/settings.ts';
import { planCluster } from '../../processes/topology.ts';

export async function freePortOffset(): Promise<number> {
  for (;;) {
    // Below the range that the system takes outgoing ports from.
    const offset = randomInt(9_000, 24_000);
    const settings = readSettings({ PENNCLOUD_PORT_OFFSET: String(offset) });
    if ((await portObstacle(planCluster(settings))) === undefined) return offset;
  }
}
