/** A disk that is full, and a disk that fails: what the log answers, and what it holds afterwards. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { realFiles } from '../../storage-nodes/log/real-files.ts';
import type { FilePort } from '../../storage-nodes/log/files.ts';
import { seq } from '../../storage-nodes/words.ts';
import { EntryChain, SMALL, T1, T2, openLog, plain, withFolder, withLog } from './log-history.ts';
import type { Opened } from './log-history.ts';
import { UnreliableFiles, noRoom } from './unreliable-files.ts';

async function withUnreliable(
  task: (
    opened: Opened & {
      disk: UnreliableFiles;
      folder: string;
      chain: EntryChain;
    },
  ) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const disk = new UnreliableFiles();
    await withLog(folder, (opened) => task({ ...opened, disk, folder, chain: new EntryChain() }), {
      ...SMALL,
      files: disk.port,
    });
  });
}

const full = { code: 'DiskFull', retry: true } as const;
const failed = { code: 'DiskFailed', retry: false } as const;

test('no room to make a used journal file ready again: it is given back, and another is made once there is', async () => {
  await withUnreliable(async ({ log, disk, chain }) => {
    const written = chain.many(3);
    await log.append(T1, written);
    for (let round = 0; round < 40; round++) {
      disk.fails = round % 4 === 3 ? () => undefined : noRoom('/journal/', 'create');
      const records = chain.many(3, { parts: [2000] });
      for (;;) {
        try {
          await log.append(T1, records);
          break;
        } catch (error) {
          expect(error).toMatchObject(full);
          disk.fails = () => undefined;
        }
      }
      written.push(...records);
      await log.commit(T1, seq(written.length));
    }
    expect((await log.read(T1, seq(1), 1e9)).map(plain)).toEqual(written.map(plain));
  });
});

for (const [where, part, sizes] of [
  ['in the journal', '/journal/', [300]],
  ['among the large parts', '.parts', [300, 70_000]],
] as const) {
  test(`no room ${where}: nothing of the append is kept, and the same append goes through once there is room`, async () => {
    await withUnreliable(async ({ log, disk, folder, chain }) => {
      const before = chain.many(3);
      await log.append(T1, before);
      await log.commit(T1, seq(2));
      const records = chain.many(4, { parts: sizes });
      const behind = chain.many(2);
      disk.fails = noRoom(part);
      const first = log.append(T1, records);
      const second = log.append(T1, behind);
      await expect(first).rejects.toMatchObject(full);
      await expect(second).rejects.toMatchObject(full);
      await expect(log.append(T1, records)).rejects.toMatchObject(full);
      // Without a checkpoint, all that was ever written to the journal is read again below.
      disk.fails = noRoom('/checkpoint');
      await log.append(T2, new EntryChain().many(1));
      // A shorter append over the remains of the one that failed.
      await log.append(T1, records.slice(0, 1));
      await log.append(T1, [...records.slice(1), ...behind]);
      await log.commit(T1, seq(4));
      await log.close();
      await withLog(folder, async ({ log, tablets }) => {
        const found = tablets.get(T1)!;
        expect(found).toMatchObject({ committed: 4, damage: [], cutTail: false });
        const all = [...(await log.read(T1, seq(1), 1e9)), ...found.prepared];
        expect(all.map(plain)).toEqual([...before, ...records, ...behind].map(plain));
        expect(await log.scrub(T1)).toEqual([]);
      });
    });
  });
}

test('a truncation that found no room still comes before whatever is appended next', async () => {
  await withUnreliable(async ({ log, disk, folder, chain }) => {
    await log.append(T1, chain.many(5));
    const fork = new EntryChain();
    fork.many(2);
    disk.fails = noRoom('/journal/');
    await expect(log.truncate(T1, seq(3))).rejects.toMatchObject(full);
    disk.fails = noRoom('/checkpoint');
    const instead = fork.many(1, { epoch: 2 });
    await log.append(T1, instead);
    await log.close();
    await withLog(folder, async ({ tablets }) => {
      expect(tablets.get(T1)!.damage).toEqual([]);
      expect(tablets.get(T1)!.prepared.slice(2).map(plain)).toEqual(instead.map(plain));
    });
  });
});

test('no room for the next journal file: appends are refused until there is room', async () => {
  await withUnreliable(async ({ log, disk, folder, chain }) => {
    disk.fails = noRoom('/journal/', 'create');
    let acknowledged = 0;
    const append = async (): Promise<void> => {
      const [record] = [chain.next({ parts: [3000] })];
      await log.append(T1, [record]).catch(async (error: unknown) => {
        disk.fails = () => undefined;
        await log.append(T1, [record]);
        throw error;
      });
    };
    const refusal = (async () => {
      for (; acknowledged < 100; acknowledged++) await append();
    })();
    await expect(refusal).rejects.toMatchObject(full);
    await log.close();
    await withLog(folder, async ({ tablets }) => {
      expect(tablets.get(T1)).toMatchObject({ damage: [], cutTail: false });
      expect(tablets.get(T1)!.prepared.length).toBe(acknowledged + 1);
    });
  });
});

test('no room in the segments: the next commit is refused, what is committed is read from memory, and it can be asked for again', async () => {
  await withUnreliable(async ({ log, disk, chain }) => {
    const records = chain.many(6, { parts: [300, 70_000] });
    await log.append(T1, records);
    await log.commit(T1, seq(1));
    await log.copied(T1);
    disk.fails = noRoom('.segment');
    await log.commit(T1, seq(3));
    await expect(log.copied(T1)).rejects.toMatchObject(full);
    expect((await log.read(T1, seq(1), 1e9)).map(plain)).toEqual(records.slice(0, 3).map(plain));
    expect((await log.read(T1, seq(3), 1e9)).map(plain)).toEqual(records.slice(2, 3).map(plain));
    expect((await log.readHeads(T1, seq(1), 2)).map((found) => found.seq)).toEqual([1, 2]);
    for (const part of [0, 1])
      expect(await log.readPart(T1, seq(2), part, 10, 100)).toEqual(
        Buffer.from(records[1]!.parts[part]!.subarray(10, 110)),
      );
    await expect(log.commit(T1, seq(4))).rejects.toMatchObject(full);
    await expect(log.readPart(T1, seq(5), 0, 0, 1)).rejects.toMatchObject({ code: 'Malformed' });
    disk.fails = () => undefined;
    await log.commit(T1, seq(5));
    expect((await log.read(T1, seq(1), 1e9)).map(plain)).toEqual(records.slice(0, 5).map(plain));
    expect(await log.scrub(T1)).toEqual([]);
  });
});

test('no room for a configuration: the one before stays', async () => {
  await withUnreliable(async ({ log, disk, folder }) => {
    await log.saveConfiguration(T1, Buffer.from('one'));
    disk.fails = noRoom('configuration');
    await expect(log.saveConfiguration(T1, Buffer.from('two'))).rejects.toMatchObject(full);
    await log.close();
    await withLog(folder, async ({ tablets }) => {
      expect(Buffer.from(tablets.get(T1)!.configuration!).toString()).toBe('one');
    });
  });
});

test('no room for a checkpoint: the journal grows instead, and is recycled later', async () => {
  await withUnreliable(async ({ log, disk, folder, chain }) => {
    const append = async (): Promise<void> => {
      const records = chain.many(10, { parts: [500] });
      await log.append(T1, records);
      await log.commit(T1, records.at(-1)!.seq);
    };
    const journalFiles = (): string[] => readdirSync(join(folder, 'journal')).sort();
    disk.fails = noRoom('checkpoint');
    for (let i = 0; i < 10; i++) await append();
    const [oldest, ...others] = journalFiles();
    expect(others.length).toBeGreaterThan(3);
    disk.fails = () => undefined;
    while (journalFiles()[0] === oldest) await append();
    await log.close();
    await withLog(folder, async ({ tablets }) =>
      expect(tablets.get(T1)).toMatchObject({ damage: [], cutTail: false }),
    );
  });
});

for (const [what, part, operation, code] of [
  ['an fsync of the journal', '/journal/', 'fsync', 'EIO'],
  ['an fsync of the journal, for want of room', '/journal/', 'fsync', 'ENOSPC'],
  ['a write to the journal', '/journal/', 'write', 'EIO'],
  ['an fsync of a large part', '.parts', 'fsync', 'EIO'],
] as const) {
  test(`${what} fails: that append and every later call is refused for good`, async () => {
    await withUnreliable(async ({ log, disk, chain }) => {
      await log.append(T1, chain.many(2));
      disk.fails = (done, path) => (done === operation && path.includes(part) ? code : undefined);
      await expect(log.append(T1, [chain.next({ parts: [100_000] })])).rejects.toMatchObject(failed);
      disk.fails = () => undefined;
      await expect(log.append(T2, new EntryChain().many(1))).rejects.toMatchObject(failed);
      await expect(log.commit(T1, seq(1))).rejects.toMatchObject(failed);
      await expect(log.read(T1, seq(1), 1)).rejects.toThrow('restart the node');
      await expect(log.saveConfiguration(T1, Buffer.alloc(1))).rejects.toMatchObject(failed);
    });
  });
}

for (const [what, part, operation, code, isSuspect] of [
  ['an fsync of the journal', '/journal/', 'fsync', 'EIO', true],
  ['an fsync of the journal, for want of room', '/journal/', 'fsync', 'ENOSPC', true],
  ['an fsync of a large part', '.parts', 'fsync', 'EIO', true],
  ['a write to the journal', '/journal/', 'write', 'EIO', false],
] as const) {
  test(`${what} failed: what is opened next is ${isSuspect ? 'suspect, until it is dropped' : 'as good as it was'}`, async () => {
    await withUnreliable(async ({ log, disk, folder, chain }) => {
      await log.append(T1, chain.many(2));
      await log.append(T2, new EntryChain().many(1));
      disk.fails = (done, path) => (done === operation && path.includes(part) ? code : undefined);
      await expect(log.append(T1, [chain.next({ parts: [100_000] })])).rejects.toMatchObject(failed);
      await log.close();
      const suspect = isSuspect && {
        file: join(folder, 'fsync-failed'),
        offset: 0,
        reason: expect.stringMatching(`an fsync failed in an earlier run .*${part}.*${code}`) as string,
      };
      const found = async (): Promise<unknown[]> => {
        const reopened = await openLog(folder);
        await reopened.log.close();
        return [T1, T2].map((id) => reopened.tablets.get(id)?.failedSync);
      };
      expect(await found()).toEqual(isSuspect ? [suspect, suspect] : [undefined, undefined]);
      if (!isSuspect) return;
      expect(readdirSync(folder)).not.toContain('fsync-failed');
      // Also where the process was killed at once, and never made another checkpoint.
      expect(await found()).toEqual([suspect, suspect]);
      await withLog(folder, async ({ log, tablets }) => {
        expect(tablets.get(T1)!.damage).toEqual([]);
        expect((await log.read(T1, seq(1), 1e9)).length + tablets.get(T1)!.prepared.length).toBeGreaterThan(
          1,
        );
        await log.drop(T1);
        await log.append(T1, new EntryChain().many(3));
      });
      expect(await found()).toEqual([undefined, suspect]);
    });
  });
}

test('an fsync of the segments fails as the log is closed: what is opened next is suspect', async () => {
  await withFolder(async (folder) => {
    const disk = new UnreliableFiles();
    const { log } = await openLog(folder, { ...SMALL, files: disk.port });
    const records = new EntryChain().many(3);
    await log.append(T1, records);
    await log.commit(T1, seq(3));
    disk.fails = (done, path) => (done === 'fsync' && path.includes('.segment') ? 'EIO' : undefined);
    await expect(log.close()).rejects.toMatchObject(failed);
    await withLog(folder, async ({ log, tablets }) => {
      const { failedSync, prepared } = tablets.get(T1)!;
      expect(failedSync?.reason).toContain('.segment');
      const all = [...(await log.read(T1, seq(1), 1e9)), ...prepared];
      expect(all.map(plain)).toEqual(records.map(plain));
    });
  });
});

test('no room, and no failed fsync: no mark is left', async () => {
  await withUnreliable(async ({ log, disk, folder, chain }) => {
    disk.fails = noRoom('/journal/');
    const records = chain.many(2);
    await expect(log.append(T1, records)).rejects.toMatchObject(full);
    disk.fails = () => undefined;
    await log.append(T1, records);
    await log.close();
    expect(readdirSync(folder)).not.toContain('fsync-failed');
  });
});

test('the mark cannot be written: the failure is reported all the same', async () => {
  await withFolder(async (folder) => {
    const disk = new UnreliableFiles();
    const readOnly = Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' });
    const files: FilePort = {
      ...disk.port,
      createNew: async (path, content) => {
        if (path.endsWith('fsync-failed')) throw readOnly;
        return realFiles.createNew(path, content);
      },
    };
    const { log } = await openLog(folder, { ...SMALL, files });
    await log.append(T1, new EntryChain().many(2));
    disk.fails = (done) => (done === 'fsync' ? 'EIO' : undefined);
    await expect(log.append(T2, new EntryChain().many(1))).rejects.toMatchObject(failed);
    await log.close();
    await withLog(folder, async ({ tablets }) => expect(tablets.get(T1)!.prepared).toHaveLength(2));
  });
});
