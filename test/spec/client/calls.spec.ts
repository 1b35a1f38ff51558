/** How a caller gets to the primary, whoever it is: over real sockets, at nodes that follow a script. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CommandRequest } from '../../../storage-nodes/client/client.ts';
import { createStoreClient, type TcpStoreClient } from '../../../storage-nodes/client/store-client.ts';
import { Fault } from '../../../storage-nodes/faults.ts';
import { canonical } from '../../../storage-nodes/replication/configuration.ts';
import { accept } from '../../../storage-nodes/wire/connection.ts';
import { serve, type Answer, type Handler } from '../../../storage-nodes/wire/requests.ts';
import { epoch, nodeId, tabletId, version } from '../../../storage-nodes/words.ts';

const SECRET = 'a secret';
const logger = pino({ level: 'silent' });
const IDS = ['a', 'b', 'c'] as const;
type Id = (typeof IDS)[number];
const never = new Promise<Answer>(() => {});

/** A node that knows a map, answers as told, and counts what it is asked. */
class Scripted {
  readonly asked: string[] = [];
  map: () => Promise<Answer> | Answer = () => knows('a', 1);
  execute: Handler = () => done(1);
  port = 0;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  async start(): Promise<void> {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      accept(socket, SECRET, logger, (connection) => serve(connection, this.#handlers, () => {}));
    });
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as { port: number }).port;
  }

  /** As when its process is killed. */
  async die(): Promise<void> {
    const closed = this.#server && once(this.#server, 'close');
    this.#server?.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
    this.#server = undefined;
  }

  readonly #handlers: Record<string, Handler> = {
    map: () => {
      this.asked.push('map');
      return this.map();
    },
    execute: (...request) => {
      this.asked.push('execute');
      return this.execute(...request);
    },
  };
}

const done = (seq: number): Answer => ({ results: [seq, 1, null], blobs: [] });
function knows(primary: Id, at: number): Answer {
  const configuration = canonical({
    tablet: tabletId('t-01'),
    version: version(at),
    epoch: epoch(at),
    lineage: 0,
    primary: nodeId(primary),
    inSync: IDS.map(nodeId),
    replicas: IDS.map(nodeId),
    range: { from: '', to: null },
    predecessor: '',
  });
  return { results: [[configuration]], blobs: [] };
}
const notPrimary = (hint: Id): never => {
  throw new Fault('NotPrimary', `${hint} is the primary`, { hint });
};

const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 10_000 });

let nodes: Record<Id, Scripted>;
let client: TcpStoreClient;
let commands = 0;
const put = (deadlineMs?: number) => client.execute(command(), deadlineMs ? { deadlineMs } : {});
const command = (): CommandRequest => ({
  id: `id-${++commands}`,
  expiresAt: Date.now() + 60_000,
  stream: 'row',
  type: 'kv.Put',
  data: { column: 'c' },
  parts: [Buffer.from('value')],
  actor: 'test',
  session: '',
  action: 'Put',
});
const all = () => IDS.map((id) => nodes[id]);
const forget = (): void => all().forEach(({ asked }) => (asked.length = 0));

beforeEach(async () => {
  nodes = { a: new Scripted(), b: new Scripted(), c: new Scripted() };
  for (const node of all()) await node.start();
  const addresses = IDS.map((id) => ({ id, host: '127.0.0.1', port: nodes[id].port }));
  client = createStoreClient({ nodes: addresses, secret: SECRET, clientId: 'test', logger });
  await put();
  forget();
});
afterEach(async () => {
  await client.close();
  for (const node of all()) await node.die();
});

