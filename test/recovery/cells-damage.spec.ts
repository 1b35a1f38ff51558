/** Cells whose files were damaged: condemned, answered with Damaged, or intact; never wrong and never silently missing. */
import { cp, mkdtemp, open, readFile, readdir, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SPACE } from '../../storage-nodes/cells/cells.ts';
import type { Cell } from '../../storage-nodes/cells/cells.ts';
import { CELLS_FROM, CELLS_TO } from '../../storage-nodes/cells/cell-key.ts';
import { RocksCells } from '../../storage-nodes/cells/rocks-cells.ts';
import { RocksBinding } from '../../storage-nodes/cells/rocksdb-binding.ts';
import { Fault } from '../../storage-nodes/faults.ts';
import { seq, tabletId } from '../../storage-nodes/words.ts';
import { TABLETS, everything, expected, writeHistory, writesOf } from './cells-history.ts';

const ENTRIES = 400;
let root: string;
/** A store whose cells are all in its WAL, and one whose cells are all in an SST. */
let inWal: string;
let inSst: string;
let folder: string;
let cells: RocksCells;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'penncloud-cells-'));
  inWal = join(root, 'wal');
  inSst = join(root, 'sst');
  const store = new RocksCells({ folder: inWal });
  await store.open();
  await writeHistory(store, 1, ENTRIES);
  await store.close();
  await cp(inWal, inSst, { recursive: true });
  const binding = new RocksBinding(inSst);
  await binding.open();
  await binding.compact(Buffer.from([0]), Buffer.from([0xff, 0xff]));
  await binding.close();
});
afterAll(() => rm(root, { recursive: true, force: true }));

beforeEach(() => {
  folder = join(root, 'case');
  cells = new RocksCells({ folder, cacheBytes: 1 });
});
afterEach(async () => {
  await cells.close();
  await rm(folder, { recursive: true, force: true });
});

async function fileOf(extension: string): Promise<string> {
  const names = (await readdir(folder)).filter(
    (name) => name.endsWith(extension) || name.startsWith(extension),
  );
  const sized = await Promise.all(
    names.map(async (name) => ({ name, size: (await readFile(join(folder, name))).length })),
  );
  return join(folder, sized.sort((a, b) => b.size - a.size)[0]!.name);
}

/** In place, so that a store that has the file open sees it too. */
async function flip(file: string, offset: number): Promise<void> {
  const handle = await open(file, 'r+');
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, offset);
  buffer[0]! ^= 0x40;
  await handle.write(buffer, 0, 1, offset);
  await handle.close();
}

async function restore(from: string): Promise<void> {
  await cells.close();
  await rm(folder, { recursive: true, force: true });
  await cp(from, folder, { recursive: true });
}

/** All of some cells as one text. */
function shown(found: readonly (Cell | undefined)[]): string {
  return JSON.stringify(
    found.map(
      (cell) =>
        cell && {
          ...cell,
          content:
            'bytes' in cell.content ? Buffer.from(cell.content.bytes).toString('latin1') : cell.content,
        },
    ),
  );
}

/** What a reader is told of a whole tablet; compares it with the history and answers how it went. */
async function verdict(): Promise<'condemned' | 'damaged' | 'intact'> {
  const { condemned } = await cells.open();
  if (condemned !== undefined) {
    for (const tablet of TABLETS) expect(cells.applied(tablet)).toBe(0);
    return 'condemned';
  }
  let damaged = false;
  for (const tablet of TABLETS) {
    const model = await expected(tablet, cells.applied(tablet));
    const read = [
      cells.scan(tablet, everything),
      cells.get(
        tablet,
        model.cells.map(({ row, column }) => ({ space: SPACE.table, row, column })),
      ),
    ];
    for (const outcome of await Promise.allSettled(read)) {
      if (outcome.status === 'fulfilled')
        expect(shown(outcome.value) === shown(model.cells), 'what was read is what was written').toBe(true);
      else {
        expect(outcome.reason).toMatchObject({ code: 'Damaged' });
        damaged = true;
      }
    }
  }
  return damaged ? 'damaged' : 'intact';
}

