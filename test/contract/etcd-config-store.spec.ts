/** What the etcd adapter promises beyond the contract: while members die, stand still or are all away. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { CompareAndSet } from '../../storage-nodes/master/config-store.ts';
import { EtcdConfigStore } from '../../storage-nodes/master/etcd-config-store.ts';
import { EtcdElection } from '../../storage-nodes/master/etcd-election.ts';
import { EtcdGateway } from '../../storage-nodes/master/etcd-gateway.ts';
import type { Configuration } from '../../storage-nodes/replication/configuration.ts';
import { epoch } from '../../storage-nodes/words.ts';
import pino from 'pino';
import { generate } from 'selfsigned';
import { after, first, NODES } from './configurations.ts';
import { startEtcd, type EtcdCluster } from './etcd-cluster.ts';
import { openWire, type EtcdWire } from './etcd-wire.ts';

const ALL = [0, 1, 2];
const logger = pino({ level: 'silent' });

let etcd: EtcdCluster;
let prefix: string;
let number = 0;
const opened: EtcdConfigStore[] = [];

beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd?.stop());
beforeEach(() => {
  prefix = `/test-${number++}/`;
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

/** A master's store of its own; each begins with another member. */
async function open(begin = 0): Promise<EtcdConfigStore> {
  const endpoints = ALL.map((i) => etcd.endpoints[(i + begin) % ALL.length]!);
  const store = new EtcdConfigStore({ endpoints, prefix });
  opened.push(store);
  await store.open();
  return store;
}

/** Asked again until the answer is certain, as the core does. */
async function certain(store: EtcdConfigStore, next: Configuration): Promise<CompareAndSet> {
  for (;;) {
    const answer = await store.compareAndSet(next);
    if (answer.outcome === 'stored' || answer.outcome === 'refused') return answer;
  }
}

/** One round: each store asks for another successor, all at once. Resolves with the only one stored. */
async function race(stores: readonly EtcdConfigStore[], current: Configuration): Promise<Configuration> {
  const rivals = stores.map((_, i) =>
    after(current, {
      primary: NODES[i % 3]!,
      epoch: epoch(current.epoch + 1),
      replicas: NODES.slice(0, 3 + (i > 2 ? 1 : 0)),
    }),
  );
  const answers = await Promise.all(rivals.map((rival, i) => certain(stores[i]!, rival)));
  const winners = rivals.filter((_, i) => answers[i]!.outcome === 'stored');
  expect(winners).toHaveLength(1);
  for (const answer of answers) if (answer.outcome === 'refused') expect(answer.current).toEqual(winners[0]);
  return winners[0]!;
}

describe('races for the successor of a configuration', () => {
  test(
    'have exactly one winner each in 300 rounds of five rivals at different members',
    { timeout: 60_000 },
    async () => {
      const stores = await Promise.all([0, 1, 2, 0, 1].map(open));
      let current = first();
      await stores[0]!.compareAndSet(current);
      for (let round = 0; round < 300; round++) current = await race(stores, current);
      expect(current.version).toBe(301);
      expect(await stores[2]!.get(current.tablet)).toEqual(current);
    },
  );

  test(
    'have exactly one winner each while the leader is killed, again and again',
    { timeout: 120_000 },
    async () => {
      const stores = await Promise.all([0, 1, 2].map(open));
      const heard: number[] = [];
      stores[1]!.watch(({ version }) => heard.push(version));
      let current = first();
      await stores[0]!.compareAndSet(current);
      for (let kills = 0; kills < 5; kills++) {
        const leader = await etcd.settled();
        let isDead = false;
        const killed = etcd.kill(leader).then(() => (isDead = true));
        for (let round = 0; round < 8 || !isDead; round++) current = await race(stores, current);
        await killed;
        etcd.start(leader);
        for (let round = 0; round < 4; round++) current = await race(stores, current);
      }
      await etcd.settled();
      expect(await stores[0]!.get(current.tablet)).toEqual(current);
      await vi.waitFor(() => expect(heard.at(-1)).toBe(current.version), 20_000);
      expect(heard).toEqual([...heard].sort((a, b) => a - b));
    },
  );
});

