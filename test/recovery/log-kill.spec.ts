/** The log of a node whose process was killed while it wrote, and who may open a log's folder. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { DiskLog } from '../../storage-nodes/log/disk-log.ts';
import type { FilePort } from '../../storage-nodes/log/files.ts';
import { LogFiles } from '../../storage-nodes/log/log-files.ts';
import { realFiles } from '../../storage-nodes/log/real-files.ts';
import { seq, tabletId } from '../../storage-nodes/words.ts';
import { EntryChain, SMALL, openLog, withFolder, withLog } from './log-history.ts';

const WRITER = fileURLToPath(new URL('./log-writer.ts', import.meta.url));
let writer: ChildProcess | undefined;

afterEach(() => {
  writer?.kill('SIGKILL');
});

function startWriter(folder: string): {
  child: ChildProcess;
  lines: AsyncIterable<string>;
  ended: Promise<unknown>;
} {
  const child = spawn(process.execPath, ['--import', 'tsx', WRITER, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  writer = child;
  return {
    child,
    lines: createInterface({ input: child.stdout }),
    ended: new Promise((resolve) => child.once('exit', resolve)),
  };
}

test(
  'five kills in a row: nothing that was acknowledged is missing, nothing is damaged',
  { timeout: 60_000 },
  async () => {
    await withFolder(async (folder) => {
      const told = new Map<string, number>();
      for (const reports of [3, 40, 150, 71, 300]) {
        const { child, lines, ended } = startWriter(folder);
        let count = 0;
        for await (const line of lines) {
          const [what, tablet, upTo] = line.split(' ');
          told.set(`${what} ${tablet}`, Number(upTo));
          if (++count === reports) child.kill('SIGKILL');
        }
        await ended;
        await withLog(folder, async ({ log, tablets }) => {
          for (const [tablet, found] of tablets) {
            expect(found.damage).toEqual([]);
            expect(found.committed).toBeGreaterThanOrEqual(told.get(`committed ${tablet}`) ?? 0);
            expect(found.committed + found.prepared.length).toBeGreaterThanOrEqual(
              told.get(`durable ${tablet}`) ?? 0,
            );
            expect(await log.scrub(found.tablet)).toEqual([]);
          }
        });
      }
      expect(told.size).toBe(6);
    });
  },
);

test('another process reads what is committed while the node writes', { timeout: 60_000 }, async () => {
  await withFolder(async (folder) => {
    const { child, lines, ended } = startWriter(folder);
    let checks = 0;
    try {
      for await (const line of lines) {
        const [what, tablet, upTo] = line.split(' ');
        if (what !== 'committed') continue;
        const seen: number[] = [];
        for await (const record of new LogFiles(folder).entries(tablet!)) seen.push(record.seq);
        expect(seen.length).toBeGreaterThanOrEqual(Number(upTo));
        expect(seen).toEqual(seen.map((_, i) => i + 1));
        if (++checks === 30) break;
      }
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
    expect(checks).toBe(30);
  });
});

test('a segment whose first bytes come just as it is read is not taken for a damaged one', async () => {
  await withFolder(async (folder) => {
    await withLog(folder, async ({ log }) => {
      const records = new EntryChain().many(3);
      await log.append(tabletId('t'), records);
      await log.commit(tabletId('t'), seq(3));
      await log.copied(tabletId('t'));
    });
    const files: FilePort = {
      ...realFiles,
      open: async (path, mode) => {
        const file = await realFiles.open(path, mode);
        const sizes = [0, await file.size()];
        return Object.assign(Object.create(file) as typeof file, {
          size: () => Promise.resolve(sizes.shift() ?? 0),
          readFully: file.readFully.bind(file),
          close: file.close.bind(file),
        });
      },
    };
    const seen: number[] = [];
    for await (const record of new LogFiles(folder, files).entries('t')) seen.push(record.seq);
    expect(seen).toEqual([1, 2, 3]);
  });
});

test('a folder that a live process holds is refused, naming it; once it is dead the folder opens', async () => {
  await withFolder(async (folder) => {
    const { child, lines, ended } = startWriter(folder);
    for await (const line of lines) {
      expect(line).toMatch(/^durable/);
      break;
    }
    const opening = new DiskLog({ folder, ...SMALL }).open();
    await expect(opening).rejects.toThrow(`is in use by process ${child.pid}: stop it first`);
    child.kill('SIGKILL');
    await ended;
    const { log } = await openLog(folder);
    await expect(openLog(folder)).rejects.toThrow(`in use by process ${process.pid}`);
    await log.close();
  });
});

test('a lock of another boot, of a pid that now is another program, or of half a write is stale', async () => {
  await withFolder(async (base) => {
    const locks = [
      { pid: process.pid, started: '1', boot: 'of long ago', folder: '' },
      { pid: process.pid, started: '1', boot: '', folder: '' },
      'nonsense',
    ];
    for (const [i, lock] of locks.entries()) {
      const folder = join(base, String(i));
      mkdirSync(folder);
      writeFileSync(join(folder, 'lock'), JSON.stringify(lock).slice(0, -1));
      await withLog(folder, async ({ log }) => {
        expect(await log.read(tabletId('t'), seq(1), 1)).toEqual([]);
      });
    }
  });
});
