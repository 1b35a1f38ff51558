/**
 * Bytes of the log that are not what was written. A torn end is cut, and said to be cut; anything else
 * is reported with its place and never skipped, and no record comes back other than it was.
 */
import {
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRecord } from '../../storage-nodes/log/journal-record.ts';
import type { LogRecord } from '../../storage-nodes/log/entry.ts';
import { LogFiles } from '../../storage-nodes/log/log-files.ts';
import { seq } from '../../storage-nodes/words.ts';
import { EntryChain, SMALL, T1, T2, plain, withFolder, withLog } from './log-history.ts';
import type { Opened } from './log-history.ts';
import { FailingDisk } from './log-power-cut.ts';
import { DiskLog } from '../../storage-nodes/log/disk-log.ts';

const MIB = 1024 * 1024;

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = bytes[at]! ^ 0x10;
  writeFileSync(path, bytes);
}

/** The only journal file with records in it, and where they begin, by kind. */
function journalOf(folder: string): {
  path: string;
  records: { kind: string; start: number; length: number }[];
} {
  for (const name of readdirSync(join(folder, 'journal')).sort().reverse()) {
    const path = join(folder, 'journal', name);
    const bytes = readFileSync(path);
    const records: { kind: string; start: number; length: number }[] = [];
    for (let start = 0; ;) {
      const record = readRecord(bytes, start, parseInt(name));
      if (typeof record === 'string') break;
      records.push({ kind: record.kind, start, length: record.length });
      start += record.length;
    }
    if (records.length > 0) return { path, records };
  }
  throw new Error('no journal file has records');
}

const segmentsOf = (folder: string): string[] =>
  readdirSync(join(folder, 'tablets', T1))
    .filter((name) => name.endsWith('.segment'))
    .map((name) => join(folder, 'tablets', T1, name));

/** A log whose process vanished without closing it: a copy of its files while it is open. */
async function crashed(
  folder: string,
  fill: (log: DiskLog, chain: EntryChain) => Promise<void>,
): Promise<void> {
  const original = `${folder}-original`;
  await withLog(original, async ({ log }) => {
    await fill(log, new EntryChain());
    cpSync(original, folder, { recursive: true });
  });
}

let copies = 0;

/** Runs a case on a fresh copy of the folder. */
async function onCopy(folder: string, task: (copy: string) => Promise<void>): Promise<void> {
  const copy = `${folder}-copy-${++copies}`;
  cpSync(folder, copy, { recursive: true });
  await task(copy);
  rmSync(copy, { recursive: true });
}

/** Runs a case for each place from `from` to before `to`, several at a time, each on a copy of its own. */
async function atPlaces(
  { from, to, step }: { from: number; to: number; step: number },
  folder: string,
  task: (place: number, copy: string) => Promise<void>,
): Promise<void> {
  let next = from;
  const worker = async (): Promise<void> => {
    for (let place = next; place < to; place = next) {
      next += step;
      await onCopy(folder, (copy) => task(place, copy));
    }
  };
  await Promise.all(Array.from({ length: 6 }, worker));
}

