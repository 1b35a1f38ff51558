/** `penncloud up`: runs a local cluster in the foreground until Ctrl-C. */
import { readSettings } from '../processes/settings.ts';
import { LaunchFailed, Launcher } from './launcher.ts';
import { welcome } from './welcome.ts';

/** Resolves with the exit code. */
export async function up(): Promise<number> {
  const settings = readSettings();
  const launcher = new Launcher(settings, (line) => console.log(line));
  const asked = stopOnSignals(launcher);
  const started = launcher.start();
  try {
    const outcome = await Promise.race([started, asked]);
    if (outcome) console.log(welcome(outcome.plans, settings, outcome.consoleToken));
    await asked;
  } catch (error) {
    await launcher.stop();
    if (!(error instanceof LaunchFailed)) throw error;
    console.error(error.message);
    return 1;
  }
  started.catch(() => {});
  console.log('Stopping …');
  await launcher.stop();
  console.log('Stopped.');
  return 0;
}

/** npm hands on the Ctrl-C that the terminal has sent to the launcher as well: within this time it is one. */
const SAME_PRESS_MS = 500;

/** Resolves at the first signal; a second one kills what still runs. */
function stopOnSignals(launcher: Launcher): Promise<void> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    const onSignal = (): void => {
      if (firstAt === undefined) {
        firstAt = performance.now();
        return resolve();
      }
      if (performance.now() - firstAt < SAME_PRESS_MS) return;
      console.error('Killed.');
      launcher.kill();
      process.exit(1);
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
    // Started by another Node process with a channel (a test run): it ends with that process.
    process.on('disconnect', onSignal);
  });
}
