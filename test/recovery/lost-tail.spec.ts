/**
 * A disk that loses the end of what it had synced, cut so that the journal reads as if it had ended there.
 * Nothing in the journal itself can tell; what stands elsewhere can, and does.
 */
import {
  cpSync,
  openSync,
  closeSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { expect, test } from 'vitest';
import { MemoryCells } from '../../storage-nodes/cells/memory-cells.ts';
import { readRecord } from '../../storage-nodes/log/journal-record.ts';
import { withLostTails } from '../../storage-nodes/tablet/open-tablet.ts';
import { seq } from '../../storage-nodes/words.ts';
import { EntryChain, SMALL, T1, T2, withFolder, withLog } from './log-history.ts';

const MIB = 1024 * 1024;
const logger = pino({ level: 'silent' });

/** The journal file that holds records, and where each begins. */
function journalOf(folder: string): { path: string; starts: number[] } {
  for (const name of readdirSync(join(folder, 'journal')).sort().reverse()) {
    const path = join(folder, 'journal', name);
    const bytes = readFileSync(path);
    const starts: number[] = [];
    for (let at = 0; ;) {
      const record = readRecord(bytes, at, parseInt(name));
      if (typeof record === 'string') break;
      if (record.kind !== 'mark') starts.push(at);
      at += record.length;
    }
    if (starts.length > 0) return { path, starts };
  }
  throw new Error('no journal file has records');
}

/** From the start of this record on there are zeros, as in a file that was never written so far. */
function loseFrom(folder: string, record: number): void {
  const { path, starts } = journalOf(folder);
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0, starts[record]));
}

/** Five entries each in two tablets, by turns; `committed` of the first one's are in its segments. */
async function filled(folder: string, committed: number): Promise<void> {
  const running = `${folder}-running`;
  const [one, two] = [new EntryChain(), new EntryChain()];
  await withLog(running, async ({ log }) => {
    for (let n = 0; n < 5; n++) {
      await log.append(T1, one.many(1));
      await log.append(T2, two.many(1));
    }
    await log.commit(T1, seq(committed));
    await log.copied(T1);
    cpSync(running, folder, { recursive: true, filter: (path) => !path.endsWith('/lock') });
  });
}

test('segments that have more than the journal tell that its end is gone, for all tablets, now and later', async () => {
  await withFolder(async (parent) => {
    const folder = join(parent, 'log');
    await filled(folder, 4);
    // What is left: entries 1 and 2 of either.
    loseFrom(folder, 4);
    for (let opening = 0; opening < 2; opening++)
      await withLog(folder, async ({ tablets }) => {
        expect(tablets.get(T1)).toMatchObject({ committed: 4, cutTail: true, damage: [] });
        expect(tablets.get(T2)).toMatchObject({ committed: 0, cutTail: true, damage: [] });
        expect(tablets.get(T2)!.prepared).toHaveLength(2);
      });
  });
});

test('segments that have what the journal has tell nothing', async () => {
  await withFolder(async (parent) => {
    const folder = join(parent, 'log');
    await filled(folder, 4);
    await withLog(folder, async ({ tablets }) => {
      expect(tablets.get(T1)).toMatchObject({ committed: 4, cutTail: false, damage: [] });
      expect(tablets.get(T2)).toMatchObject({ cutTail: false, damage: [] });
    });
  });
});

test('cells that are ahead of a log tell likewise', async () => {
  await withFolder(async (parent) => {
    const folder = join(parent, 'log');
    await filled(folder, 4);
    const cells = new MemoryCells();
    await cells.open();
    cells.write(T1, seq(4), []);
    const tablet = join(folder, 'tablets', T1);
    for (const name of readdirSync(tablet)) rmSync(join(tablet, name));
    loseFrom(folder, 4);
    await withLog(folder, async ({ log, tablets }) => {
      expect(tablets.get(T1)).toMatchObject({ committed: 0, cutTail: false });
      const found = await withLostTails({ log, cells, logger }, [...tablets.values()]);
      expect(found.map(({ cutTail }) => cutTail)).toEqual([true, true]);
    });
    await withLog(folder, async ({ log, tablets }) => {
      for (const id of [T1, T2]) expect(tablets.get(id)!.cutTail).toBe(true);
      await log.tailRestored(T1);
      await log.tailRestored(T2);
    });
    await cells.drop(T1);
    await withLog(folder, async ({ log, tablets }) => {
      const found = await withLostTails({ log, cells, logger }, [...tablets.values()]);
      expect(found.map(({ cutTail }) => cutTail)).toEqual([false, false]);
    });
  });
});

test('a journal that is gone as a whole, and the checkpoint with it, leaves no tail trusted', async () => {
  await withFolder(async (parent) => {
    for (const committed of [0, 4]) {
      const folder = join(parent, `log-${committed}`);
      await filled(folder, committed);
      rmSync(join(folder, 'journal'), { recursive: true });
      rmSync(join(folder, 'checkpoint'));
      for (let opening = 0; opening < 2; opening++)
        await withLog(folder, async ({ tablets }) => {
          expect(tablets.get(T1)).toMatchObject({ committed, cutTail: true });
          expect(tablets.get(T2)).toMatchObject({ committed: 0, cutTail: true });
        });
    }
  });
});

test('a hole of 17 MiB in the journal is damage: what stands behind it was written later', async () => {
  await withFolder(async (parent) => {
    const running = join(parent, 'running');
    const folder = join(parent, 'log');
    const options = { ...SMALL, journalSegmentBytes: 24 * MIB };
    const chain = new EntryChain();
    await withLog(
      running,
      async ({ log }) => {
        for (let n = 0; n < 400; n++) await log.append(T1, chain.many(1, { parts: [50_000] }));
        cpSync(running, folder, { recursive: true, filter: (path) => !path.endsWith('/lock') });
      },
      options,
    );
    const { path, starts } = journalOf(folder);
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.alloc(17 * MIB), 0, 17 * MIB, starts[2]!);
    closeSync(file);
    await withLog(
      folder,
      async ({ tablets }) =>
        expect(tablets.get(T1)!.damage.map(({ reason }) => reason)).toEqual([
          expect.stringContaining('known to be synced') as string,
        ]),
      options,
    );
  });
});
