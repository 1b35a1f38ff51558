/**
 * What the wire costs, in microseconds of CPU: `npx tsx ops/bench/wire.ts`.
 *
 * A store client in this process and a node's port in another, over real sockets. The node's handlers
 * answer at once, so that what is left is the client library, frames, requests and sockets. Then a link:
 * appends of one node to another that acknowledges them.
 *
 * Last seen (2 cores of an AMD EPYC, Node 20.20, Debian 12, the machine shared; both processes together):
 *
 *   put   64 callers 7.6 µs,  256 callers 7.0 µs,  one caller 32 µs
 *   get   64 callers 6.0 µs,  256 callers 5.6 µs,  one caller 30 µs
 *   entry, 64 an append 1.3 µs, 16 an append 1.6 µs, one an append 11 µs
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import pino from 'pino';
import { decodeCommand, decodeQueries } from '../../storage-nodes/client/codec.ts';
import { createStoreClient } from '../../storage-nodes/client/store-client.ts';
import type { LogRecord } from '../../storage-nodes/log/entry.ts';
import { canonical } from '../../storage-nodes/replication/configuration.ts';
import type { PeerMessage } from '../../storage-nodes/replication/messages.ts';
import { accept } from '../../storage-nodes/wire/connection.ts';
import { IncomingLinks, PeerLink } from '../../storage-nodes/wire/peer-links.ts';
import { serve } from '../../storage-nodes/wire/requests.ts';
import { epoch, nodeId, seq, tabletId, version } from '../../storage-nodes/words.ts';

const SECRET = 'a secret for measuring';
const VALUE = Buffer.alloc(100, 'v');
const HEAD = Buffer.alloc(320, 'h');
const logger = pino({ level: 'silent' });

if (process.send) await beNode();
else await measure();

/** node-2: answers clients, and acknowledges the appends of node-1. */
async function beNode(): Promise<void> {
  const tell = (message: object): void => void process.send!(message);
  const configuration = canonical({
    tablet: tabletId('t-01'),
    version: version(1),
    epoch: epoch(1),
    lineage: 0,
    primary: nodeId('node-2'),
    inSync: [nodeId('node-2')],
    replicas: [nodeId('node-2')],
    range: { from: '', to: null },
    predecessor: '',
  });
  let at = 0;
  const handlers = {
    map: () => ({ results: [[configuration]], blobs: [] }),
    execute: async ([, fields]: readonly unknown[], blobs: readonly Uint8Array[]) => {
      await Promise.resolve(decodeCommand(fields, blobs));
      return { results: [++at, 1_700_000_000_000, null], blobs: [] };
    },
    read: async ([, , queries]: readonly unknown[]) => {
      const [query] = await Promise.resolve(decodeQueries(queries));
      if (!query || !('get' in query)) throw new Error('this bench only gets');
      return { results: [++at, [[[query.get.row, query.get.column, 7]]]], blobs: [VALUE] };
    },
  };
  let back: PeerLink | undefined;
  const incoming = new IncomingLinks(['node-1'], logger, (_from, message) => {
    if (message.body.type !== 'append') return;
    const match = seq(message.body.prevSeq + message.body.records.length);
    back?.send({ ...message, body: { type: 'ack', match } });
  });
  const server = createServer((socket) =>
    accept(socket, SECRET, logger, (connection) => {
      if (connection.hello.purpose === 'client') serve(connection, handlers, (error) => console.error(error));
      else incoming.add(connection);
    }),
  );
  server.listen(0, '127.0.0.1', () => tell({ port: (server.address() as { port: number }).port }));
  process.on('message', (asked: { cpu?: true; dial?: number }) => {
    if (asked.cpu) tell({ cpu: cpuMicros() });
    if (asked.dial !== undefined) back = linkTo('node-1', 'node-2', asked.dial, () => tell({ linked: true }));
  });
}