describe('a caller', () => {
  it('asks nobody but the primary, and for no map, as long as it answers', async () => {
    let prompt = 0;
    for (let i = 0; i < 20; i++) {
      forget();
      const began = performance.now();
      await put();
      // On a busy machine an answer may be late: then the client looks around, as it should.
      if (performance.now() - began > 300) continue;
      expect(all().map(({ asked }) => asked)).toEqual([['execute'], [], []]);
      prompt++;
    }
    expect(prompt).toBeGreaterThan(0);
  });

  it('hears of the new primary from the others as soon as its connection is reset', async () => {
    nodes.a.execute = () => never;
    const asked = put();
    await until(() => nodes.a.asked.length === 1);
    for (const id of ['b', 'c'] as const) nodes[id].map = () => knows('b', 2);
    nodes.b.execute = () => done(2);
    await nodes.a.die();
    expect((await asked).seq).toBe(2);
    expect(nodes.b.asked.filter((what) => what === 'execute')).toHaveLength(1);
    expect(nodes.b.asked[0]).toBe('map');
  });

  it('goes on with the news of the first node that has any, however silent the others are', async () => {
    nodes.a.execute = () => never;
    const asked = put();
    await until(() => nodes.a.asked.length === 1);
    nodes.c.map = () => never;
    let tell = (_: Answer): void => {};
    nodes.b.map = () => new Promise((resolve) => (tell = resolve));
    await nodes.a.die();
    await until(() => nodes.b.asked.includes('map'));
    tell(knows('b', 2));
    await asked;
    expect(nodes.b.asked.filter((what) => what === 'execute')).toHaveLength(1);
    expect(nodes.b.asked[0]).toBe('map');
  });

  it('follows a hint at once, without asking for the map', async () => {
    nodes.a.execute = () => notPrimary('b');
    expect((await put()).seq).toBe(1);
    expect(nodes.a.asked).toEqual(['execute']);
    expect(nodes.b.asked).toEqual(['execute']);
    expect(nodes.c.asked).toEqual([]);
  });

  it('asks two nodes that name each other ever more slowly, until the deadline', async () => {
    nodes.a.execute = () => notPrimary('b');
    nodes.b.execute = () => notPrimary('a');
    await expect(put(500)).rejects.toMatchObject({ code: 'Unavailable' });
    const attempts = [...nodes.a.asked, ...nodes.b.asked].filter((kind) => kind === 'execute');
    expect(attempts.length).toBeGreaterThan(3);
    expect(attempts.length).toBeLessThan(25);
  });

  it('leaves a node that stands still for one that the map names, and takes the first answer', async () => {
    nodes.a.execute = () => never;
    for (const id of ['b', 'c'] as const) nodes[id].map = () => knows('b', 2);
    nodes.b.execute = () => done(7);
    expect((await put()).seq).toBe(7);
    expect(nodes.a.asked.filter((kind) => kind === 'execute')).toHaveLength(1);
  });

  it('takes the answer of a node that it had left', async () => {
    let late = (_: Answer): void => {};
    nodes.a.execute = () => new Promise((resolve) => (late = resolve));
    for (const id of ['b', 'c'] as const) nodes[id].map = () => knows('b', 2);
    nodes.b.execute = () => never;
    const asked = put();
    await until(() => nodes.b.asked.includes('execute'));
    late(done(5));
    expect((await asked).seq).toBe(5);
  });

  it('is told why there was no answer before its deadline', async () => {
    nodes.a.execute = () => {
      throw new Fault('NotServing', 'it is being repaired');
    };
    await expect(put(1000)).rejects.toMatchObject({
      code: 'Unavailable',
      message: 'no answer within 1000 ms: it is being repaired',
    });
    nodes.a.execute = () => never;
    await expect(put(200)).rejects.toMatchObject({ code: 'Unavailable' });
  });

  it('is told at once when the client is closed', async () => {
    nodes.a.execute = () => never;
    const asked = put();
    const told = expect(asked).rejects.toMatchObject({ code: 'Closed' });
    await client.close();
    await told;
    await expect(put()).rejects.toMatchObject({ code: 'Closed' });
  });
});

describe('many callers', () => {
  it('ask each node for the map once at a time between them, and all go on with the news', async () => {
    nodes.a.execute = () => never;
    const asked = Array.from({ length: 300 }, () => put());
    await until(() => nodes.a.asked.length === 300);
    let pending = 0;
    let most = 0;
    const tell: (() => void)[] = [];
    for (const id of ['b', 'c'] as const) {
      nodes[id].map = async () => {
        most = Math.max(most, ++pending);
        await new Promise<void>((resolve) => tell.push(resolve));
        pending--;
        return knows('b', 2);
      };
    }
    nodes.b.execute = () => done(2);
    await nodes.a.die();
    await until(() => tell.length === 2);
    for (const answer of tell) answer();
    const answers = await Promise.all(asked);
    expect(answers.every(({ seq }) => seq === 2)).toBe(true);
    expect(most).toBe(2);
    expect(nodes.b.asked.filter((kind) => kind === 'execute')).toHaveLength(300);
  });

  it('do not storm nodes while there is no primary', async () => {
    nodes.a.execute = () => {
      throw new Fault('NotServing', 'not yet');
    };
    const asked = Array.from({ length: 100 }, () => put());
    await until(() => nodes.b.asked.length >= 10);
    nodes.a.execute = () => done(3);
    await Promise.all(asked);
    const maps = nodes.b.asked.filter((kind) => kind === 'map').length;
    const attempts = nodes.a.asked.filter((kind) => kind === 'execute').length;
    // A round of asking for the map takes 25 ms and more, a caller's back-off grows to 100 ms.
    expect(attempts / 100).toBeLessThan(maps + 5);
  });
});
