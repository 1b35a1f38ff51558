/**
 * How many messages a second mail intake takes, each on all three copies before its 250: Postfix's `smtp-source`
 * against PennCloud as `npm start` runs it, and against Postfix that delivers to a Maildir, in turn.
 *
 *   npm run build && node build/ops/bench/intake.js [--messages 5000] [--rounds 3] [--bytes 4096] [--profile FOLDER]
 *
 * Twice each round: 20 sessions that are reused, and 200 that are not (smtp-server waits 100 ms before it greets).
 * Prints messages a second, and the processor time of the servers for each message, which stays comparable when the
 * machine does other things as well. Postfix answers when a message is in its queue: what it still delivers then is
 * waited for, or it would take its share of the machine from whoever is measured next; the time of that is told, and
 * not counted. The promise: as many as Postfix. Needs root, for Postfix.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, mkdtempSync, rmSync, chmodSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { pino } from 'pino';
import { accountStream } from '../../domain/streams.ts';
import { Passwords } from '../../gateways/passwords/passwords.ts';
import { folderCountsCell } from '../../projections/keys.ts';
import { readFolderCounts } from '../../projections/mailbox-cells.ts';
import { createStoreClient, type TcpStoreClient } from '../../storage-nodes/client/store-client.ts';
import type { ProcessPlan } from '../processes/topology.ts';
import { processorSeconds } from './machine/processor-time.ts';
import { startPennCloud } from './systems/penncloud.ts';
import { startPostfix } from './systems/postfix.ts';
import { freePorts } from './systems/program.ts';

const DOMAIN = 'penncloud.test';
const ACCOUNTS = ['anna', 'bert', 'cleo', 'dora'];
const NOBODY = 65_534;
/** Before code and caches are warm a message costs up to twice as much: the first figures say how much. */
const WARM_UP = 15_000;
const LOOK_MS = 50;
/** A server that has not delivered what it took by then never will. */
const FINISH_MS_MAX = 60_000;

const { values: options } = parseArgs({
  options: {
    messages: { type: 'string', default: '5000' },
    rounds: { type: 'string', default: '3' },
    bytes: { type: 'string', default: '4096' },
    profile: { type: 'string' },
  },
});
const messages = Number(options.messages);
let sentToPennCloud = 0;

/** `parts`: processes that do the same work, by its name. */
type Contestant = {
  readonly name: string;
  readonly port: number;
  readonly parts: () => Readonly<Record<string, readonly number[]>>;
  /** Messages that it took and is not done with. */
  readonly unfinished: () => number;
};
type Manner = { readonly name: string; readonly flags: readonly string[]; readonly share: number };

const MANNERS: readonly Manner[] = [
  { name: '20 sessions, reused', flags: ['-d', '-s', '20'], share: 1 },
  { name: '200 sessions, not reused', flags: ['-s', '200'], share: 0.4 },
];

const folder = mkdtempSync(join(tmpdir(), 'penncloud-intake-'));
// Postfix's parts run as users of their own.
chmodSync(folder, 0o755);
const system = await startPennCloud(folder, { version: 'here', profileFolder: options.profile, mail: true });
const [postfixPort] = await freePorts(1);
const mailFolder = join(folder, 'postfix', 'mail');
mkdirSync(mailFolder, { recursive: true });
chownSync(mailFolder, NOBODY, NOBODY);
const postfix = await startPostfix(join(folder, 'postfix'), {
  port: postfixPort!,
  main: [
    `virtual_mailbox_domains = ${DOMAIN}`,
    `virtual_mailbox_base = ${mailFolder}`,
    'virtual_mailbox_maps = static:box/',
    `virtual_uid_maps = static:${NOBODY}`,
    `virtual_gid_maps = static:${NOBODY}`,
  ],
});
const { access } = system;
if (access.system !== 'penncloud') throw new Error('Defect: another system was started.');
const store = createStoreClient({
  nodes: access.servers,
  secret: access.secret,
  clientId: 'intake-bench',
  logger: pino({ level: 'silent' }),
});
try {
  for (const name of ACCOUNTS) await signUp(store, name);
  const contestants: readonly Contestant[] = [
    {
      name: 'PennCloud',
      port: system.plans.find(({ kind }) => kind === 'smtp-in')!.port,
      parts: () => ({
        intake: pidsOf((kind) => kind === 'smtp-in'),
        nodes: pidsOf((kind) => kind === 'storage-node'),
        others: pidsOf((kind) => kind !== 'smtp-in' && kind !== 'storage-node'),
      }),
      unfinished: () => 0,
    },
    {
      name: 'Postfix',
      port: postfixPort!,
      parts: () => ({ Postfix: postfix.pids() }),
      unfinished: () => postfix.queued(),
    },
  ];
  console.log(
    `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, ${options.bytes} bytes, ${messages} messages`,
  );
  // The first ones warm caches and code.
  for (const contestant of contestants) await send(contestant, MANNERS[0]!, WARM_UP);
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const manner of MANNERS) {
      for (const contestant of contestants)
        await send(contestant, manner, Math.round(messages * manner.share));
    }
  }
  await checkKept();
} finally {
  await store.close();
  await postfix.stop();
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
}

