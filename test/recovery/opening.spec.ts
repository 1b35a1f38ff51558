/**
 * What a node reads when it opens, and what memory it takes, do not grow with what it holds. A store of N
 * entries and one of 10 N are opened by processes of their own, until they serve.
 */
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildStore } from '../../ops/bench/built-store.ts';
import { openApart } from '../../ops/bench/opening-apart.ts';
import type { Opening } from '../../ops/bench/opening.ts';

const MIB = 1024 * 1024;
const N = 2400;
const SMALL_FILES = { journalSegmentBytes: 2 * MIB, tabletSegmentBytes: MIB };
const OPTIONS = { ...SMALL_FILES, verifiedAtOpeningBytes: MIB };
/** What RocksDB may have in its write-ahead log, which it reads again: three write buffers. */
const MEMORY_TABLES_BYTES = 24 * MIB;

let folder: string;
let little: string;
let much: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penncloud-opening-'));
  little = join(folder, 'little');
  much = join(folder, 'much');
  await buildStore({ folder: little, entries: N, valueBytes: 4000, log: SMALL_FILES });
  await buildStore({ folder: much, entries: 10 * N, valueBytes: 4000, log: SMALL_FILES });
  // Their tablets have no configuration before.
  for (const store of [little, much]) await openApart(store, { ...OPTIONS, end: 'stop' });
}, 300_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const bytesOf = (path: string): number =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);

function expectNoMore(of10N: Opening, ofN: Opening): void {
  expect(bytesOf(much)).toBeGreaterThan(6 * bytesOf(little));
  // Ten times the entries: less than twice the bytes, of which both read few.
  expect(of10N.log.bytesRead).toBeLessThan(2 * ofN.log.bytesRead + 64 * 1024);
  expect(of10N.cells.bytesRead).toBeLessThan(ofN.cells.bytesRead + MEMORY_TABLES_BYTES);
  expect(of10N.logBytesRead).toBeLessThan(2 * ofN.logBytesRead + MIB);
}

test('after a clean stop nothing of the log is read again', { timeout: 120_000 }, async () => {
  const ofN = await openApart(little, { ...OPTIONS, end: 'stop' });
  const of10N = await openApart(much, { ...OPTIONS, end: 'stop' });
  expect(of10N.log.bytesRead).toBeLessThan(256 * 1024);
  expectNoMore(of10N, ofN);
});

test(
  'after a kill as much is read as was written since the checkpoint, whatever was there before',
  { timeout: 120_000 },
  async () => {
    for (const store of [little, much]) await openApart(store, { ...OPTIONS, end: 'kill', puts: 300 });
    const ofN = await openApart(little, { ...OPTIONS, end: 'stop' });
    const of10N = await openApart(much, { ...OPTIONS, end: 'stop' });
    expectNoMore(of10N, ofN);
  },
);

test(
  'with less memory than it holds data a node serves any of its cells, and starts again',
  { timeout: 240_000 },
  async () => {
    const memoryBytes = 192 * MIB;
    expect(bytesOf(much)).toBeGreaterThan(memoryBytes);
    const reads = { reads: 60, entriesPerTablet: Math.floor((10 * N) / 12) };
    for (const end of ['kill', 'stop'] as const) {
      const { readsFound } = await openApart(much, { ...OPTIONS, ...reads, end, puts: 300 }, memoryBytes);
      expect(readsFound).toBe(60 * 12);
    }
  },
);

test(
  'index files are never believed: with wrong ones, or none, every entry is read as it is',
  { timeout: 120_000 },
  async () => {
    const files = readdirSync(join(little, 'log', 'tablets'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.index'))
      .map((name) => join(little, 'log', 'tablets', name));
    expect(files.length).toBeGreaterThanOrEqual(12);
    // Sound files, but of other segments.
    const contents = files.map((path) => readFileSync(path));
    for (const [i, path] of files.entries()) writeFileSync(path, contents[(i + 1) % files.length]!);
    const reads = { reads: 20, entriesPerTablet: Math.floor(N / 12) };
    const { readsFound } = await openApart(little, { ...OPTIONS, ...reads, end: 'stop' });
    expect(readsFound).toBe(20 * 12);
    for (const path of files) await rm(path, { force: true });
    expect((await openApart(little, { ...OPTIONS, ...reads, end: 'stop' })).readsFound).toBe(20 * 12);
  },
);
