/**
 * What every ConfigStore promises, run on each adapter (etcd's on a real cluster of three members); and
 * what the embedded one promises of its file. What etcd's promises while members die is in
 * etcd-config-store.spec.ts.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ConfigStore } from '../../storage-nodes/master/config-store.ts';
import { configurationHash } from '../../storage-nodes/master/configuration-hash.ts';
import { EtcdConfigStore } from '../../storage-nodes/master/etcd-config-store.ts';
import { EmbeddedConfigStore } from '../../storage-nodes/master/embedded-config-store.ts';
import type { Configuration } from '../../storage-nodes/replication/configuration.ts';
import type { FilePort } from '../../storage-nodes/log/files.ts';
import { realFiles } from '../../storage-nodes/log/real-files.ts';
import { epoch, tabletId, version } from '../../storage-nodes/words.ts';
import { after, first, NODES } from './configurations.ts';
import { startEtcd, type EtcdCluster } from './etcd-cluster.ts';

const [n1, n2, n3, n4] = NODES;

/** A fresh store each; `reopen` gives the same store after a restart. */
type Adapter = { store: ConfigStore; reopen: () => Promise<ConfigStore> };
const adapters: [string, (folder: string) => Promise<Adapter>][] = [
  [
    'EmbeddedConfigStore',
    async (folder) => {
      let store = new EmbeddedConfigStore({ folder });
      await store.open();
      const reopen = async (): Promise<ConfigStore> => {
        await store.close();
        store = new EmbeddedConfigStore({ folder });
        await store.open();
        return store;
      };
      return { store, reopen };
    },
  ],
  [
    'EtcdConfigStore',
    async (folder) => {
      const open = async (): Promise<ConfigStore> => {
        const store = new EtcdConfigStore({ endpoints: etcd.endpoints, prefix: `${folder}/` });
        await store.open();
        return store;
      };
      const store = await open();
      const reopen = async (): Promise<ConfigStore> => {
        await store.close();
        return open();
      };
      return { store, reopen };
    },
  ],
];

