/**
 * Programs that npm cannot bring: nats-server, etcd where configurations lie there, peers for the benchmark,
 * and Chromium for the tests. As root on Debian they are installed; everyone else gets one line that says
 * what to install.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter } from 'node:path';
import { SetupFailed, progress, runQuietly } from './steps.mjs';

/** A program's names in the order they are looked for, and Debian's package. */
const PROGRAMS = {
  'nats-server': { names: ['nats-server'], package: 'nats-server' },
  etcd: { names: ['etcd'], package: 'etcd-server' },
  'redis-server': { names: ['redis-server'], package: 'redis-server' },
  chromium: { names: ['chromium', 'chromium-browser', 'google-chrome'], package: 'chromium' },
};

/** The program's path; undefined if it is not installed. Debian's /usr/sbin need not be on PATH. */
export function findProgram(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/bin', '/usr/local/bin'];
  for (const name of PROGRAMS[program].names) {
    for (const folder of folders.filter((folder) => folder !== '')) {
      if (isExecutable(`${folder}/${name}`)) return `${folder}/${name}`;
    }
  }
  return undefined;
}

/** Throws SetupFailed with that line. */
export async function installPrograms(programs, { isRoot = process.getuid?.() === 0 } = {}) {
  const packages = programs.map((program) => PROGRAMS[program].package);
  const aptGet = '/usr/bin/apt-get';
  if (!isRoot || !isExecutable(aptGet)) {
    throw new SetupFailed(
      `penncloud: ${programs.join(' and ')} not found: install with \`sudo apt-get install ${packages.join(' ')}\`, then start again.`,
    );
  }
  progress(`installing ${packages.join(' and ')} from Debian …`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const failure = `penncloud: installing ${packages.join(' and ')} failed; see above.`;
  await runQuietly(aptGet, ['update'], { env, failure });
  await runQuietly(aptGet, ['install', '-y', '--no-install-recommends', ...packages], { env, failure });
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
