/**
 * Brings the checkout to a state that can run. When nothing is missing this takes milliseconds and
 * takes no lock; otherwise one process does the work while others wait for it.
 */
import { build, buildIsFresh } from './build.mjs';
import { withLock } from './lock.mjs';
import { installPackages, packagesAreInstalled } from './packages.mjs';
import { canInstall, findProgram, installPrograms } from './programs.mjs';
import { ROOT, progress } from './steps.mjs';

/**
 * Throws SetupFailed with a message for the user. `programs`: those needed beyond Node's packages;
 * `useful`: those that the task does without where they cannot be installed; `built`: whether build/ is
 * needed.
 */
export async function makeReady({ programs = [], useful = [], built = true } = {}) {
  const isMissing = (program) => findProgram(program) === undefined;
  const missing = () => programs.filter(isMissing);
  const hopedFor = () => (canInstall() ? useful.filter(isMissing) : []);
  const isReady = () =>
    packagesAreInstalled() && (!built || buildIsFresh()) && missing().length === 0 && hopedFor().length === 0;
  if (isReady()) return;
  await withLock(ROOT, { onWait: () => progress('waiting for another set-up to finish …') }, async () => {
    if (missing().length > 0) await installPrograms(missing());
    if (hopedFor().length > 0) {
      const names = hopedFor().join(' and ');
      await installPrograms(hopedFor()).catch(() => progress(`going on without ${names}.`));
    }
    if (!packagesAreInstalled()) await installPackages();
    if (built && !buildIsFresh()) await build();
  });
}