test('without damage both stores are intact', async () => {
  for (const store of [inWal, inSst]) {
    await restore(store);
    expect(await verdict()).toBe('intact');
    expect(cells.applied(TABLETS[0]!)).toBe(ENTRIES);
  }
});

describe('a flipped byte', () => {
  test(
    'anywhere in the WAL: the store is condemned, or it is a whole, earlier state',
    { timeout: 60_000 },
    async () => {
      await restore(inWal);
      const { length } = await readFile(await fileOf('.log'));
      const verdicts = new Set<string>();
      for (let i = 1; i < 16; i++) {
        await restore(inWal);
        await flip(await fileOf('.log'), Math.floor((length * i) / 16));
        const seen = await verdict();
        if (i <= 12) expect(seen, `byte ${i}/16 of the WAL`).toBe('condemned');
        verdicts.add(seen);
      }
      expect(verdicts).toContain('condemned');
    },
  );

  test('in a value in an SST, under an open store: a lookup, a scan and a digest of it are Damaged, other cells still answer', async () => {
    await restore(inSst);
    const tablet = TABLETS[1]!;
    const damagedCell = writesOf(tablet, 303)[0]!;
    const file = await fileOf('.sst');
    expect(await cells.open()).toEqual({ condemned: undefined });
    await flip(file, (await readFile(file)).lastIndexOf(`value 303 of ${tablet}`) + 5);
    await expect(cells.get(tablet, [damagedCell])).rejects.toMatchObject({ code: 'Damaged' });
    await expect(cells.scan(tablet, everything)).rejects.toMatchObject({ code: 'Damaged' });
    await expect(cells.digest(tablet)).rejects.toMatchObject({ code: 'Damaged' });
    const elsewhere = writesOf(TABLETS[2]!, 399)[0]!;
    expect((await cells.get(TABLETS[2]!, [elsewhere]))[0]?.seq).toBe(399);
  });

  test('anywhere in an SST: nothing wrong is ever returned', { timeout: 60_000 }, async () => {
    await restore(inSst);
    const { length } = await readFile(await fileOf('.sst'));
    for (let i = 0; i < 40; i++) {
      await restore(inSst);
      const offset = Math.floor((length * (i + 0.37)) / 40);
      await flip(await fileOf('.sst'), offset);
      const seen = await verdict();
      // The last blocks hold filter, properties and index: a flip there may be harmless.
      if (offset < length * 0.95)
        expect(['condemned', 'damaged'], `byte ${offset} of ${length}`).toContain(seen);
    }
  });
});

describe('a store that cannot be whole is condemned, empty, and can be written again', () => {
  const damages: [string, () => Promise<void>][] = [
    ['a missing SST', async () => unlink(await fileOf('.sst'))],
    ['an SST cut short', async () => truncate(await fileOf('.sst'), 5000)],
    ['a MANIFEST that is not one', async () => writeFile(await fileOf('MANIFEST'), 'not a manifest')],
    ['a missing MANIFEST', async () => unlink(await fileOf('MANIFEST'))],
    ['a missing CURRENT', async () => unlink(join(folder, 'CURRENT'))],
  ];
  test.each(damages)('%s', async (_name, damage) => {
    await restore(inSst);
    await damage();
    const { condemned } = await cells.open();
    expect(condemned).toEqual(expect.any(String));
    expect(cells.applied(TABLETS[0]!)).toBe(0);
    await writeHistory(cells, 1, 20);
    await cells.close();
    expect(await verdict()).toBe('intact');
    expect(cells.applied(TABLETS[0]!)).toBe(20);
  });
});