describe('a store whose members fail', () => {
  test('goes on with a member down, and with another one frozen instead', { timeout: 60_000 }, async () => {
    const store = await open(1);
    let current = first();
    await store.compareAndSet(current);
    await etcd.kill(1);
    expect(await certain(store, (current = after(current)))).toEqual({ outcome: 'stored' });
    etcd.start(1);
    await etcd.settled();
    etcd.freeze(2);
    try {
      const other = await open(2);
      expect(await certain(other, (current = after(current)))).toEqual({ outcome: 'stored' });
      expect(await other.get(current.tablet)).toEqual(current);
    } finally {
      etcd.thaw(2);
    }
    await etcd.settled();
  });

  test(
    'is heard of through another member when the one that is watched stands still',
    { timeout: 60_000 },
    async () => {
      const [watching, other] = [await open(0), await open(1)];
      const heard: number[] = [];
      watching.watch(({ version }) => heard.push(version));
      let current = first();
      await other.compareAndSet(current);
      await vi.waitFor(() => expect(heard).toEqual([1]));
      etcd.freeze(0);
      try {
        await etcd.settled([1, 2]);
        expect(await certain(other, (current = after(current)))).toEqual({ outcome: 'stored' });
        await vi.waitFor(
          async () => {
            await watching.all();
            expect(heard).toEqual([1, 2]);
          },
          { timeout: 20_000, interval: 200 },
        );
      } finally {
        etcd.thaw(0);
      }
      await etcd.settled();
    },
  );

  test(
    'says that nothing was sent when no member is there, ambiguous when none has a majority, and goes on once they are back',
    { timeout: 60_000 },
    async () => {
      const store = await open();
      const heard: number[] = [];
      store.watch(({ version }) => heard.push(version));
      let current = first();
      await store.compareAndSet(current);
      await vi.waitFor(() => expect(heard).toEqual([1]));
      await Promise.all(ALL.map((i) => etcd.kill(i)));
      const next = after(current);
      expect(await store.compareAndSet(next)).toMatchObject({
        outcome: 'unsent',
        reason: expect.stringContaining('not reachable'),
      });
      await expect(store.all()).rejects.toMatchObject({ code: 'Unavailable' });
      await expect(store.get(current.tablet)).rejects.toMatchObject({ code: 'Unavailable' });
      etcd.start(0);
      expect(['unsent', 'ambiguous']).toContain((await store.compareAndSet(next)).outcome);
      etcd.start(1);
      etcd.start(2);
      await etcd.settled();
      expect(await certain(store, (current = next))).toEqual({ outcome: 'stored' });
      await vi.waitFor(() => expect(heard).toEqual([1, 2]), 20_000);
    },
  );

  test('reads everything anew where what it followed was compacted away meanwhile', async () => {
    const watching = new EtcdConfigStore({ endpoints: [etcd.endpoints[0]!], prefix });
    opened.push(watching);
    await watching.open();
    const other = await open(1);
    const heard: number[] = [];
    watching.watch(({ version }) => heard.push(version));
    let current = first();
    await other.compareAndSet(current);
    await vi.waitFor(() => expect(heard).toEqual([1]));
    await etcd.kill(0);
    for (let i = 0; i < 4; i++)
      expect(await certain(other, (current = after(current)))).toEqual({ outcome: 'stored' });
    const gateway = new EtcdGateway({ endpoints: etcd.endpoints });
    const { header } = (await gateway.call('/v3/kv/range', { key: 'AA==' }, 5000)) as {
      header: { revision: string };
    };
    await gateway.call('/v3/kv/compaction', { revision: header.revision }, 5000);
    gateway.close();
    etcd.start(0);
    await vi.waitFor(() => expect(heard.at(-1)).toBe(5), 20_000);
    expect(heard).toEqual([1, 5]);
    expect(await certain(other, after(current))).toEqual({ outcome: 'stored' });
    await vi.waitFor(() => expect(heard).toEqual([1, 5, 6]));
  });
});

describe('a transaction whose answer is lost', () => {
  let wire: EtcdWire;
  let store: EtcdConfigStore;
  beforeEach(async () => {
    wire = await openWire(etcd.endpoints[0]!);
    store = new EtcdConfigStore({ endpoints: [wire.url], prefix });
    opened.push(store);
    await store.open();
    await store.compareAndSet(first());
  });
  afterEach(() => wire.close());

  test('is sent again: stored, once, if an answer comes in time', async () => {
    const heard: number[] = [];
    store.watch(({ version }) => heard.push(version));
    wire.loseAnswers(1);
    expect(await store.compareAndSet(after(first()))).toEqual({ outcome: 'stored' });
    await vi.waitFor(() => expect(heard.at(-1)).toBe(2));
    expect(heard.filter((version) => version === 2)).toHaveLength(1);
  });

  test('is ambiguous if none does, and known when it is asked again', async () => {
    const next = after(first());
    wire.loseAnswers(Infinity);
    expect(await store.compareAndSet(next)).toMatchObject({ outcome: 'ambiguous' });
    wire.loseAnswers(0);
    expect(await store.compareAndSet(next)).toEqual({ outcome: 'stored' });
    expect(await store.get(next.tablet)).toEqual(next);
  });

  test('is ambiguous while it is on its way, and does nothing if it arrives behind a rival', async () => {
    const late = after(first(), { inSync: NODES.slice(0, 2) });
    const rival = after(first(), { inSync: NODES.slice(0, 1) });
    wire.holdTransactions();
    expect(await store.compareAndSet(late)).toMatchObject({ outcome: 'ambiguous' });
    const other = await open(1);
    expect(await other.compareAndSet(rival)).toEqual({ outcome: 'stored' });
    expect(await wire.release()).toBeGreaterThan(0);
    expect(await store.compareAndSet(late)).toEqual({ outcome: 'refused', current: rival });
    expect(await other.get(rival.tablet)).toEqual(rival);
  });

  test('takes effect if it arrives before any rival, which is then refused', async () => {
    const late = after(first(), { inSync: NODES.slice(0, 2) });
    wire.holdTransactions();
    expect(await store.compareAndSet(late)).toMatchObject({ outcome: 'ambiguous' });
    await wire.release();
    const other = await open(1);
    const rival = after(first(), { inSync: NODES.slice(0, 1) });
    expect(await other.compareAndSet(rival)).toEqual({ outcome: 'refused', current: late });
  });
});