let etcd: EtcdCluster;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd?.stop());

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penncloud-config-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe.each(adapters)('%s', (_name, create) => {
  let store: ConfigStore;
  let reopen: Adapter['reopen'];
  beforeEach(async () => ({ store, reopen } = await create(folder)));
  afterEach(() => store.close());

  test('knows nothing at first', async () => {
    expect(await store.all()).toEqual([]);
    expect(await store.get(tabletId('t01'))).toBeUndefined();
  });

  test('stores a first configuration and its successors', async () => {
    const one = first();
    const two = after(one, { inSync: [n1, n2] });
    expect(await store.compareAndSet(one)).toEqual({ outcome: 'stored' });
    expect(await store.compareAndSet(two)).toEqual({ outcome: 'stored' });
    expect(await store.compareAndSet(first('t02'))).toEqual({ outcome: 'stored' });
    expect(await store.get(one.tablet)).toEqual(two);
    expect((await store.all()).map(({ tablet, version: v }) => [tablet, v])).toEqual([
      ['t01', 2],
      ['t02', 1],
    ]);
  });

  test('refuses what does not follow the current configuration, and answers with that', async () => {
    const one = first();
    const two = after(one, { inSync: [n1, n2] });
    const rival = after(one, { inSync: [n1, n3] });
    expect(await store.compareAndSet(two)).toEqual({ outcome: 'refused', current: undefined });
    await store.compareAndSet(one);
    await store.compareAndSet(two);
    expect(await store.compareAndSet(rival)).toEqual({ outcome: 'refused', current: two });
    expect(await store.compareAndSet(one)).toEqual({ outcome: 'refused', current: two });
    expect(await store.compareAndSet({ ...one, primary: n2 })).toEqual({ outcome: 'refused', current: two });
    expect(await store.get(one.tablet)).toEqual(two);
  });

  test('answers a retry of what is current with stored, and stores it once', async () => {
    const heard: number[] = [];
    store.watch((configuration) => heard.push(configuration.version));
    const one = first();
    for (let i = 0; i < 3; i++) expect(await store.compareAndSet(one)).toEqual({ outcome: 'stored' });
    await vi.waitFor(() => expect(heard).toEqual([1]));
  });

  test('fifty rounds of rivals at once have exactly one winner each, whom the others are told of', async () => {
    let current = first();
    await store.compareAndSet(current);
    for (let round = 0; round < 50; round++) {
      const rivals = [n1, n2, n3].flatMap((primary) =>
        [[n1, n2, n3], [primary], [...new Set([n1, primary])]].map((inSync) =>
          after(current, { primary, epoch: epoch(current.epoch + 1), inSync, lineage: current.lineage + 1 }),
        ),
      );
      const distinct = [...new Map(rivals.map((rival) => [configurationHash(rival), rival])).values()];
      const answers = await Promise.all(distinct.map((rival) => store.compareAndSet(rival)));
      const winners = distinct.filter((_, i) => answers[i]!.outcome === 'stored');
      expect(winners).toHaveLength(1);
      current = winners[0]!;
      for (const answer of answers) if (answer.outcome === 'refused') expect(answer.current).toEqual(current);
      expect(await store.get(current.tablet)).toEqual(current);
    }
  });

  test('keeps everything over a restart', async () => {
    const one = first();
    const two = after(one, { primary: n2, epoch: epoch(2) });
    for (const configuration of [one, first('t02'), two]) await store.compareAndSet(configuration);
    store = await reopen();
    expect(await store.get(one.tablet)).toEqual(two);
    expect(await store.all()).toHaveLength(2);
    expect(await store.compareAndSet(two)).toEqual({ outcome: 'stored' });
    expect(await store.compareAndSet(after(two))).toEqual({ outcome: 'stored' });
  });

  test('tells listeners of each stored configuration in order, until they stop', async () => {
    const heard: string[] = [];
    const stop = store.watch(({ tablet, version: v }) => heard.push(`${tablet} ${v}`));
    const one = first();
    const two = after(one);
    for (const next of [one, two, after(one, { inSync: [n1] })]) await store.compareAndSet(next);
    await store.compareAndSet(after(two));
    await vi.waitFor(() => expect(heard).toContain('t01 3'));
    expect(heard).toEqual(['t01 1', 't01 2', 't01 3']);
    stop();
    await store.compareAndSet(first('t02'));
    expect(await store.get(tabletId('t02'))).toBeDefined();
    expect(heard).toHaveLength(3);
  });

  const one = first();
  const two = (change: Partial<Configuration>) => after(one, change);
  const malformed: [string, string, Configuration][] = [
    ['a primary outside inSync', 'primary', two({ inSync: [n2, n3] })],
    ['a member outside replicas', 'inSync', two({ inSync: [n1, n4] })],
    ['a node named twice', 'replicas', two({ replicas: [n1, n2, n3, n3] })],
    ['a skipped version', 'version', two({ version: version(3) })],
    ['a skipped epoch', 'epoch', two({ epoch: epoch(3) })],
    ['a lower epoch', 'epoch', two({ epoch: epoch(0) })],
    ['another primary in the same epoch', 'epoch', two({ primary: n2 })],
    [
      'a new primary that was not in sync',
      'primary',
      two({ primary: n4, epoch: epoch(2), inSync: [n4], replicas: [n4] }),
    ],
    ['another range', 'range', two({ range: { from: 'a', to: 'c' } })],
    ['a lower lineage', 'lineage', two({ lineage: 0 })],
  ];
  test.each(malformed)('refuses %s, naming the field %s, and stores nothing', async (_what, field, next) => {
    await store.compareAndSet(one);
    const refused = store.compareAndSet(next);
    await expect(refused).rejects.toMatchObject({
      code: 'Malformed',
      message: expect.stringContaining(`${field}:`),
    });
    expect(await store.get(one.tablet)).toEqual(one);
  });

  test('lets a primary reopen its epoch, and an operator force a new lineage on a copy that was not in sync', async () => {
    const reopened = after(one, { epoch: epoch(2) });
    const forced = after(reopened, {
      primary: n4,
      epoch: epoch(3),
      lineage: 2,
      inSync: [n4],
      replicas: [n4],
    });
    for (const next of [one, reopened, forced])
      expect(await store.compareAndSet(next)).toEqual({ outcome: 'stored' });
  });

  test('replaces, for an operator, exactly what was expected, by what need not follow it', async () => {
    const two = after(one);
    const older = after(one, { inSync: [n1, n2] });
    for (const next of [one, two]) await store.compareAndSet(next);
    expect(await store.replace(older, one)).toEqual({ outcome: 'refused', current: two });
    expect(await store.replace(older, undefined)).toEqual({ outcome: 'refused', current: two });
    expect(await store.replace(older, two)).toEqual({ outcome: 'stored' });
    expect(await store.replace(older, two)).toEqual({ outcome: 'stored' });
    const lost = after(after(after(first('t02'))));
    expect(await store.replace(lost, undefined)).toEqual({ outcome: 'stored' });
    await expect(store.replace({ ...lost, inSync: [n4] }, lost)).rejects.toMatchObject({ code: 'Malformed' });
    store = await reopen();
    expect(await store.get(one.tablet)).toEqual(older);
    expect(await store.get(lost.tablet)).toEqual(lost);
    expect(await store.compareAndSet(after(older))).toEqual({ outcome: 'stored' });
    expect(await store.compareAndSet(after(lost))).toEqual({ outcome: 'stored' });
  });

  test('refuses every call after close', async () => {
    await store.close();
    await expect(store.all()).rejects.toMatchObject({ code: 'Closed' });
    await expect(store.get(one.tablet)).rejects.toMatchObject({ code: 'Closed' });
    await expect(store.compareAndSet(one)).rejects.toMatchObject({ code: 'Closed' });
  });
});