describe('a torn tail', () => {
  test.each(['zeros', 'older bytes', 'the end of the file'])(
    'after which come %s is cut wherever it was torn, and what came before it stays',
    async (behind) => {
      await withFolder(async (base) => {
        const folder = join(base, 'log');
        let records: LogRecord[] = [];
        await crashed(folder, async (log, chain) => {
          records = chain.many(3, { parts: [20] });
          for (const record of records) await log.append(T1, [record]);
        });
        const { path, records: written } = journalOf(folder);
        const last = written.filter(({ kind }) => kind === 'append').at(-1)!;
        const journal = readFileSync(path);
        // Every byte once; the other variants need not be as thorough.
        const step = behind === 'zeros' ? 1 : 5;
        await atPlaces({ from: 0, to: last.length, step }, folder, async (kept, copy) => {
          const torn = Buffer.from(journal);
          if (behind === 'older bytes') torn.fill('older', last.start + kept);
          else torn.fill(0, last.start + kept);
          const end = behind === 'the end of the file' ? last.start + kept : torn.length;
          writeFileSync(path.replace(folder, copy), torn.subarray(0, end));
          await withLog(copy, async ({ tablets }) => {
            const found = tablets.get(T1)!;
            expect(found.damage).toEqual([]);
            expect(found.prepared.map(plain)).toEqual(records.slice(0, 2).map(plain));
            expect(found.cutTail).toBe(behind !== 'zeros' || kept > 0);
          });
        });
      });
    },
  );

  test('is held against the copy until the tablet says that it is made up for', async () => {
    await withFolder(async (base) => {
      const folder = join(base, 'log');
      await crashed(folder, async (log, chain) => {
        for (const record of chain.many(3)) await log.append(T1, [record]);
      });
      const { path, records } = journalOf(folder);
      const last = records.filter(({ kind }) => kind === 'append').at(-1)!;
      const journal = readFileSync(path);
      writeFileSync(path, journal.fill(0, last.start + 50));
      await withLog(folder, async ({ tablets }) => expect(tablets.get(T1)!.cutTail).toBe(true));
      await withLog(folder, async ({ log, tablets }) => {
        expect(tablets.get(T1)!.cutTail).toBe(true);
        await log.tailRestored(T1);
      });
      await withLog(folder, async ({ tablets }) => expect(tablets.get(T1)!.cutTail).toBe(false));
    });
  });

  test.each(['a torn tail', 'damage'])(
    '(or %s) is not forgotten when the opening that found it is itself killed, wherever that happens',
    async (what) => {
      await withFolder(async (base) => {
        const folder = join(base, 'log');
        await crashed(folder, async (log, chain) => {
          for (const record of chain.many(3)) await log.append(T1, [record]);
        });
        const { path, records } = journalOf(folder);
        const appends = records.filter(({ kind }) => kind === 'append');
        if (what === 'damage') flip(path, appends[1]!.start + 50);
        else writeFileSync(path, readFileSync(path).fill(0, appends.at(-1)!.start + 50));
        let survived = false;
        for (let failAt = 1; !survived; failAt++) {
          await onCopy(folder, async (copy) => {
            const life = new FailingDisk(() => 0.5, `${copy}-trash`).run('kill', failAt);
            const opening = new DiskLog({ folder: copy, ...SMALL, files: life }).open();
            survived = await Promise.race([opening.then(() => true), life.ended.then(() => false)]);
            await life.bury(copy);
            await withLog(copy, async ({ tablets }) => {
              const found = tablets.get(T1)!;
              if (what === 'damage') expect(found.damage.length, `operation ${failAt}`).toBeGreaterThan(0);
              else expect(found.cutTail, `operation ${failAt}`).toBe(true);
            });
          });
        }
      });
    },
  );

  test('of a segment is refilled from the journal, wherever it was torn', async () => {
    await withFolder(async (base) => {
      const folder = join(base, 'log');
      let records: LogRecord[] = [];
      await crashed(folder, async (log, chain) => {
        records = chain.many(4, { parts: [30] });
        await log.append(T1, records);
        await log.commit(T1, seq(4));
        await log.copied(T1);
      });
      const [segment] = segmentsOf(folder);
      await atPlaces({ from: 0, to: statSync(segment!).size, step: 7 }, folder, async (length, copy) => {
        truncateSync(segment!.replace(folder, copy), length);
        await withLog(copy, async ({ log, tablets }) => {
          const found = tablets.get(T1)!;
          expect(found).toMatchObject({ damage: [], cutTail: false });
          const committed = await log.read(T1, seq(1), MIB);
          expect([...committed, ...found.prepared].map(plain)).toEqual(records.map(plain));
          await log.commit(T1, seq(4));
          expect((await log.read(T1, seq(1), MIB)).map(plain)).toEqual(records.map(plain));
        });
      });
    });
  });
});

