/** Links between nodes over real sockets: order, parts, malformed frames, peers that stop reading. */
import { createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LogRecord } from '../../../storage-nodes/log/entry.ts';
import type { PeerMessage } from '../../../storage-nodes/replication/messages.ts';
import { accept, dial, type Connection, type Purpose } from '../../../storage-nodes/wire/connection.ts';
import { encodeFrame, FrameReader } from '../../../storage-nodes/wire/frame.ts';
import { decodeMessage, partsNeeded } from '../../../storage-nodes/wire/peer-codec.ts';
import { IncomingLinks, PeerLink } from '../../../storage-nodes/wire/peer-links.ts';
import { epoch, nodeId, seq, tabletId, version } from '../../../storage-nodes/words.ts';

const SECRET = 'a secret';
const KIB = 1024;
const MIB = 1024 * KIB;
const seed = Number(process.env['PENNCLOUD_SEED'] ?? Date.now() % 2 ** 31);
const logger = pino({ level: 'silent' });

let server: Server;
let port: number;
let got: { from: string; message: PeerMessage }[];
let clocks: { from: string; wall: number }[];
let sockets: Set<Socket>;
let incoming: IncomingLinks;
let closing: { close(): void }[];
/** What becomes of an accepted connection; a test may put itself in between. */
let onReady: (connection: Connection) => void;