describe('a store too big to be verified whole at each opening', () => {
  const big = () => (cells = new RocksCells({ folder, cacheBytes: 1, verifiedAtOpeningBytes: 0 }));
  const damage = async (): Promise<void> => {
    const file = await fileOf('.sst');
    // In a value: RocksDB's own structures stay readable.
    await flip(file, (await readFile(file)).lastIndexOf(`value 303 of ${TABLETS[1]!}`) + 5);
  };

  test('opens in spite of damage; the scrub finds it, and the next opening drops the store', async () => {
    await restore(inSst);
    await damage();
    expect(await big().open()).toEqual({ condemned: undefined });
    const { damage: found } = await cells.scrub();
    expect(found).toMatch(/\.sst: the block at byte \d+ fails its checksum/);
    await cells.close();
    expect((await big().open()).condemned).toBe(found);
    expect(cells.applied(TABLETS[0]!)).toBe(0);
    expect(await cells.scrub()).toEqual({ damage: undefined, isBehind: false });
  });

  test('is scrubbed file by file until all were verified, and again from the beginning', async () => {
    await restore(inSst);
    await rm(join(folder, 'verified'));
    await big().open();
    const behind: boolean[] = [];
    do behind.push((await cells.scrub()).isBehind);
    while (behind.at(-1));
    expect(behind.length).toBeLessThanOrEqual(
      (await readdir(folder)).filter((n) => n.endsWith('.sst')).length,
    );
    await damage();
    expect((await cells.scrub()).damage).toMatch(/fails its checksum/);
  });

  test('is verified whole once it was opened three times in a row without being closed', async () => {
    await restore(inSst);
    await damage();
    for (let opening = 1; opening <= 3; opening++) {
      // As if the process had been killed: a copy of the folder of a store that is open.
      expect(await big().open(), `opening ${opening}`).toEqual({ condemned: undefined });
      await cp(folder, `${folder}-killed`, { recursive: true });
      await cells.close();
      await rm(folder, { recursive: true });
      await cp(`${folder}-killed`, folder, { recursive: true });
      await rm(`${folder}-killed`, { recursive: true });
    }
    expect((await big().open()).condemned).toMatch(/fails its checksum/);
  });
});

test('a folder that another store has open is refused with what to do, and not condemned', async () => {
  await restore(inSst);
  await cells.open();
  const second = new RocksCells({ folder });
  const refusal = await second.open().catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(Fault);
  expect((refusal as Fault).message).toContain('in use');
  await cells.close();
  expect(await verdict()).toBe('intact');
});

test('a dropped tablet leaves no cell in the store, even if the process ends while it is being cleared', async () => {
  await cells.open();
  const tablet = tabletId('dropped');
  const write = (n: number) => ({
    space: SPACE.table,
    row: `r${n}`,
    column: 'c',
    seq: seq(1),
    content: { bytes: Buffer.from('x') },
  });
  await cells.write(
    tablet,
    seq(1),
    Array.from({ length: 25_000 }, (_, n) => write(n)),
  );
  await cells.drop(tablet);
  await cells.close();

  const cleared = new Promise<string>((resolve) => {
    const logger = pino({}, { write: (line: string) => line.includes('are cleared') && resolve(line) });
    cells = new RocksCells({ folder, logger });
  });
  await cells.open();
  expect(JSON.parse(await cleared)).toMatchObject({ tablet: 'dropped' });
  await cells.close();
  const binding = new RocksBinding(folder);
  await binding.open();
  const left: string[] = [];
  await binding.walk({ start: CELLS_FROM }, (key) => {
    if (Buffer.compare(key, CELLS_TO) < 0) left.push(key.toString('latin1'));
    return left.length < 3;
  });
  await binding.close();
  expect(left).toEqual([]);
});

test('cells of another form are dropped when the store opens, and are of this one from then on', async () => {
  await restore(inSst);
  for (const condemned of ['its cells are of form 1, and this release makes and reads form 2', undefined]) {
    cells = new RocksCells({ folder, form: 2 });
    expect(await cells.open()).toEqual({ condemned });
    expect(cells.applied(TABLETS[0]!)).toBe(condemned ? 0 : ENTRIES);
    if (condemned) await writeHistory(cells, 1, ENTRIES);
    await cells.close();
  }
});
