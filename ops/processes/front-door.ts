/** The front door's process. */
import { createFrontDoor } from '../../gateways/front-door/front-door.ts';
import { AT_ONCE } from '../../gateways/http/drain.ts';
import { runProcess } from './process.ts';
import { planCluster, reachable } from './topology.ts';
import { certificateFiles, certificateIn } from './certificate.ts';
import { keepRenewed, leave, sealKeyOf } from './web.ts';

runProcess('front-door', async ({ plan, settings, cluster, logger, notices }) => {
  const gateways = planCluster(settings)
    .filter(({ kind }) => kind === 'gateway')
    .map(({ id, host, port }) => ({ id, address: `${reachable(host)}:${port}` }));
  const files = certificateFiles(settings);
  const app = createFrontDoor({
    notices,
    logger,
    gateways,
    mode: settings.frontDoor,
    certificate: certificateIn(files),
    sealKey: sealKeyOf(cluster),
  });
  keepRenewed(app, files, logger);
  await app.listen({ host: plan.host, port: plan.port });
  return {
    // Nobody sends clients here: they come by its address alone, which is gone either way.
    leave: () => leave(app, { settings, logger, lingerMs: 0 }),
    stop: async () => {
      await app.drain.finish(AT_ONCE);
    },
  };
});