beforeEach(async () => {
  got = [];
  clocks = [];
  sockets = new Set();
  closing = [];
  incoming = new IncomingLinks(
    ['node-1', 'node-2'],
    logger,
    (from, message) => got.push({ from, message }),
    (from, wall) => clocks.push({ from, wall }),
  );
  onReady = (connection) => incoming.add(connection);
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    accept(socket, SECRET, logger, (connection) => onReady(connection));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  port = (server.address() as { port: number }).port;
});
afterEach(async () => {
  for (const one of closing) one.close();
  incoming.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function link(onConnected: () => void = () => {}): PeerLink {
  const self = nodeId('node-1');
  const made = new PeerLink(nodeId('node-2'), {
    self,
    host: '127.0.0.1',
    port,
    secret: SECRET,
    logger,
    onConnected,
    onDisconnected: () => {},
  });
  closing.push(made);
  return made;
}
async function connectedLink(): Promise<PeerLink> {
  const made = link();
  await vi.waitUntil(() => made.connected);
  return made;
}
async function dialled(purpose: Purpose, id = 'node-1', name = 'by hand'): Promise<Connection> {
  const connection = await dial({ host: '127.0.0.1', port }, { purpose, id, link: name }, SECRET);
  connection.start();
  closing.push({ close: () => connection.close('the test is over') });
  return connection;
}
const record = (n: number, ...parts: (Uint8Array | undefined)[]): LogRecord => ({
  seq: seq(n),
  epoch: epoch(1),
  head: Buffer.from(`head of ${n}`),
  parts,
});
const append = (tablet: string, records: LogRecord[]): PeerMessage => ({
  tablet: tabletId(tablet),
  epoch: epoch(1),
  version: version(1),
  body: {
    type: 'append',
    prevSeq: seq(records[0]!.seq - 1),
    prevEpoch: epoch(1),
    records,
    commit: seq(0),
  },
});
function recordsOf(tablet: string): LogRecord[] {
  return got.flatMap(({ message }) =>
    message.tablet === tablet && message.body.type === 'append' ? message.body.records : [],
  );
}

describe('a link between nodes', () => {
  it(`brings entries of a tablet in order, whatever the sizes of their parts (seed ${seed})`, async () => {
    const sizes = fc.sample(fc.array(fc.constantFrom(0, 10, 70 * KIB, 300 * KIB), { maxLength: 3 }), {
      seed,
      numRuns: 60,
    });
    const out = await connectedLink();
    const sent = sizes.map((parts, i) =>
      record(i + 1, ...parts.map((length, part) => Buffer.alloc(length, i * 3 + part)), undefined),
    );
    for (const one of sent) out.send(append('t-01', [one]));
    await vi.waitUntil(() => recordsOf('t-01').length === sent.length, { timeout: 10_000 });
    for (const [i, received] of recordsOf('t-01').entries()) {
      expect(received.seq).toBe(i + 1);
      received.parts.forEach((part, n) => {
        const original = sent[i]!.parts[n];
        expect(part === undefined ? undefined : Buffer.compare(part, original!)).toBe(original && 0);
      });
    }
  });

  it('holds back entries of one tablet only, while their parts are on their way', async () => {
    const [entries, parts] = [await dialled('entries'), await dialled('parts')];
    entries.send(['append', 't-01', 1, 1, 0, 0, 0, [[1, 1, [7]]]], [Buffer.from('large')]);
    entries.send(['append', 't-01', 1, 1, 1, 1, 0, [[2, 1, []]]], [Buffer.from('behind')]);
    entries.send(['append', 't-02', 1, 1, 0, 0, 0, [[1, 1, []]]], [Buffer.from('other')]);
    await vi.waitUntil(() => recordsOf('t-02').length === 1);
    expect(recordsOf('t-01')).toEqual([]);
    parts.send(['part', 7], [Buffer.from('bytes')]);
    await vi.waitUntil(() => recordsOf('t-01').length === 2);
    expect(recordsOf('t-01').map((r) => r.seq)).toEqual([1, 2]);
  });

  it('says once a turn how far a tablet has come, and nothing of it after what followed', async () => {
    const out = await connectedLink();
    const say = (tablet: string, at: number, body: PeerMessage['body']): void =>
      out.send({ tablet: tabletId(tablet), epoch: epoch(at), version: version(1), body });
    const ack = (match: number): PeerMessage['body'] => ({ type: 'ack', match: seq(match) });
    for (const match of [1, 2, 5, 4]) say('t-01', 1, ack(match));
    say('t-02', 1, ack(9));
    say('t-01', 2, ack(3));
    say('t-01', 2, { type: 'withdraw', at: 1 });
    say('t-01', 2, ack(0));
    await vi.waitUntil(() => got.length >= 5, { timeout: 10_000 });
    const said = got.map(({ message: { tablet, epoch: at, body } }) => [tablet, at, body.type, 'match' in body && body.match]); // prettier-ignore
    expect(said).toEqual([
      ['t-01', 1, 'ack', 5],
      ['t-02', 1, 'ack', 9],
      ['t-01', 2, 'ack', 3],
      ['t-01', 2, 'withdraw', false],
      ['t-01', 2, 'ack', 0],
    ]);
  });

  it('tells what the wall clock of the node shows, on the control connection alone', async () => {
    const out = await connectedLink();
    out.sendClock(1_800_000_000_000.5);
    await vi.waitUntil(() => clocks.length === 1);
    expect(clocks).toEqual([{ from: 'node-1', wall: 1_800_000_000_000.5 }]);
    for (const purpose of ['entries', 'parts'] as const) {
      const wrong = await dialled(purpose, 'node-1', `clock on ${purpose}`);
      wrong.send(['clock', 5]);
      await vi.waitUntil(() => !wrong.open);
    }
    expect(clocks).toHaveLength(1);
  });

  it('splits an append that is longer than a frame may be', async () => {
    const out = await connectedLink();
    const many = Array.from({ length: 40 }, (_, i) =>
      record(i + 1, ...Array.from({ length: 60 }, () => Buffer.alloc(60 * KIB, i))),
    );
    out.send(append('t-01', many));
    await vi.waitUntil(() => recordsOf('t-01').length === 40, { timeout: 15_000 });
    const bodies = got.map(({ message }) => message.body);
    for (const body of bodies) {
      if (body.type === 'append' && body.records[0]) expect(body.prevSeq).toBe(body.records[0].seq - 1);
    }
    expect(bodies.length).toBeGreaterThan(1);
  });

  it('closes all three connections when one breaks, dials again and says so', async () => {
    let connected = 0;
    const accepted: Connection[] = [];
    onReady = (connection) => {
      accepted.push(connection);
      incoming.add(connection);
    };
    link(() => connected++);
    await vi.waitUntil(() => connected === 1);
    accepted.find((c) => c.hello.purpose === 'parts')!.close('it broke');
    await vi.waitUntil(() => connected === 2);
    expect(accepted.slice(0, 3).map((c) => c.open)).toEqual([false, false, false]);
  });

  it('takes a new link of a peer in place of its old one', async () => {
    const old = await dialled('control', 'node-1', 'first');
    await dialled('control', 'node-1', 'second');
    await vi.waitUntil(() => !old.open);
  });

  it('is refused to who is no node of the cluster', async () => {
    const stranger = await dialled('entries', 'node-99');
    await vi.waitUntil(() => !stranger.open);
    expect(got).toEqual([]);
  });

  it('is closed when the peer stops reading, before its backlog fills the memory', async () => {
    onReady = (connection) => connection.pause();
    const out = await connectedLink();
    const part = Buffer.alloc(16 * MIB);
    let sent = 0;
    while (out.connected && sent < 100) {
      out.send(append('t-01', [record(++sent, part)]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sent).toBeLessThan(25);
  });
});

/** Any value that msgpack can carry, as a field of a message or in one. */
const nonsense = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom<unknown>(null, true, '', 't-01', -1, 0, 1, 1.5, NaN, Infinity, 2 ** 60),
  },
  { weight: 1, arbitrary: fc.anything({ maxDepth: 3, withNullPrototype: false }) },
  {
    weight: 2,
    arbitrary: fc.array(fc.array(fc.oneof(fc.nat(3), fc.string(), fc.constant(null))), { maxLength: 3 }),
  },
);
const types = ['append', 'ack', 'nack', 'beacon', 'beaconAck', 'configure', 'askConfiguration', 'query'];
const malformedMessage = fc.record({
  fields: fc
    .tuple(
      fc.oneof(fc.constantFrom(...types, 'queryReply', 'full', 'withdraw', 'withdrawn'), nonsense),
      fc.oneof(fc.constant('t-01'), nonsense),
      fc.oneof(fc.constant(1), nonsense),
      fc.oneof(fc.constant(1), nonsense),
      fc.array(nonsense, { maxLength: 5 }),
    )
    .map(([type, tablet, e, v, body]) => [type, tablet, e, v, ...body]),
  blobs: fc.array(fc.uint8Array({ maxLength: 8 }), { maxLength: 2 }),
});

describe('what an authenticated peer may send', () => {
  it(`is a sound message or refused as malformed, whatever the fields hold (seed ${seed})`, () => {
    let sound = 0;
    fc.assert(
      fc.property(malformedMessage, ({ fields, blobs }) => {
        let frame: Buffer;
        try {
          frame = Buffer.concat(encodeFrame(fields, blobs));
        } catch {
          return; // no frame can hold it
        }
        try {
          for (const message of new FrameReader().push(frame)) {
            partsNeeded(message);
            expectSound(decodeMessage(message, new Map()));
            sound++;
          }
        } catch (error) {
          expect(error).toMatchObject({ name: 'Fault', code: 'Malformed' });
        }
      }),
      { seed, numRuns: 12_000 },
    );
    expect(sound).toBeGreaterThan(100);
  });

  it(`closes the link at worst, also as random or cut off bytes (seed ${seed})`, async () => {
    const frames = fc.sample(fc.oneof(malformedMessage, fc.uint8Array({ minLength: 8, maxLength: 64 })), {
      seed,
      numRuns: 300,
    });
    for (const [i, frame] of frames.entries()) {
      const purpose = (['entries', 'parts', 'control'] as const)[i % 3]!;
      const connection = await dialled(purpose, 'node-1', `link ${i}`);
      const closed = new Promise<void>((resolve) => (connection.onClose = () => resolve()));
      try {
        if (frame instanceof Uint8Array) connection.send(['append', 't-01'], [frame]);
        else connection.send(frame.fields, frame.blobs);
        connection.send(['no message', i]);
      } catch {
        connection.send(['no message', i]);
      }
      await closed;
    }
    for (const { message } of got) expectSound(message);
    const out = await connectedLink();
    out.send(append('t-99', [record(1)]));
    await vi.waitUntil(() => recordsOf('t-99').length === 1);
  });
});

/** What the core relies on. */
function expectSound({ epoch, version, body }: PeerMessage): void {
  const numbers: unknown[] = [epoch, version];
  if (body.type === 'append') {
    numbers.push(body.prevSeq, body.prevEpoch, body.commit);
    body.records.forEach((r, i) => {
      if (r.seq !== body.prevSeq + 1 + i) throw new Error('a gap');
      numbers.push(r.seq, r.epoch);
    });
  } else if (body.type === 'nack') numbers.push(...body.ends.flatMap((end) => [end.epoch, end.end]));
  else if (body.type === 'ack') numbers.push(body.match);
  else if (body.type === 'beacon') numbers.push(body.commit);
  else if (body.type === 'queryReply') numbers.push(body.last.epoch, body.last.end);
  if (!numbers.every((n) => Number.isSafeInteger(n) && (n as number) >= 0)) throw new Error('not a number');
}