describe('the file of the embedded store', () => {
  const file = (): string => join(folder, 'configurations');

  /** Opens, hands over, closes whatever happens. */
  async function using<T>(work: (store: EmbeddedConfigStore) => Promise<T>): Promise<T> {
    const store = new EmbeddedConfigStore({ folder });
    await store.open();
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  }
  const versionOf = (tablet: string): Promise<number | undefined> =>
    using(async (store) => (await store.get(tabletId(tablet)))?.version);

  test('cut anywhere within the last record: that record is gone, all before it are there, and it can be written again', async () => {
    const one = first();
    const two = after(one);
    await using((store) => store.compareAndSet(one));
    const before = (await readFile(file())).length;
    await using((store) => store.compareAndSet(two));
    const whole = await readFile(file());
    for (let length = before; length < whole.length; length++) {
      await writeFile(file(), whole.subarray(0, length));
      expect(await versionOf('t01')).toBe(1);
    }
    for (const grown of [before + 5, before + 40, whole.length - 1]) {
      await writeFile(file(), Buffer.concat([whole.subarray(0, grown), Buffer.alloc(whole.length - grown)]));
      expect(await versionOf('t01'), 'a tail that had grown but whose bytes had not arrived').toBe(1);
    }
    await using((store) => store.compareAndSet(two));
    expect(await versionOf('t01')).toBe(2);
  });

  test('with any byte flipped: it is refused with place, reason and what to do, never read as something else', async () => {
    const one = first();
    await using((store) => store.compareAndSet(one));
    await using((store) => store.compareAndSet(after(one)));
    const whole = await readFile(file());
    for (let offset = 0; offset < whole.length; offset++) {
      const bytes = Buffer.from(whole);
      bytes[offset]! ^= 0x10;
      await writeFile(file(), bytes);
      const refusal = await versionOf('t01').catch((error: unknown) => error);
      expect(refusal, `byte ${offset}`).toMatchObject({
        code: 'Damaged',
        message: expect.stringMatching(/byte \d+: .*recover/),
      });
    }
  });

  test('is written anew when most of it is old, and stays the same store', async () => {
    let current = first();
    await using(async (store) => {
      await store.compareAndSet(first('t02'));
      await store.compareAndSet(current);
      for (let i = 0; i < 1100; i++) await store.compareAndSet((current = after(current)));
    });
    expect((await readFile(file())).length).toBeLessThan(150 * 300);
    expect(await using((store) => store.get(current.tablet))).toEqual(current);
    expect(await versionOf('t02')).toBe(1);
  });

  /** A disk whose next write or sync of the file fails. */
  function failing(): { files: FilePort; fail: { write?: string; sync?: string } } {
    const fail: { write?: string; sync?: string } = {};
    const failed = (code: string): Error => Object.assign(new Error(code), { code });
    const files: FilePort = {
      ...realFiles,
      async open(path, mode) {
        const opened = await realFiles.open(path, mode);
        return {
          readFully: (into, position) => opened.readFully(into, position),
          truncate: (length) => opened.truncate(length),
          size: () => opened.size(),
          close: () => opened.close(),
          async writeAll(buffers, position) {
            await opened.writeAll(fail.write ? [buffers[0]!.subarray(0, 20)] : buffers, position);
            if (fail.write) throw failed(fail.write);
          },
          async datasync() {
            if (fail.sync) throw failed(fail.sync);
            await opened.datasync();
          },
        };
      },
    };
    return { files, fail };
  }

  test('on a full disk: a change is taken back, and goes through once there is room', async () => {
    const { files, fail } = failing();
    const store = new EmbeddedConfigStore({ folder, files });
    await store.open();
    await store.compareAndSet(first());
    fail.write = 'ENOSPC';
    const two = after(first());
    expect(await store.compareAndSet(two)).toMatchObject({ outcome: 'unsent' });
    expect(await store.replace(after(two), first())).toMatchObject({ outcome: 'unsent' });
    delete fail.write;
    expect(await store.compareAndSet(two)).toEqual({ outcome: 'stored' });
    await store.close();
    expect(await versionOf('t01')).toBe(2);
  });

  test('on a disk that fails to sync: the outcome is unknown, and nothing more is written until it is opened again', async () => {
    const { files, fail } = failing();
    const store = new EmbeddedConfigStore({ folder, files });
    await store.open();
    await store.compareAndSet(first());
    fail.sync = 'EIO';
    expect(await store.compareAndSet(after(first()))).toMatchObject({ outcome: 'ambiguous' });
    delete fail.sync;
    const again = await store.compareAndSet(after(first()));
    expect(again).toMatchObject({
      outcome: 'unsent',
      reason: expect.stringContaining('start the master again'),
    });
    expect((await store.get(first().tablet))?.version).toBe(1);
    await store.close();
    expect(await versionOf('t01')).toBe(2);
  });
});
