/** The front door's process. */
import { createFrontDoor } from '../../gateways/front-door/front-door.ts';
import { runProcess } from './process.ts';
import { planCluster, reachable } from './topology.ts';

runProcess('front-door', async ({ plan, settings, logger, notices }) => {
  const gateways = planCluster(settings)
    .filter(({ kind }) => kind === 'gateway')
    .map(({ id, host, port }) => ({ id, address: `${reachable(host)}:${port}` }));
  const app = createFrontDoor({ notices, logger, gateways });
  await app.listen({ host: plan.host, port: plan.port });
  return { stop: () => app.close() };
});