function pidsOf(isWanted: (kind: ProcessPlan['kind']) => boolean): number[] {
  return system.plans.flatMap(({ kind }, index) => (isWanted(kind) ? [system.pids[index] ?? 0] : []));
}

async function send(
  { name, port, parts, unfinished }: Contestant,
  manner: Manner,
  count: number,
): Promise<void> {
  const each = Math.ceil(count / ACCOUNTS.length);
  const before = processorOf(parts());
  const began = performance.now();
  for (const account of ACCOUNTS) {
    const envelope = ['-f', `sender@bench.example`, '-t', `${account}@${DOMAIN}`];
    const size = ['-l', options.bytes, '-m', String(each)];
    await promisify(execFile)('smtp-source', [...manner.flags, ...size, ...envelope, `127.0.0.1:${port}`]);
  }
  const seconds = (performance.now() - began) / 1000;
  const after = processorOf(parts());
  const sent = each * ACCOUNTS.length;
  const cost = Object.keys(after).map((part) => {
    const spent = (after[part] ?? 0) - (before[part] ?? 0);
    return `${part} ${((spent / sent) * 1000).toFixed(2)}`;
  });
  const left = unfinished();
  for (let waited = 0; unfinished() > 0; waited += LOOK_MS) {
    if (waited > FINISH_MS_MAX)
      throw new Error(`${name} still has ${unfinished()} messages: look into its log.`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const late = (performance.now() - began) / 1000 - seconds;
  console.log(
    `${name}, ${manner.name}: ${(sent / seconds).toFixed(0)} a second, ` +
      `ms of processor each: ${cost.join(', ')}; load ${loadavg()[0]!.toFixed(1)}` +
      (left > 0 ? `; ${left} were not delivered yet, which took ${late.toFixed(1)} s more` : ''),
  );
  if (name === 'PennCloud') sentToPennCloud += sent;
}

function processorOf(parts: Readonly<Record<string, readonly number[]>>): Record<string, number> {
  return Object.fromEntries(Object.entries(parts).map(([part, pids]) => [part, processorSeconds(pids)]));
}

async function signUp(client: TcpStoreClient, name: string): Promise<void> {
  await client.execute({
    id: randomBytes(16).toString('hex'),
    expiresAt: Date.now() + 60_000,
    stream: accountStream(name),
    type: 'account.SignUp',
    data: { name, admin: false },
    parts: [Buffer.from(await new Passwords().hash(randomBytes(16).toString('hex'))), Buffer.from('')],
    actor: 'bench',
    session: '',
    action: 'Bench',
  });
}

/** Every message that was answered 250 is in an inbox. */
async function checkKept(): Promise<void> {
  let kept = 0;
  for (const name of ACCOUNTS) {
    const cell = folderCountsCell(accountStream(name), 'inbox');
    const answer = await store.read(cell.row, [{ get: cell }]);
    const counts = answer.results[0]?.[0]?.bytes;
    if (counts !== undefined) kept += readFolderCounts(counts).total;
  }
  if (kept !== sentToPennCloud) throw new Error(`${sentToPennCloud} were accepted, ${kept} are in inboxes.`);
  console.log(`all ${kept} messages that PennCloud accepted are in their inboxes`);
}
