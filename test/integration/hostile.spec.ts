/**
 * Bad input at the ports of a real node and a real master: strangers without the secret, and what one that
 * has it (a program gone wrong) may send. Whoever breaks the protocol is cut off with exactly one log line;
 * the store stays as it was, and serves.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Fault } from '../../storage-nodes/faults.ts';
import type { Purpose } from '../../storage-nodes/wire/connection.ts';
import { encodeFrame, FrameReader, type Message } from '../../storage-nodes/wire/frame.ts';
import { decodeClock, decodeMessage, partsNeeded } from '../../storage-nodes/wire/peer-codec.ts';
import { Hostile, SAMPLES, type Sample } from '../spec/wire/hostile.ts';
import { SECRET, startLocalStore, type LocalStore } from './local-store.ts';

const seed = Number(process.env['PENNCLOUD_SEED'] ?? Date.now() % 2 ** 31);
const MIB = 1024 * 1024;
const WARN = 40;
const KINDS: Record<'node' | 'master', readonly string[]> = {
  node: ['execute', 'read', 'part', 'log', 'map', 'tablets', 'digest'],
  master: ['config.all', 'config.cas', 'config.watch'],
};
const ROWS = ['apple', 'melon', 'zebra'];

let store: LocalStore;
let port: Record<'node' | 'master', number>;
/** What node-1 and the master wrote down, by the address of the other side. */
let lines: { level: number; peer?: string; msg: string; reason?: string }[];

beforeAll(async () => {
  lines = [];
  store = await startLocalStore({
    onLine: (id, line) => {
      const heard = JSON.parse(line) as (typeof lines)[number];
      if ((id === 'node-1' || id === 'master') && heard.level >= WARN) lines.push(heard);
    },
  });
  await store.settled();
  for (const row of ROWS) await put(row, `value of ${row}`);
  // Its name and its links are free for an impostor.
  await store.stopNode('node-3');
  await store.settled(2);
  for (const row of ROWS) await put(row, `newer value of ${row}`);
  port = { node: store.nodes[0]!.port, master: store.master.port };
}, 60_000);
afterAll(() => store?.stop());

let commands = 0;
const put = (row: string, value: string) =>
  store.client.execute({
    id: `hostile-${++commands}`,
    expiresAt: Date.now() + 600_000,
    stream: row,
    type: 'kv.Put',
    data: { column: 'c' },
    parts: [Buffer.from(value)],
    actor: 'test',
    session: '',
    action: 'Put',
  });

/** All that must not change. */
async function state() {
  const tablets = await store.client.tablets();
  await vi.waitUntil(
    async () => {
      const [one, two] = [await store.client.nodeTablets('node-1'), await store.client.nodeTablets('node-2')];
      const applied = new Map(two.map((t) => [t.tablet, t.applied]));
      return one.every((t) => t.applied === t.last && t.last === applied.get(t.tablet));
    },
    { timeout: 20_000 },
  );
  const digests = await Promise.all(
    tablets.flatMap(({ id }) => ['node-1', 'node-2'].map((node) => store.client.nodeDigest(node, id))),
  );
  const values = await Promise.all(
    ROWS.map(async (row) => {
      const { results } = await store.client.read(row, [{ get: { row, column: 'c' } }]);
      return (await store.client.bytes(results[0]![0]!)).toString();
    }),
  );
  return { tablets, digests, values };
}

/** A connection whose bytes are the test's own. */
class Raw {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  nonce: Buffer = Buffer.alloc(32);
  /** Ports are used again: what was written before is another's. */
  readonly #since = lines.length;
  readonly #reader = new FrameReader();
  readonly #got: Message[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => {});
    socket.on('data', (chunk) => this.#got.push(...this.#reader.push(chunk)));
  }

  /** Resolves once it is challenged. */
  static async open(at: 'node' | 'master'): Promise<Raw> {
    const socket = connect(port[at], '127.0.0.1');
    const raw = new Raw(socket);
    await once(socket, 'connect');
    const { fields } = await raw.next();
    raw.nonce = Buffer.from(fields[2] as Uint8Array);
    raw.address = `127.0.0.1:${socket.localPort}`;
    return raw;
  }
  /** As the log names this side. */
  address = '';

