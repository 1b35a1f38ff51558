/** What every NodeLog promises to the tablets of a node. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiskLog } from '../../storage-nodes/log/disk-log.ts';
import type { NodeLog, RecoveredTablet } from '../../storage-nodes/log/log.ts';
import { epoch, seq } from '../../storage-nodes/words.ts';
import { EntryChain, SMALL, T1, T2, plain } from '../recovery/log-history.ts';

const MIB = 1024 * 1024;

const implementations: [string, (folder: string) => NodeLog][] = [
  ['DiskLog', (folder) => new DiskLog({ folder, journalSegmentBytes: 8 * MIB })],
  [
    'DiskLog with files so small that it recycles them all the time',
    (folder) => new DiskLog({ folder, ...SMALL }),
  ],
];

describe.each(implementations)('%s', (_name, create) => {
  let folder: string;
  let log: NodeLog;
  let chain: EntryChain;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'penncloud-log-'));
    log = create(folder);
    chain = new EntryChain();
    await log.open();
  });
  afterEach(async () => {
    await log.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function reopen(): Promise<Map<string, RecoveredTablet>> {
    await log.close();
    log = create(folder);
    return new Map((await log.open()).map((tablet) => [tablet.tablet, tablet]));
  }
  const readAll = async (tablet = T1) => (await log.read(tablet, seq(1), 1e9)).map(plain);

  test('a new log holds no tablet, and knows nothing of one', async () => {
    expect(await reopen()).toEqual(new Map());
    expect(await log.read(T1, seq(1), 1000)).toEqual([]);
    expect(await log.readHeads(T1, seq(1), 10)).toEqual([]);
    expect(await log.epochEnds(T1)).toEqual([]);
    expect(await log.scrub(T1)).toEqual([]);
  });

  test('appended records are prepared: they survive, and are not read before they are committed', async () => {
    const records = chain.many(3);
    await log.append(T1, records);
    expect(await readAll()).toEqual([]);
    const found = (await reopen()).get(T1)!;
    expect(found.committed).toBe(0);
    expect(found.prepared.map(plain)).toEqual(records.map(plain));
    expect(found).toMatchObject({ cutTail: false, damage: [] });
    await log.commit(T1, seq(3));
    expect(await readAll()).toEqual(records.map(plain));
  });

  test('committed records can be read at once, and after the log was opened again', async () => {
    const records = chain.many(5);
    await log.append(T1, records);
    await log.commit(T1, seq(3));
    expect(await readAll()).toEqual(records.slice(0, 3).map(plain));
    const found = (await reopen()).get(T1)!;
    expect(found.committed).toBe(3);
    expect(found.prepared.map(plain)).toEqual(records.slice(3).map(plain));
    expect(await readAll()).toEqual(records.slice(0, 3).map(plain));
    expect(await log.scrub(T1)).toEqual([]);
  });

  test('truncated records are gone for good, and others take their place', async () => {
    await log.append(T1, chain.many(2));
    const fork = new EntryChain();
    fork.many(2);
    await log.append(T1, chain.many(3, { text: 'gone' }));
    await log.truncate(T1, seq(3));
    const instead = fork.many(2, { epoch: 2, text: 'instead' });
    await log.append(T1, instead);
    const found = (await reopen()).get(T1)!;
    expect(found.prepared.map(plain).slice(2)).toEqual(instead.map(plain));
  });

  test('calls need not wait for one another: they act in the order in which they were made', async () => {
    const large = chain.next({ parts: [200_000] });
    const small = chain.many(3);
    const settled: string[] = [];
    await Promise.all([
      log.append(T1, [large]).then(() => settled.push('large')),
      log.append(T1, small.slice(0, 2)).then(() => settled.push('small')),
      log.truncate(T1, seq(3)).then(() => settled.push('truncate')),
      log.append(T1, [{ ...small[1]!, epoch: epoch(2) }]).then(() => settled.push('again')),
    ]);
    expect(settled).toEqual(['large', 'small', 'truncate', 'again']);
    expect((await reopen()).get(T1)!.prepared.map(({ seq, epoch }) => [seq, epoch])).toEqual([
      [1, 1],
      [2, 1],
      [3, 2],
    ]);
  });

  test('many callers of many tablets append at the same time', async () => {
    const tablets = Array.from({ length: 8 }, (_, i) => `t-${i}` as typeof T1);
    await Promise.all(
      tablets.map(async (tablet) => {
        const own = new EntryChain();
        const appends: Promise<void>[] = [];
        for (let i = 1; i <= 50; i++) {
          appends.push(
            log.append(tablet, [own.next({ text: tablet })]).then(() => log.commit(tablet, seq(i))),
          );
        }
        await Promise.all(appends);
      }),
    );
    const found = await reopen();
    for (const tablet of tablets) {
      expect(found.get(tablet)).toMatchObject({ committed: 50, prepared: [], damage: [], cutTail: false });
      expect(await log.scrub(tablet)).toEqual([]);
    }
  });

  test('an append that does not follow the last record is refused as a defect', async () => {
    await log.append(T1, chain.many(2));
    chain.next();
    await expect(log.append(T1, [chain.next()])).rejects.toThrow('does not follow');
    await expect(log.commit(T1, seq(3))).rejects.toThrow('not durable');
  });

  test('a read begins anywhere, returns at least one record, and stops at about the bytes asked for', async () => {
    const records = chain.many(400, { parts: [500] });
    await log.append(T1, records);
    await log.commit(T1, seq(400));
    expect((await log.read(T1, seq(377), 1)).map(plain)).toEqual([plain(records[376]!)]);
    const some = await log.read(T1, seq(100), 10_000);
    expect(some.length).toBeGreaterThan(5);
    expect(some.length).toBeLessThan(20);
    expect(some.map(plain)).toEqual(records.slice(99, 99 + some.length).map(plain));
    expect(await log.read(T1, seq(401), 1000)).toEqual([]);
    const heads = await log.readHeads(T1, seq(399), 10);
    expect(heads.map(({ seq, head }) => [seq, Buffer.from(head)])).toEqual(
      records.slice(398).map(({ seq, head }) => [seq, Buffer.from(head)]),
    );
  });

  test('parts are read back whole and by ranges, whether small, large, or erased', async () => {
    const record = chain.next({ parts: [100, 3 * MIB + 17, undefined, 0, 64 * 1024, 64 * 1024 - 1] });
    await log.append(T1, [record]);
    expect((await reopen()).get(T1)!.prepared.map(plain)).toEqual([plain(record)]);
    await log.commit(T1, seq(1));
    expect(await readAll()).toEqual([plain(record)]);
    const large = record.parts[1]!;
    for (const [offset, length] of [
      [0, 10],
      [MIB - 5, 10],
      [MIB, MIB],
      [2 * MIB + 1, 5 * MIB],
      [3 * MIB, 100],
      [4 * MIB, 1],
    ] as const) {
      const found = await log.readPart(T1, seq(1), 1, offset, length);
      expect(found!.equals(large.subarray(offset, offset + length)), `${offset}+${length}`).toBe(true);
    }
    expect(await log.readPart(T1, seq(1), 0, 90, 100)).toEqual(record.parts[0]!.subarray(90));
    expect(await log.readPart(T1, seq(1), 2, 0, 10)).toBeUndefined();
    expect(await log.readPart(T1, seq(1), 3, 0, 10)).toEqual(Buffer.alloc(0));
    await expect(log.readPart(T1, seq(1), 6, 0, 1)).rejects.toThrow('has 6 parts');
    await expect(log.readPart(T1, seq(2), 0, 0, 1)).rejects.toThrow('no committed entry 2');
  });

  test('epochs and their last seqs are known, also after opening again', async () => {
    await log.append(T1, [...chain.many(3), ...chain.many(1, { epoch: 4 }), ...chain.many(2, { epoch: 5 })]);
    await log.commit(T1, seq(5));
    const expected = [
      { epoch: 1, end: 3 },
      { epoch: 4, end: 4 },
      { epoch: 5, end: 5 },
    ];
    expect(await log.epochEnds(T1)).toEqual(expected);
    await reopen();
    expect(await log.epochEnds(T1)).toEqual(expected);
    await log.commit(T1, seq(6));
    expect((await log.epochEnds(T1)).at(-1)).toEqual({ epoch: 5, end: 6 });
  });

  test('the last configuration saved is the one found', async () => {
    await Promise.all([1, 2, 3].map((n) => log.saveConfiguration(T1, Buffer.from(`configuration ${n}`))));
    const found = (await reopen()).get(T1)!;
    expect(Buffer.from(found.configuration!).toString()).toBe('configuration 3');
    expect(found).toMatchObject({ committed: 0, prepared: [] });
  });

  test('a dropped tablet leaves nothing, others stay, and it may begin anew', async () => {
    const other = new EntryChain();
    await log.append(T2, other.many(3));
    await log.append(T1, chain.many(3, { parts: [100_000] }));
    await log.commit(T1, seq(2));
    await log.saveConfiguration(T1, Buffer.from('configuration'));
    await log.drop(T1);
    expect(await log.read(T1, seq(1), 1000)).toEqual([]);
    expect([...(await reopen()).keys()]).toEqual([T2]);
    const anew = new EntryChain().many(2, { text: 'anew' });
    await log.append(T1, anew);
    await log.commit(T1, seq(1));
    const found = await reopen();
    expect(found.get(T1)).toMatchObject({ committed: 1, configuration: undefined, damage: [] });
    expect(found.get(T1)!.prepared.map(plain)).toEqual([plain(anew[1]!)]);
    expect(found.get(T2)!.prepared.length).toBe(3);
  });

  test('far more records than the journal has room for come back complete', async () => {
    const records = chain.many(2000, { parts: [300] });
    for (let at = 0; at < records.length; at += 100) {
      await log.append(T1, records.slice(at, at + 100));
      if (at >= 200) await log.commit(T1, seq(at - 150));
    }
    const found = (await reopen()).get(T1)!;
    expect(found).toMatchObject({ committed: 1750, damage: [], cutTail: false });
    expect([...(await readAll()), ...found.prepared.map(plain)]).toEqual(records.map(plain));
  });

  test('a closed log refuses every call', async () => {
    await log.close();
    await expect(log.append(T1, chain.many(1))).rejects.toMatchObject({ code: 'Closed' });
    await expect(log.read(T1, seq(1), 1)).rejects.toMatchObject({ code: 'Closed' });
  });
});