describe('a flipped byte', () => {
  test('anywhere in the journal before its last place known to be synced is damage, also at the next opening', async () => {
    await withFolder(async (base) => {
      const folder = join(base, 'log');
      await withLog(folder, async ({ log }) => {
        for (const record of new EntryChain().many(4, { parts: [25] })) await log.append(T1, [record]);
      });
      const { path, records } = journalOf(folder);
      const last = records.filter(({ kind }) => kind === 'append').at(-1)!;
      await atPlaces({ from: 0, to: last.start + last.length, step: 11 }, folder, async (at, copy) => {
        flip(path.replace(folder, copy), at);
        for (const opening of ['first', 'second']) {
          await withLog(copy, async ({ tablets }) => {
            const { damage } = tablets.get(T1)!;
            expect(damage.length, `byte ${at}, ${opening} opening`).toBeGreaterThan(0);
            expect(damage[0]!.offset).toBeLessThanOrEqual(at);
          });
        }
      });
    });
  });

  test('leaves the damaged copy refusing writes until it is dropped and begun anew', async () => {
    await withFolder(async (base) => {
      const folder = join(base, 'log');
      await withLog(folder, async ({ log }) => {
        const records = new EntryChain().many(4);
        for (const record of records) await log.append(T1, [record]);
        await log.commit(T1, seq(2));
      });
      const { path, records } = journalOf(folder);
      flip(path, records[1]!.start + 60);
      await withLog(folder, async ({ log, tablets }) => {
        expect(tablets.get(T1)!.damage[0]!.file).toBe(path);
        await expect(log.append(T1, [])).rejects.toMatchObject({ code: 'Damaged' });
        await expect(log.commit(T1, seq(3))).rejects.toThrow('drop it and copy it anew');
        expect((await log.read(T1, seq(1), MIB)).length).toBe(2);
        await log.append(T2, new EntryChain().many(1));
        await log.drop(T1);
        await log.append(T1, new EntryChain().many(2));
      });
      expect(existsSync(`${path}.damaged`)).toBe(true);
      await withLog(folder, async ({ tablets }) => {
        expect(tablets.get(T1)).toMatchObject({ damage: [], cutTail: false });
        expect(tablets.get(T1)!.prepared.length).toBe(2);
      });
    });
  });

  test('in a committed record, its segment or a large part is found by reading and by scrub, and never served', async () => {
    await withFolder(async (base) => {
      const folder = join(base, 'log');
      const records = new EntryChain().many(30);
      await withLog(folder, async ({ log }) => {
        await log.append(T1, records);
        await log.commit(T1, seq(30));
      });
      const [segment] = segmentsOf(folder);
      const size = statSync(segment!).size;
      await atPlaces({ from: 0, to: size, step: 101 }, folder, async (at, copy) => {
        flip(segment!.replace(folder, copy), at);
        await withLog(copy, async ({ log, tablets }) => {
          const damage = [...tablets.get(T1)!.damage, ...(await log.scrub(T1))];
          expect(
            damage.map(({ file }) => file),
            `byte ${at}`,
          ).toContain(segment!.replace(folder, copy));
          for (let n = 1; n <= 30; n++) {
            const found = await log.read(T1, seq(n), 1).catch((error: unknown) => error as { code: string });
            if (Array.isArray(found)) expect(found.map(plain)).toEqual([plain(records[n - 1]!)]);
            else expect(found).toMatchObject({ code: 'Damaged' });
          }
        });
        const served: LogRecord[] = [];
        const reading = (async () => {
          for await (const record of new LogFiles(copy).entries(T1)) served.push(record);
        })();
        await expect(reading).rejects.toMatchObject({ code: 'Damaged' });
        expect(served.map(plain)).toEqual(records.slice(0, served.length).map(plain));
      });
    });
  });

  test('in a large part spoils the ranges that touch its block, and no other', async () => {
    await withFolder(async (folder) => {
      const [record] = new EntryChain().many(1, { parts: [3 * MIB] });
      await withLog(folder, async ({ log }) => {
        await log.append(T1, [record!]);
        await log.commit(T1, seq(1));
      });
      const path = join(folder, 'tablets', T1, '000000000000001.parts');
      flip(path, statSync(path).size - MIB - 10); // The last bytes of the second of three blocks.
      await withLog(folder, async ({ log }) => {
        const part = record!.parts[0]!;
        expect((await log.readPart(T1, seq(1), 0, 0, MIB))!.equals(part.subarray(0, MIB))).toBe(true);
        expect((await log.readPart(T1, seq(1), 0, 2 * MIB, MIB))!.equals(part.subarray(2 * MIB))).toBe(true);
        await expect(log.readPart(T1, seq(1), 0, MIB, 1)).rejects.toMatchObject({ code: 'Damaged' });
        await expect(log.read(T1, seq(1), 1)).rejects.toThrow(/parts, byte \d+: the checksum of a block/);
        expect((await log.scrub(T1))[0]!.reason).toContain('seq 1');
      });
    });
  });

  test('in a configuration is damage', async () => {
    await withFolder(async (folder) => {
      await withLog(folder, async ({ log }) => log.saveConfiguration(T1, Buffer.from('a configuration')));
      flip(join(folder, 'tablets', T1, 'configuration'), 20);
      for (let opening = 1; opening <= 2; opening++) {
        await withLog(folder, async ({ tablets }) => {
          const { configuration, damage } = tablets.get(T1)!;
          expect(configuration).toBeUndefined();
          expect(damage.map(({ reason }) => reason)).toEqual(['the checksum does not match the bytes']);
        });
      }
    });
  });
});