  async next(): Promise<Message> {
    while (this.#got.length === 0) await once(this.socket, 'data');
    return this.#got.shift()!;
  }

  hello({ purpose = 'client', id = 'stranger', link = 'l', secret = SECRET, protocol = 1 } = {}): Buffer {
    const mine = randomBytes(32);
    const proof = createHmac('sha256', secret)
      .update('dial')
      .update(this.nonce)
      .update(mine)
      .update(JSON.stringify([purpose, id, link]))
      .digest();
    return Buffer.concat(encodeFrame(['hello', protocol, mine, purpose, id, link, proof]));
  }

  static async welcomed(at: 'node' | 'master', purpose: Purpose, id: string, link: string): Promise<Raw> {
    const raw = await Raw.open(at);
    raw.socket.write(raw.hello({ purpose, id, link }));
    expect((await raw.next()).fields[0]).toBe('welcome');
    return raw;
  }

  /** Says this and no more; resolves when the connection is closed on both sides. */
  async say(bytes: Buffer): Promise<void> {
    this.socket.end(bytes);
    await this.closed;
  }

  async linesOfIt(expected: number): Promise<void> {
    const own = (): typeof lines => lines.slice(this.#since).filter(({ peer }) => peer === this.address);
    if (expected > 0) await vi.waitUntil(() => own().length >= expected, { timeout: 20_000 });
    const said = own().map(({ msg, reason }) => `${msg}: ${reason}`);
    expect(said, said.join('; ')).toHaveLength(expected);
  }
}

/** The messages of a connection up to where it breaks the protocol, if it does, by the real parsers. */
function judged(bytes: Buffer, check: (message: Message) => void): { sound: Message[]; breaks: boolean } {
  const reader = new FrameReader();
  const sound: Message[] = [];
  try {
    for (const message of reader.push(bytes)) {
      check(message);
      sound.push(message);
    }
    return { sound, breaks: reader.isWithinFrame };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { sound, breaks: true };
  }
}

function checkRequest(at: 'node' | 'master'): (message: Message) => void {
  return ({ fields: [word, id, kind] }) => {
    if (word !== 'ask' || !Number.isSafeInteger(id) || !KINDS[at].includes(kind as string))
      throw new Fault('Malformed', 'no request');
  };
}

/** As a link of one connection takes messages. */
function checkLinked(purpose: Purpose): (message: Message) => void {
  const numbers = new Set<unknown>();
  const held = new Set<unknown>();
  return (message) => {
    const [word, second] = message.fields;
    if (purpose === 'parts' && word === 'snapshotChunk') {
      decodeMessage(message, new Map());
    } else if (purpose === 'parts') {
      const isPart = word === 'part' && Number.isSafeInteger(second) && (second as number) > 0;
      if (!isPart || !message.blobs[0] || numbers.has(second)) throw new Fault('Malformed', 'no part');
      numbers.add(second);
    } else if (purpose === 'entries') {
      if (typeof second !== 'string') throw new Fault('Malformed', 'no tablet');
      if (partsNeeded(message).length > 0) held.add(second);
      if (!held.has(second)) decodeMessage(message, new Map());
    } else if (word === 'append') throw new Fault('Malformed', 'wrong connection');
    else if (decodeClock(message) === undefined) decodeMessage(message, new Map());
  };
}

describe.each(['node', 'master'] as const)('the port of a %s', (at) => {
  it('cuts off whoever has no proof, with one line each', async () => {
    const before = await state();
    const recorded = await Raw.open(at);
    const replayed = recorded.hello();
    await recorded.say(replayed.subarray(0, 20));
    const tooLong = Buffer.alloc(5000, 1);
    tooLong.writeUInt32BE(4996, 0);
    const sayings: ((raw: Raw) => Buffer)[] = [
      () => Buffer.from('GET / HTTP/1.1\r\nHost: penncloud\r\n\r\n'),
      () => tooLong,
      (raw) => raw.hello({ protocol: 2 }),
      (raw) => raw.hello({ secret: 'another' }),
      (raw) => raw.hello({ purpose: 'operator' }),
      (raw) => raw.hello().subarray(0, 60),
      (raw) => Buffer.concat([raw.hello(), Buffer.concat(encodeFrame(['ask', 1, 'map']))]),
      (raw) => Buffer.concat([raw.hello(), Buffer.from([0, 0])]),
      () => replayed,
      () => Buffer.concat(encodeFrame(['hello'])),
      () => Buffer.concat(encodeFrame(['ask', 1, 'map'])),
    ];
    for (const saying of sayings) {
      const raw = await Raw.open(at);
      await raw.say(saying(raw));
      await raw.linesOfIt(1);
    }
    const silent = await Raw.open(at);
    await silent.say(Buffer.alloc(0));
    await silent.linesOfIt(0);
    expect(await state()).toEqual(before);
  });

  it(`cuts off strangers that send anything (seed ${seed})`, async () => {
    const hostile = new Hostile(seed);
    const before = await state();
    for (let i = 0; i < 250; i++) {
      const raw = await Raw.open(at);
      await raw.say(hostile.frame());
      await raw.linesOfIt(1);
    }
    expect(await state()).toEqual(before);
  });

  it(`answers requests that make no sense, and cuts off what is none (seed ${seed})`, async () => {
    const hostile = new Hostile(seed + 1);
    const before = await state();
    const memory = process.memoryUsage();
    let [frames, broken] = [0, 0];
    for (let i = 0; i < 150; i++) {
      const raw = await Raw.welcomed(at, 'client', 'gone-wrong', '');
      const bent = Array.from({ length: hostile.random.below(250) }, () => hostile.bentArguments());
      if (hostile.random.chance(0.7)) bent.push(hostile.frame('client'), hostile.frame());
      const { breaks } = judged(Buffer.concat(bent), checkRequest(at));
      await raw.say(Buffer.concat(bent));
      await raw.linesOfIt(breaks ? 1 : 0);
      frames += bent.length;
      broken += breaks ? 1 : 0;
    }
    expect(frames).toBeGreaterThan(10_000);
    expect(broken).toBeGreaterThan(50);
    const now = process.memoryUsage();
    expect(now.heapUsed + now.external - memory.heapUsed - memory.external).toBeLessThan(200 * MIB);
    expect(await state()).toEqual(before);
  });
});

describe('the links of a node', () => {
  it('are refused to who is no node of the cluster', async () => {
    for (const purpose of ['control', 'entries', 'parts'] as const) {
      const raw = await Raw.welcomed('node', purpose, 'node-9', 'link');
      await raw.say(Buffer.concat(encodeFrame(['beacon', 't-01', 0, 0, 1, 1])));
      await raw.linesOfIt(1);
    }
  });

  it('take no message on a connection that is not for it', async () => {
    const { fields: part, blobs } = SAMPLES.find(({ purpose }) => purpose === 'parts')!;
    const wrong: Sample[] = [
      ...SAMPLES.filter(({ purpose }) => purpose === 'client').flatMap((sample) =>
        (['control', 'entries', 'parts'] as const).map((purpose) => ({ ...sample, purpose })),
      ),
      ...SAMPLES.filter(({ purpose }) => purpose !== 'client').map((s) => ({
        ...s,
        purpose: 'client' as const,
      })),
      ...SAMPLES.filter(({ purpose }) => purpose === 'control').map((s) => ({
        ...s,
        purpose: 'parts' as const,
      })),
      { ...SAMPLES[0]!, purpose: 'control' },
      { purpose: 'entries', fields: part, blobs },
      { purpose: 'control', fields: part, blobs },
    ];
    for (const [i, { purpose, fields, blobs }] of wrong.entries()) {
      if (purpose === 'client' && fields[0] === 'ask') continue;
      const raw = await Raw.welcomed('node', purpose, 'node-3', `wrong ${i}`);
      await raw.say(Buffer.concat(encodeFrame(fields, blobs)));
      await raw.linesOfIt(1);
    }
  });

  it(`are cut off when the peer sends nonsense (seed ${seed})`, async () => {
    const hostile = new Hostile(seed + 2);
    const before = await state();
    let [broken, whole] = [0, 0];
    for (let i = 0; i < 600; i++) {
      const purpose = hostile.random.pick(['control', 'entries', 'parts'] as const);
      const bent = Array.from({ length: 1 + hostile.random.below(3) }, () =>
        hostile.random.chance(0.4) ? hostile.bentBody(purpose) : hostile.frame(purpose),
      );
      const { sound, breaks } = judged(Buffer.concat(bent), checkLinked(purpose));
      // A peer that lies in sound messages of this epoch is none of the faults that replication survives.
      const ofNoEpoch = ['part', 'clock'];
      if (
        sound.some(
          ({ fields: [word, , epoch, version] }) =>
            !ofNoEpoch.includes(word as string) && (epoch !== 0 || version !== 0),
        )
      )
        continue;
      const raw = await Raw.welcomed('node', purpose, 'node-3', `bent ${i}`);
      await raw.say(Buffer.concat(bent));
      await raw.linesOfIt(breaks ? 1 : 0);
      if (breaks) broken++;
      else whole++;
    }
    expect(broken).toBeGreaterThan(200);
    expect(whole).toBeGreaterThan(20);
    expect(await state()).toEqual(before);
  });
});

describe('after all that', () => {
  it('nothing was written down as an error, nothing was fatal, and the store takes writes', async () => {
    expect(lines.filter(({ level }) => level >= 50)).toEqual([]);
    expect(store.fatal).toEqual([]);
    await put('apple', 'still served');
    await store.startNode('node-3');
    await store.settled(3);
  });
});
