/**
 * Brings the checkout to a state that can run. When nothing is missing this takes milliseconds and
 * takes no lock; otherwise one process does the work while others wait for it.
 */
import { build, buildIsFresh } from './build.mjs';
import { withLock } from './lock.mjs';
import { installPackages, packagesAreInstalled } from './packages.mjs';
import { findProgram, installPrograms } from './programs.mjs';
import { ROOT, progress } from './steps.mjs';

/**
 * Throws SetupFailed with a message for the user. `programs`: those needed beyond Node's packages;
 * `built`: whether build/ is needed.
 */
export async function makeReady({ programs = [], built = true } = {}) {
  const missing = () => programs.filter((program) => findProgram(program) === undefined);
  const isReady = () => packagesAreInstalled() && (!built || buildIsFresh()) && missing().length === 0;
  if (isReady()) return;
  await withLock(ROOT, { onWait: () => progress('waiting for another set-up to finish …') }, async () => {
    if (missing().length > 0) await installPrograms(missing());
    if (!packagesAreInstalled()) await installPackages();
    if (built && !buildIsFresh()) await build();
  });
}