describe('the election of the active master', () => {
  const elect = (name: string): EtcdElection => {
    const election = new EtcdElection({ endpoints: etcd.endpoints, prefix, name, logger });
    election.start();
    return election;
  };

  test('has one winner, and another when that one leaves', { timeout: 60_000 }, async () => {
    const [a, b] = [elect('a'), elect('b')];
    await vi.waitFor(() => expect([a, b].filter(({ isActive }) => isActive)).toHaveLength(1), 10_000);
    const [first, second] = a.isActive ? [a, b] : [b, a];
    await first.stop();
    expect(first.isActive).toBe(false);
    await vi.waitFor(() => expect(second.isActive).toBe(true), 10_000);
    await second.stop();
  });
});

describe('an etcd cluster that asks who is there', () => {
  test(
    'is entered with a name and a password, also when the token has run out',
    { timeout: 60_000 },
    async () => {
      const guarded = await startEtcd(1);
      try {
        const root = new EtcdGateway({ endpoints: guarded.endpoints });
        await root.call('/v3/auth/user/add', { name: 'root', password: 'secret' }, 5000);
        await root.call('/v3/auth/user/grant', { user: 'root', role: 'root' }, 5000);
        await root.call('/v3/auth/enable', {}, 5000);
        root.close();

        const stranger = new EtcdConfigStore({ endpoints: guarded.endpoints, prefix });
        opened.push(stranger);
        await stranger.open();
        await expect(stranger.all()).rejects.toMatchObject({
          code: 'Unavailable',
          message: expect.stringContaining('user name is empty'),
        });

        const store = new EtcdConfigStore({
          endpoints: guarded.endpoints,
          prefix,
          credentials: { user: 'root', password: 'secret' },
        });
        opened.push(store);
        await store.open();
        expect(await store.compareAndSet(first())).toEqual({ outcome: 'stored' });
        // Simple tokens do not outlive their member.
        await guarded.kill(0);
        guarded.start(0);
        await vi.waitFor(async () => expect(await store.get(first().tablet)).toEqual(first()), 20_000);
        expect(await store.compareAndSet(after(first()))).toEqual({ outcome: 'stored' });
      } finally {
        await guarded.stop();
      }
    },
  );
});

describe('an etcd cluster behind TLS', () => {
  test('is entered with a certificate, and by nobody without one', { timeout: 60_000 }, async () => {
    const made = await generate([{ name: 'commonName', value: 'etcd for tests' }], {
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, keyCertSign: true },
        { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
        { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
      ],
    });
    const [cert, key, ca] = [made.cert, made.private, made.cert];
    const guarded = await startEtcd(1, { cert, key });
    try {
      const { endpoints } = guarded;
      for (const tls of [{}, { ca }]) {
        const stranger = new EtcdConfigStore({ endpoints, prefix, tls });
        opened.push(stranger);
        await stranger.open();
        await expect(stranger.all()).rejects.toMatchObject({ code: 'Unavailable' });
      }
      const store = new EtcdConfigStore({ endpoints, prefix, tls: { ca, cert, key } });
      opened.push(store);
      await store.open();
      const heard: number[] = [];
      store.watch(({ version }) => heard.push(version));
      expect(await store.compareAndSet(first())).toEqual({ outcome: 'stored' });
      expect(await store.get(first().tablet)).toEqual(first());
      await vi.waitFor(() => expect(heard).toEqual([1]));
    } finally {
      await guarded.stop();
    }
  });
});
