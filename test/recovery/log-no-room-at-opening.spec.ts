/**
 * A node that starts while its disk is full: the log opens, says what it found, is read, and takes entries as
 * soon as there is room. What was found wrong is not forgotten meanwhile, however often it is opened.
 */
import { cp, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pino from 'pino';
import { expect, test } from 'vitest';
import { seq } from '../../storage-nodes/words.ts';
import { EntryChain, SMALL, T1, openLog, plain, withFolder, withLog } from './log-history.ts';
import type { Opened } from './log-history.ts';
import { UnreliableFiles, noRoom } from './unreliable-files.ts';

const full = { code: 'DiskFull', retry: true } as const;

/** Opens a log on a full disk. */
async function withoutRoom<T>(
  folder: string,
  task: (opened: Opened & { disk: UnreliableFiles; lines: string[] }) => Promise<T>,
): Promise<T> {
  const disk = new UnreliableFiles();
  const lines: string[] = [];
  const logger = pino({ level: 'warn' }, { write: (line) => void lines.push(line) });
  disk.fails = noRoom('');
  return withLog(folder, (opened) => task({ ...opened, disk, lines }), {
    ...SMALL,
    files: disk.port,
    logger,
  });
}

/** Seven entries, four of them committed; a copy of the folder as a kill at that moment leaves it. */
async function filled(folder: string, killed: string) {
  const records = new EntryChain().many(7, { parts: [600] });
  await withLog(folder, async ({ log }) => {
    await log.append(T1, records);
    await log.commit(T1, seq(4));
    await log.copied(T1);
    await cp(folder, killed, { recursive: true, filter: (path) => !path.endsWith('/lock') });
  });
  return records;
}

async function all({ log, tablets }: Opened) {
  return [...(await log.read(T1, seq(1), 1e9)), ...tablets.get(T1)!.prepared].map(plain);
}

/** Bytes that no write can have left whole, behind the last record of the newest journal file in use. */
async function tearTail(folder: string): Promise<void> {
  for (const name of (await readdir(join(folder, 'journal'))).sort().reverse()) {
    const file = await open(join(folder, 'journal', name), 'r+');
    try {
      const bytes = await file.readFile();
      let end = bytes.length;
      while (end > 0 && bytes[end - 1] === 0) end--;
      if (end === 0) continue;
      await file.write(Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9]), 0, 9, end + 3);
      return;
    } finally {
      await file.close();
    }
  }
}

for (const how of ['a clean stop', 'a kill'] as const) {
  test(`after ${how}: it opens, says that there is no room, and takes entries once there is`, async () => {
    await withFolder(async (folder) => {
      const killed = join(folder, 'killed');
      const records = await filled(join(folder, 'stopped'), killed);
      const here = how === 'a kill' ? killed : join(folder, 'stopped');
      const chain = new EntryChain(records.at(-1));
      const more = chain.many(2);
      await withoutRoom(here, async ({ log, tablets, disk, lines }) => {
        expect(await all({ log, tablets })).toEqual(records.map(plain));
        expect(tablets.get(T1)).toMatchObject({ committed: 4, damage: [], cutTail: false });
        expect(lines.join('')).toContain('no room on the disk as the log opens');
        await expect(log.append(T1, more)).rejects.toMatchObject(full);
        disk.fails = () => undefined;
        await log.append(T1, more);
        await log.commit(T1, seq(9));
      });
      await withLog(here, async (opened) => {
        expect(await all(opened)).toEqual([...records, ...more].map(plain));
        expect(opened.tablets.get(T1)).toMatchObject({ damage: [], cutTail: false });
      });
    });
  });

  test(`after ${how}: it opens and closes again and again, and loses nothing`, async () => {
    await withFolder(async (folder) => {
      const killed = join(folder, 'killed');
      const records = await filled(join(folder, 'stopped'), killed);
      const here = how === 'a kill' ? killed : join(folder, 'stopped');
      for (let times = 0; times < 3; times++)
        await withoutRoom(here, async (opened) => {
          expect(await all(opened)).toEqual(records.map(plain));
          expect(opened.tablets.get(T1)).toMatchObject({ committed: 4, damage: [], cutTail: false });
        });
    });
  });
}

test('a torn tail that cannot be noted is found again, and noted before anything is written behind it', async () => {
  await withFolder(async (folder) => {
    const here = join(folder, 'killed');
    const records = await filled(join(folder, 'stopped'), here);
    await tearTail(here);
    await withoutRoom(here, async ({ tablets }) => expect(tablets.get(T1)!.cutTail).toBe(true));
    await withoutRoom(here, async ({ log, tablets, disk }) => {
      expect(tablets.get(T1)).toMatchObject({ damage: [], cutTail: true });
      const chain = new EntryChain(records.at(-1));
      const more = chain.many(1);
      // The journal has room, the note has not: what would hide the torn tail is not written.
      disk.fails = noRoom('/checkpoint');
      await expect(log.append(T1, more)).rejects.toMatchObject(full);
      disk.fails = () => undefined;
      await log.append(T1, more);
    });
    await withLog(here, async ({ log, tablets }) => {
      expect(tablets.get(T1)).toMatchObject({ damage: [], cutTail: true });
      expect(tablets.get(T1)!.prepared.at(-1)!.seq).toBe(8);
      await log.tailRestored(T1);
    });
    await withLog(here, async ({ tablets }) => expect(tablets.get(T1)!.cutTail).toBe(false));
  });
});

test('the mark of a failed fsync stays until it could be noted', async () => {
  await withFolder(async (folder) => {
    const disk = new UnreliableFiles();
    const { log } = await openLog(folder, { ...SMALL, files: disk.port });
    await log.append(T1, new EntryChain().many(2));
    disk.fails = (done) => (done === 'fsync' ? 'EIO' : undefined);
    await expect(
      log.append(T1, new EntryChain().many(0).concat(new EntryChain().many(3).slice(2))),
    ).rejects.toMatchObject({
      code: 'DiskFailed',
    });
    await log.close();
    await withoutRoom(folder, async ({ tablets }) => expect(tablets.get(T1)!.failedSync).toBeDefined());
    expect(await readdir(folder)).toContain('fsync-failed');
    await withLog(folder, async ({ tablets }) => expect(tablets.get(T1)!.failedSync).toBeDefined());
    expect(await readdir(folder)).not.toContain('fsync-failed');
    await withLog(folder, async ({ tablets }) => expect(tablets.get(T1)!.failedSync).toBeDefined());
  });
});
