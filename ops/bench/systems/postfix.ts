/**
 * Debian's Postfix, started from folders of its own beside (and without touching) the machine's: as the system that
 * intake is compared with, and in tests as the mail server at the other end.
 *
 * Always holds: it listens on loopback only, keeps everything below `folder`, and ends with this process or by its
 * own pid. It must be started by root: its parts run as the user `postfix`.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { canConnect, LOOPBACK, Program } from './program.ts';

export type PostfixOptions = {
  readonly port: number;
  /** More lines of main.cf. */
  readonly main: readonly string[];
};

export type RunningPostfix = {
  readonly pids: () => number[];
  /** Messages that it took and has not delivered yet. */
  readonly queued: () => number;
  stop(): Promise<void>;
};

const DAEMONS = '/usr/lib/postfix/sbin';
const PRIVATE_QUEUES = [
  ...['incoming', 'active', 'deferred', 'bounce', 'defer', 'corrupt', 'hold', 'flush', 'trace', 'saved'],
  'private',
];
/** postfix(1): what a mail system needs at least. Name, type, and how many of it (0: any number). */
const SERVICES = [
  ...['cleanup unix n 0 cleanup', 'qmgr unix n 1 qmgr', 'rewrite unix - - trivial-rewrite'],
  ...[
    'bounce unix - 0 bounce',
    'defer unix - 0 bounce',
    'trace unix - 0 bounce',
    'proxymap unix - - proxymap',
  ],
  ...['smtp unix - - smtp', 'relay unix - - smtp', 'error unix - - error', 'retry unix - - error'],
  ...['virtual unix - - virtual', 'anvil unix - 1 anvil', 'scache unix - 1 scache', 'tlsmgr unix - 1 tlsmgr'],
];

/** Serving when this resolves. Throws BenchFailed with what it said last. */
export async function startPostfix(folder: string, { port, main }: PostfixOptions): Promise<RunningPostfix> {
  layOut(folder);
  const conf = join(folder, 'conf');
  writeFileSync(join(conf, 'main.cf'), `${[...mainOf(folder), ...main].join('\n')}\n`);
  writeFileSync(join(conf, 'master.cf'), `${masterOf(port).join('\n')}\n`);
  const program = new Program('postfix', folder, join(DAEMONS, 'master'), ['-c', conf, '-d']);
  try {
    await program.until('it greets', () => canConnect(port));
  } catch (error) {
    await program.stop();
    throw error;
  }
  return {
    pids: () => inGroupOf(program.pid),
    queued: () => queuedIn(join(folder, 'queue')),
    stop: () => program.stop(),
  };
}

/** A message is one file, in one of these; `deferred` has folders of its own (hash_queue_names, postconf(5)). */
function queuedIn(queue: string): number {
  return ['incoming', 'active', 'deferred']
    .flatMap((name) => readdirSync(join(queue, name), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile()).length;
}

/** Its queue as postfix(1) wants it: who owns which folder, and who may look in. */
function layOut(folder: string): void {
  const queue = join(folder, 'queue');
  const user = idOf('-u', 'postfix');
  const group = idOf('-g', 'postfix');
  for (const name of [folder, join(folder, 'conf'), queue, join(queue, 'pid')]) made(name, 0o755);
  for (const name of PRIVATE_QUEUES) made(join(queue, name), 0o700, user, group);
  made(join(folder, 'data'), 0o700, user, group);
  const drop = Number(execFileSync('getent', ['group', 'postdrop']).toString().split(':')[2]);
  made(join(queue, 'public'), 0o710, user, drop);
  made(join(queue, 'maildrop'), 0o730, user, drop);
}

function made(path: string, mode: number, user = 0, group = 0): void {
  mkdirSync(path, { recursive: true });
  chownSync(path, user, group);
  chmodSync(path, mode);
}

function idOf(flag: '-u' | '-g', user: string): number {
  return Number(execFileSync('id', [flag, user]).toString());
}

function mainOf(folder: string): string[] {
  return [
    'compatibility_level = 3.6',
    `queue_directory = ${join(folder, 'queue')}`,
    `data_directory = ${join(folder, 'data')}`,
    `maillog_file = ${join(folder, 'mail.log')}`,
    `maillog_file_prefixes = ${folder}`,
    `inet_interfaces = ${LOOPBACK}`,
    'inet_protocols = ipv4',
    'mynetworks = 127.0.0.0/8',
    'mydestination =',
    'alias_maps =',
    'alias_database =',
    'smtpd_relay_restrictions = permit_mynetworks, reject',
  ];
}

function masterOf(port: number): string[] {
  const line = (service: string): string => {
    const [name, type, isPublic, countMax, program] = service.split(' ');
    // private, unprivileged (virtual(8) delivers as the mailbox's owner), chroot, wakeup, countMax
    const unprivileged = program === 'virtual' ? 'n' : '-';
    const wakeup = program === 'qmgr' ? '300' : '-';
    return `${name} ${type} ${isPublic} ${unprivileged} n ${wakeup} ${countMax} ${program}`;
  };
  return [
    `${LOOPBACK}:${port} inet n - n - - smtpd`,
    ...SERVICES.map(line),
    'postlog unix-dgram n - n - 1 postlogd',
  ];
}

/** master(8) leads a process group; its daemons are in it. */
function inGroupOf(leader: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => groupOf(pid) === leader);
}

function groupOf(pid: number): number | undefined {
  try {
    // /proc/<pid>/stat behind the name: state, parent, group (proc(5)).
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()!.split(' ')[2]);
  } catch {
    return undefined;
  }
}
