/**
 * A byte of a node's log that was changed behind its back is refused with place and reason, in the node's
 * log and in `penncloud status`, and the copy is healed from the others (rule 11).
 *
 * The node is stopped when the byte is flipped; so is the master, so that the others cannot heal the copy
 * before anybody has looked.
 */
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCluster, until, type Cluster } from './cluster.ts';

type Line = { level: number; file?: string; offset?: number; reason?: string };

const victim = 'node-3';
const ERROR = 50;

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ environment: { PENNCLOUD_SCRUB_SECONDS: '1' } });
}, 90_000);
afterAll(async () => void (await cluster?.stop()));

async function put(rows: readonly string[], value: (row: string) => string): Promise<void> {
  for (const row of rows)
    expect(await cluster.cli(['kv', 'put', row, 'c', value(row)])).toMatchObject({ code: 0 });
}

async function alarms(): Promise<string[]> {
  const { stdout } = await cluster.cli(['status', '--json']);
  return (JSON.parse(stdout.toString()) as { alarms: string[] }).alarms;
}

/** Where these bytes lie in a file of the victim's log with this ending. */
function placeOf(ending: string, bytes: string): { file: string; at: number } | undefined {
  const log = join(cluster.dataFolder, victim, 'log');
  for (const entry of readdirSync(log, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(ending)) continue;
    const file = join(entry.parentPath, entry.name);
    const at = readFileSync(file).indexOf(bytes);
    if (at >= 0) return { file, at };
  }
  return undefined;
}

/** Stops the victim, flips a bit in the middle of these bytes, and starts it again; the master stands still. */
async function tamper(ending: string, bytes: string, look: (file: string, at: number) => Promise<void>) {
  const node = cluster.pid(victim);
  await cluster.whileFrozen(['master'], async () => {
    process.kill(node, 'SIGSTOP');
    const { file, at } = placeOf(ending, bytes)!;
    const handle = openSync(file, 'r+');
    writeSync(handle, Buffer.of(Buffer.from(bytes)[3]! ^ 4), 0, 1, at + 3);
    closeSync(handle);
    await cluster.kill(victim);
    await cluster.restarted(victim, node);
    await look(file, at);
  });
}

/** What the node wrote down of this file. */
function linesOn(file: string): Line[] {
  return readFileSync(join(cluster.dataFolder, 'logs', `${victim}.log`), 'utf8')
    .split('\n')
    .filter((line) => line.includes(file))
    .map((line) => JSON.parse(line) as Line);
}

/** In the node's log and in the alarms: file, offset and reason. */
async function expectRefused(file: string, at: number): Promise<void> {
  const place = new RegExp(`${file.replaceAll('.', '\\.')} at (\\d+): \\S.*`);
  const alarm = await until('the alarm names the file', async () =>
    (await alarms()).find(
      (text) => text.startsWith(`${victim}: `) && text.includes('quarantined') && place.test(text),
    ),
  );
  const offset = Number(place.exec(alarm)![1]);
  // The record that holds the byte is what is refused.
  expect(offset).toBeLessThanOrEqual(at);
  expect(at - offset).toBeLessThan(4096);
  const lines = linesOn(file).filter(({ level }) => level >= ERROR);
  expect(lines.map((line) => JSON.stringify(line)).join('\n')).toContain(String(offset));
  expect(lines.some(({ reason }) => (reason ?? '').length > 10)).toBe(true);
}

async function expectHealed(rows: readonly string[], value: (row: string) => string): Promise<void> {
  await until('every copy is sound and in sync again', async () => (await alarms()).length === 0);
  for (const row of rows)
    expect((await cluster.cli(['kv', 'get', row, 'c'])).stdout.toString()).toBe(value(row));
  const verified = await cluster.cli(['replay', '--verify']);
  expect(verified, `${verified.stdout}\n${verified.stderr}`).toMatchObject({ code: 0 });
}

const ROWS = ['apple', 'night', 'zebra'];

test('a flipped bit in a segment', { timeout: 180_000 }, async () => {
  const value = (row: string): string => `what ${row} has in its segment`;
  await put(ROWS, value);
  // A clean stop: from here on the journal has nothing to repair the segment with.
  expect(await cluster.cli(['node', 'restart', victim])).toMatchObject({ code: 0 });
  await until('every copy is in sync again', async () => (await alarms()).length === 0);
  expect(placeOf('.segment', value('night'))).toBeDefined();
  await tamper('.segment', value('night'), expectRefused);
  await expectHealed(ROWS, value);
});

test('a flipped bit in the journal', { timeout: 180_000 }, async () => {
  const value = (row: string): string => `what ${row} has in the journal`;
  await put(ROWS, value);
  await until('it is in the journal', () => placeOf('.journal', value(ROWS[0]!)));
  await tamper('.journal', value(ROWS[0]!), expectRefused);
  await expectHealed(ROWS, value);
});
