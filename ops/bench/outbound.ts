/**
 * How fast mail leaves: a whole cluster as `npm start` runs it, its queues filled while the worker stands still, then
 * from the moment it goes on until the last message is recorded as delivered. The other side is Postfix's smtp-sink,
 * which throws away what it takes.
 *
 *   npm run build && node build/ops/bench/outbound.js [--messages 5000] [--bytes 4096] [--signed]
 *
 * Each message is read from the store, sent, answered, and its delivery committed on three nodes; nodes, worker and
 * sink share the machine. Prints messages a second, and the worker's processor time for each.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { accountStream, OUTBOUND_STREAMS, outboundStream } from '../../domain/streams.ts';
import { activate, makeSigningKey } from '../../gateways/smtp/outbound/signing/signing-keys.ts';
import { dueRow } from '../../projections/outbound-keys.ts';
import { createStoreClient, type TcpStoreClient } from '../../storage-nodes/client/store-client.ts';
import { readRunningFile } from '../cluster/running-file.ts';
import { readClusterFile } from '../processes/cluster-file.ts';
import { signingKeyFolder } from '../processes/signing-key-folder.ts';
import { addressesOf } from '../processes/topology.ts';
import { processorSeconds } from './machine/processor-time.ts';
import { startCluster } from './systems/cluster.ts';
import { freePorts } from './systems/program.ts';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';
const QUEUED_AT_ONCE = 64;

const { values: options } = parseArgs({
  options: {
    messages: { type: 'string', default: '5000' },
    bytes: { type: 'string', default: '4096' },
    signed: { type: 'boolean', default: false },
  },
});
const messages = Number(options.messages);
let asked = 0;

const folder = mkdtempSync(join(tmpdir(), 'penncloud-outbound-'));
const [sinkPort] = await freePorts(1);
const sink = spawn('smtp-sink', ['-u', 'nobody', `127.0.0.1:${sinkPort}`, '1000'], { stdio: 'inherit' });
if (options.signed) await makeKey(signingKeyFolder(folder));
const cluster = await startCluster(folder, {
  PENNCLOUD_REMOTE_SMTP_PORT: String(sinkPort),
  PENNCLOUD_OUTBOUND_PRIVATE: 'allow',
});
try {
  const store = createStoreClient({
    nodes: addressesOf('storage-node', cluster.plans),
    secret: readClusterFile(folder).secret,
    clientId: 'bench',
    logger: pino({ level: 'silent' }),
  });
  const worker = readRunningFile(folder)!.processes.find(({ id }) => id === 'smtp-out')!.pid!;
  await run(store, worker, Math.min(500, messages), 'warm-up');
  await run(store, worker, messages, options.signed ? 'signed (DKIM)' : 'not signed');
  await store.close();
} finally {
  await cluster.stop();
  sink.kill();
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}

async function run(store: TcpStoreClient, worker: number, count: number, what: string): Promise<void> {
  process.kill(worker, 'SIGSTOP');
  try {
    await fill(store, count);
  } finally {
    process.kill(worker, 'SIGCONT');
  }
  const [from, used] = [performance.now(), processorSeconds([worker])];
  while (await isWaiting(store)) await sleep(5);
  const seconds = (performance.now() - from) / 1000;
  const each = ((processorSeconds([worker]) - used) * 1000) / count;
  console.log(
    `${what}: ${count} messages of ${options.bytes} bytes in ${seconds.toFixed(1)} s, ${Math.round(count / seconds)} a second; ` +
      `worker ${each.toFixed(2)} ms of processor each (Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, load ${loadavg()[0]!.toFixed(1)})`,
  );
}

async function fill(store: TcpStoreClient, count: number): Promise<void> {
  const line = `${'x'.repeat(70)}\r\n`;
  const head = 'From: Ann <ann@penncloud.test>\r\nTo: bob@example.test\r\nSubject: bench\r\n\r\n';
  const raw = Buffer.from(
    (head + line.repeat(Number(options.bytes) / line.length)).slice(0, Number(options.bytes)),
  );
  let next = 0;
  const work = async (): Promise<void> => {
    while (next++ < count) await queue(store, raw);
  };
  await Promise.all(Array.from({ length: QUEUED_AT_ONCE }, work));
}

/** As an account's entry does it. */
async function queue(store: TcpStoreClient, raw: Buffer): Promise<void> {
  const id = Array.from({ length: 26 }, () => LETTERS.charAt(Math.floor(Math.random() * 32))).join('');
  const to = ['bob@[127.0.0.1]'];
  await store.execute({
    id: `bench-${id}`,
    expiresAt: Date.now() + 600_000,
    stream: outboundStream(id),
    type: 'outbound.QueueMessage',
    data: { id, account: 'ann', origin: 'sent', messageId: id, recipients: 1 },
    parts: [raw, Buffer.from(JSON.stringify({ from: 'ann@penncloud.test', to, prepend: '' }))],
    actor: accountStream('ann'),
    session: '',
    action: 'send a message',
    causation: { tablet: `bench-${performance.timeOrigin}`, seq: ++asked, reaction: 0 },
  });
}

async function makeKey(keys: string): Promise<void> {
  await activate(keys, await makeSigningKey(keys, 'penncloud.test', 'bench'));
}

async function isWaiting(store: TcpStoreClient): Promise<boolean> {
  for (const one of OUTBOUND_STREAMS) {
    const row = dueRow(one);
    const scan = { from: { row, column: '' }, to: { row, column: '~' }, limit: 1 };
    if (((await store.read(one, [{ scan }])).results[0] ?? []).length > 0) return true;
  }
  return false;
}
