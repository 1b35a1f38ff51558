/**
 * Programs that npm cannot bring: nats-server, etcd where configurations lie there, peers for the benchmark,
 * Chromium and curl for the tests, and what chaos uses. As root on Debian they are installed; everyone else
 * gets one line that says what to install.
 */
import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter } from 'node:path';
import { SetupFailed, progress, runQuietly } from './steps.mjs';

const APT_GET = '/usr/bin/apt-get';

/** A program's names in the order they are looked for, and Debian's package. */
const PROGRAMS = {
  'nats-server': { names: ['nats-server'], package: 'nats-server' },
  etcd: { names: ['etcd'], package: 'etcd-server' },
  'redis-server': { names: ['redis-server'], package: 'redis-server' },
  libfaketime: { names: ['libfaketime.so.1'], package: 'libfaketime', folders: libraryFolders },
  curl: { names: ['curl'], package: 'curl' },
  // Its tools too: smtp-source and smtp-sink.
  postfix: {
    names: ['postfix'],
    package: 'postfix',
    // Installed for the tests, it must not begin to serve this machine's mail.
    answer: 'postfix postfix/main_mailer_type select No configuration',
  },
  swaks: { names: ['swaks'], package: 'swaks' },
  // swaks runs without it, but speaks no TLS then.
  'Net::SSLeay': { names: ['Net/SSLeay.pm'], package: 'libnet-ssleay-perl', folders: perlFolders },
  's-nail': { names: ['s-nail'], package: 's-nail' },
  chromium: { names: ['chromium', 'chromium-browser', 'google-chrome'], package: 'chromium' },
};

/** The program's path; undefined if it is not installed. Debian's /usr/sbin need not be on PATH. */
export function findProgram(program) {
  const { names, folders = programFolders } = PROGRAMS[program];
  // A library is loaded, not run.
  const mode = folders === programFolders ? constants.X_OK : constants.R_OK;
  for (const name of names) {
    for (const folder of folders()) if (isThere(`${folder}/${name}`, mode)) return `${folder}/${name}`;
  }
  return undefined;
}

function programFolders() {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/bin', '/usr/local/bin'];
  return folders.filter((folder) => folder !== '');
}

/** Debian keeps a folder for each architecture in /usr/lib. */
function libraryFolders() {
  return readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/faketime`);
}

/** Perl's modules with compiled parts lie in a folder for each architecture and version. */
function perlFolders() {
  const under = (folder) =>
    (isThere(folder, constants.R_OK) ? readdirSync(folder) : []).map((name) => `${folder}/${name}`);
  return readdirSync('/usr/lib').flatMap((name) => under(`/usr/lib/${name}/perl5`));
}

/** Whether programs can be installed without a word to the user. */
export function canInstall(isRoot = process.getuid?.() === 0) {
  return isRoot && isThere(APT_GET, constants.X_OK);
}

/** Throws SetupFailed with that line. */
export async function installPrograms(programs, { isRoot = process.getuid?.() === 0 } = {}) {
  const packages = programs.map((program) => PROGRAMS[program].package);
  if (!canInstall(isRoot)) {
    throw new SetupFailed(
      `penncloud: ${programs.join(' and ')} not found: install with \`sudo apt-get install ${packages.join(' ')}\`, then start again.`,
    );
  }
  progress(`installing ${packages.join(' and ')} from Debian …`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const failure = `penncloud: installing ${packages.join(' and ')} failed; see above.`;
  await runQuietly(APT_GET, ['update'], { env, failure });
  for (const answer of programs.flatMap((program) => PROGRAMS[program].answer ?? [])) {
    const script = 'printf "%s\\n" "$1" | debconf-set-selections';
    await runQuietly('/bin/sh', ['-c', script, 'sh', answer], { env, failure });
  }
  await runQuietly(APT_GET, ['install', '-y', '--no-install-recommends', ...packages], { env, failure });
}

function isThere(path, mode) {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