function linkTo(peer: string, self: string, port: number, onConnected: () => void): PeerLink {
  const to = { host: '127.0.0.1', port, secret: SECRET, logger };
  return new PeerLink(nodeId(peer), { self: nodeId(self), ...to, onDisconnected: () => {}, onConnected });
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function asked<T>(node: ChildProcess, question: object): Promise<T> {
  const answer = once(node, 'message') as Promise<[T]>;
  node.send(question);
  return (await answer)[0];
}

async function measure(): Promise<void> {
  const node = fork(fileURLToPath(import.meta.url), { execArgv: process.execArgv });
  try {
    const [{ port }] = (await once(node, 'message')) as [{ port: number }];
    await measureRequests(node, port);
    await measureLink(node, port);
  } finally {
    node.kill();
  }
}

async function measureRequests(node: ChildProcess, port: number): Promise<void> {
  const nodes = [{ id: 'node-2', host: '127.0.0.1', port }];
  const client = createStoreClient({ nodes, secret: SECRET, clientId: 'bench', logger });
  const put = (n: number): Promise<unknown> =>
    client.execute({
      id: `01J9ZK3V8Q5T7R2M4N6P${n}`,
      expiresAt: 1_700_000_060_000,
      stream: `row-${n % 10_000}`,
      type: 'kv.Put',
      data: { row: `row-${n % 10_000}`, column: 'value' },
      parts: [VALUE],
      actor: 'bench',
      session: '',
      action: 'Put a value',
    });
  const get = (n: number): Promise<unknown> => {
    const row = `row-${n % 10_000}`;
    return client.read(row, [{ get: { row, column: 'value' } }]);
  };
  for (const callers of [1, 64, 256]) {
    const count = callers === 1 ? 10_000 : 60_000;
    await report(node, `put, ${callers} callers`, count, () => inLanes(callers, count, put));
    await report(node, `get, ${callers} callers`, count, () => inLanes(callers, count, get));
  }
  await client.close();
}

/** `lanes` callers, each waiting for its own answer before it asks again. */
async function inLanes(lanes: number, count: number, step: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await step(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function measureLink(node: ChildProcess, port: number): Promise<void> {
  let acked = (_match: number): void => {};
  const incoming = new IncomingLinks(['node-2'], logger, (_from, { body }) => {
    if (body.type === 'ack') acked(body.match);
  });
  const server = createServer((socket) =>
    accept(socket, SECRET, logger, (connection) => incoming.add(connection)),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const link = await new Promise<PeerLink>((resolve) => {
    const made = linkTo('node-2', 'node-1', port, () => resolve(made));
  });
  await asked(node, { dial: (server.address() as { port: number }).port });
  for (const records of [1, 16, 64]) {
    const count = 64_000;
    await report(node, `entries, ${records} an append`, count, () =>
      sendEntries(link, records, count, (to) => (acked = to)),
    );
  }
  link.close();
  incoming.close();
  server.close();
}

/** One tablet, with four appends under way. */
function sendEntries(
  link: PeerLink,
  perAppend: number,
  count: number,
  onAck: (listener: (match: number) => void) => void,
): Promise<void> {
  return new Promise((resolve) => {
    let sent = 0;
    let confirmed = 0;
    const send = (): void => {
      const records = Array.from({ length: perAppend }, (_, i): LogRecord => ({
        seq: seq(sent + 1 + i),
        epoch: epoch(1),
        head: HEAD,
        parts: [VALUE],
      }));
      const body: PeerMessage['body'] = {
        type: 'append',
        prevSeq: seq(sent),
        prevEpoch: epoch(1),
        records,
        commit: seq(sent),
      };
      sent += perAppend;
      link.send({ tablet: tabletId('t-01'), epoch: epoch(1), version: version(1), body });
    };
    // One ack may answer several appends.
    onAck((match) => {
      confirmed = match;
      while (sent < count && sent - confirmed < 4 * perAppend) send();
      if (confirmed >= count) resolve();
    });
    for (let i = 0; i < 4; i++) send();
  });
}

async function report(
  node: ChildProcess,
  name: string,
  count: number,
  work: () => Promise<void>,
): Promise<void> {
  // Once for the compiler.
  await work();
  const [here, there] = [cpuMicros(), (await asked<{ cpu: number }>(node, { cpu: true })).cpu];
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1000;
  const mine = (cpuMicros() - here) / count;
  const theirs = ((await asked<{ cpu: number }>(node, { cpu: true })).cpu - there) / count;
  const micros = (n: number): string => n.toFixed(1).padStart(7);
  const rate = Math.round(count / seconds)
    .toLocaleString('en')
    .padStart(9);
  console.log(
    `${name.padEnd(26)} here ${micros(mine)}  there ${micros(theirs)}  sum ${micros(mine + theirs)} µs   ${rate}/s`,
  );
}