describe('a file', () => {
  async function filled(folder: string): Promise<LogRecord[]> {
    const records = new EntryChain().many(200, { parts: [200] });
    await withLog(folder, async ({ log }) => {
      for (let at = 0; at < 200; at += 20) {
        await log.append(T1, records.slice(at, at + 20));
        await log.commit(T1, seq(at + 15));
      }
    });
    return records;
  }
  const all = async ({ log, tablets }: Opened) => [
    ...(await log.read(T1, seq(1), 100 * MIB)).map(plain),
    ...tablets.get(T1)!.prepared.map(plain),
  ];

  test('that holds the checkpoint may be missing or damaged: everything is there, but no tail is trusted', async () => {
    await withFolder(async (base) => {
      const folder = join(base, 'log');
      const records = await filled(folder);
      for (const spoil of [(path: string) => rmSync(path), (path: string) => flip(path, 30)]) {
        await onCopy(folder, async (copy) => {
          spoil(join(copy, 'checkpoint'));
          await withLog(copy, async (opened) => {
            expect(opened.tablets.get(T1)).toMatchObject({ damage: [], cutTail: true });
            expect(await all(opened)).toEqual(records.map(plain));
          });
        });
      }
    });
  });

  test('of the journal that is missing is damage', async () => {
    await withFolder(async (folder) => {
      await filled(folder);
      rmSync(journalOf(folder).path);
      await withLog(folder, async ({ tablets }) => expect(tablets.get(T1)!.damage.length).toBeGreaterThan(0));
    });
  });

  test('of a tablet that is missing, or shorter than what was synced to it, is damage', async () => {
    await withFolder(async (base) => {
      const folder = join(base, 'log');
      await filled(folder);
      const segments = segmentsOf(folder);
      expect(segments.length).toBeGreaterThan(2);
      for (const segment of segments) {
        await onCopy(folder, async (copy) => {
          rmSync(segment.replace(folder, copy));
          await withLog(copy, async ({ tablets }) => {
            expect(tablets.get(T1)!.damage).toMatchObject([{ reason: 'a segment is missing' }]);
          });
        });
      }
      truncateSync(segments.at(-1)!, statSync(segments.at(-1)!).size - 1);
      await withLog(folder, async ({ tablets }) => {
        expect(tablets.get(T1)!.damage[0]!.reason).toContain('shorter than what was synced');
      });
    });
  });
});

test('a chain of hashes that does not hold is found by scrub', async () => {
  await withFolder(async (folder) => {
    await withLog(folder, async ({ log }) => {
      const one = new EntryChain();
      const other = new EntryChain();
      one.next({ text: 'one' });
      await log.append(T1, [other.next({ text: 'other' }), one.next()]);
      await log.commit(T1, seq(2));
      expect(await log.scrub(T1)).toMatchObject([
        { reason: 'seq 2: its head does not name the hash of the entry before' },
      ]);
    });
  });
});
