/**
 * KV-4, KV-5, FE-1: a storage node is killed while clients write to tablets that it leads. Clients see
 * latency, no errors; nothing acknowledged is missing; the node comes back by what it missed. How long
 * writes stood still is printed, not asserted.
 */
import { describe, expect, it } from 'vitest';
import { startWriters } from '../integration/kv-writers.ts';
import { allInSync, clusterForAll, until } from './cluster.ts';

const ROW = 'house';
const WRITERS = 8;
const KILLS = 3;

const its = clusterForAll();

async function primaryOf(row: string): Promise<string> {
  const tablets = await its.store.tablets();
  return tablets.find(({ from, to }) => row >= from && (to === null || row < to))!.primary;
}

describe('killing the primary under load', () => {
  const acknowledged = new Set<string>();
  const gaps: number[] = [];

  it(`loses nothing and shows no error, ${KILLS} times`, { timeout: 180_000 }, async () => {
    for (let kill = 0; kill < KILLS; kill++) {
      const writers = startWriters(its.store, [ROW], WRITERS);
      const primary = await primaryOf(ROW);
      await until('writes flow', () => writers.acknowledged.length > 200);
      const before = await its.cluster.kill(primary);
      const sofar = writers.acknowledged.length;
      await until('writes flow again', () => writers.acknowledged.length > sofar + 500);
      await writers.stop();
      for (const { column } of writers.acknowledged) acknowledged.add(column);
      gaps.push(writers.longestGap());
      await its.cluster.restarted(primary, before);
      await allInSync(its.store);
    }
    console.log(
      `[figure] longest time without an acknowledged write: ${gaps.map((gap) => `${Math.round(gap)} ms`).join(', ')}`,
    );
  });

  it('has every acknowledged value', async () => {
    const found = new Map<string, string>();
    let from = { row: ROW, column: '' };
    for (;;) {
      const { results } = await its.store.read(ROW, [
        { scan: { from, to: { row: `${ROW}\u0001`, column: '' }, limit: 1000 } },
      ]);
      for (const cell of results[0]!) found.set(cell.column, cell.bytes!.toString());
      if (results[0]!.length < 1000) break;
      from = { row: ROW, column: `${results[0]!.at(-1)!.column}\u0001` };
    }
    const missing = [...acknowledged].filter((column) => found.get(column) !== column);
    expect(missing).toEqual([]);
  });

  it('agrees on every replica, replayed and live', { timeout: 120_000 }, async () => {
    const verified = await its.cluster.cli(['replay', '--verify']);
    expect(verified, `${verified.stdout}\n${verified.stderr}`).toMatchObject({ code: 0 });
  });
});
