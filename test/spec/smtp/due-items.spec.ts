/**
 * What of a queue is taken up next, over a row of cells in memory: whatever one account has due and however long that
 * takes, what others have due is taken up after a bounded number of looks, and nothing twice.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AHEAD_MAX, DueItems } from '../../../gateways/smtp/outbound/queue/due-items.ts';
import type { QueuedItem } from '../../../projections/outbound.ts';
import { dueOrderOf } from '../../../projections/outbound-keys.ts';
import type { ReadCell, ReadQuery, StoreClient } from '../../../storage-nodes/client/client.ts';

const seed = Number(process.env['PENNCLOUD_SEED'] ?? Date.now() % 2 ** 31);
const SHARE = AHEAD_MAX / 4;
const QUEUE = '~outbound/0';

type Item = { readonly id: string; readonly account: string; readonly dueAt: number };

const letters = 'abcdefghijklmnopqrstuvwxyz';
/** 26 characters, one for each number. */
const idOf = (number: number): string =>
  [...String(number).padStart(26, '0')].map((digit) => letters[Number(digit)]).join('');

/** As a store reads the queue's row: in order, or from its end on. */
class Row {
  readonly items = new Map<string, Item>();
  #sorted: readonly { readonly column: string; readonly item: Item }[] | undefined;
  reads = 0;

  add(item: Item): void {
    this.items.set(item.id, item);
    this.#sorted = undefined;
  }

  remove(id: string): void {
    this.items.delete(id);
    this.#sorted = undefined;
  }

  get store(): StoreClient {
    return {
      read: async (_row: string, queries: readonly ReadQuery[]) => ({
        results: queries.map((query) => this.#scan(query)),
      }),
      bytes: async (cell: ReadCell) => {
        this.reads++;
        return cell.bytes!;
      },
    } as unknown as StoreClient;
  }

  #scan(query: ReadQuery): ReadCell[] {
    if (!('scan' in query)) throw new Error('only scans are expected');
    const { from, to, limit, reverse = false } = query.scan;
    this.#sorted ??= [...this.items.values()]
      .map((item) => ({ column: dueOrderOf(item.dueAt, item.id), item }))
      .sort((a, b) => (a.column < b.column ? -1 : 1));
    const inside = this.#sorted.filter(
      ({ column }) => column >= from.column && (to === null || column < to.column),
    );
    const some = reverse ? inside.slice(-limit).reverse() : inside.slice(0, limit);
    return some.map(({ column, item: { id, account } }) => ({
      row: from.row,
      column,
      bytes: Buffer.from(JSON.stringify({ id, account })),
    })) as unknown as ReadCell[];
  }
}

/** A worker's looks: what is taken up stays in work until it is done. */
function worker(row: Row) {
  const due = new DueItems(row.store, QUEUE);
  const inWork = new Map<string, QueuedItem>();
  return {
    inWork,
    async look(): Promise<readonly string[]> {
      if (inWork.size >= AHEAD_MAX) return [];
      const { ids, nextAt } = await due.next(inWork);
      expect(ids.filter((id) => inWork.has(id) || !row.items.has(id))).toEqual([]);
      expect(new Set(ids).size).toBe(ids.length);
      for (const id of ids) inWork.set(id, row.items.get(id) as unknown as QueuedItem);
      expect(inWork.size).toBeLessThanOrEqual(AHEAD_MAX);
      const of = new Map<string, number>();
      for (const { account } of inWork.values()) of.set(account, (of.get(account) ?? 0) + 1);
      for (const count of of.values()) expect(count).toBeLessThanOrEqual(SHARE);
      const waits = [...row.items.values()].some(
        ({ id, dueAt }) => !inWork.has(id) && dueAt > Date.now() + 60_000,
      );
      if (waits && row.items.size <= AHEAD_MAX) expect(nextAt).toBeDefined();
      return ids;
    },
    done(id: string): void {
      inWork.delete(id);
      row.remove(id);
    },
  };
}

const some = fc.record({
  /** Of accounts whose letters never end; each may take a quarter of the places. */
  slow: fc.array(fc.constantFrom(10, 60, 300, 1_000, 2_500), { minLength: 1, maxLength: 3 }),
  /** Where the others' lie, from the earliest to the latest due. */
  others: fc.array(fc.integer({ min: 0, max: 999 }), { minLength: 1, maxLength: 80 }),
  /** Put off until much later, in front of nobody. */
  later: fc.nat({ max: 300 }),
});

describe(`what is due (seed ${seed})`, () => {
  it('of one account is taken up however much of another one’s never ends, wherever it lies', async () => {
    await fc.assert(
      fc.asyncProperty(some, async ({ slow, others, later }) => {
        const row = new Row();
        const now = Date.now();
        let number = 0;
        const add = (account: string, place: number) =>
          row.add({ id: idOf(number++), account, dueAt: now - 1_000_000 + Math.floor(place * 999_000) });
        slow.forEach((count, account) => {
          for (let i = 0; i < count; i++) add(`slow${account}`, i / count);
        });
        others.forEach((place, i) => add(`other${i % 7}`, place / 1_000));
        for (let i = 0; i < later; i++) row.add({ id: idOf(number++), account: 'later', dueAt: now + 1e9 });
        const { look, done } = worker(row);
        const waiting = new Set(
          [...row.items.values()].filter(({ account }) => account.startsWith('other')).map(({ id }) => id),
        );
        // A page further on at each look, and twice: the first page may have begun in the middle.
        const looks = 2 * Math.ceil(row.items.size / AHEAD_MAX) + 4;
        for (let i = 0; i < looks && waiting.size > 0; i++) {
          for (const id of await look()) {
            if (!waiting.delete(id)) continue;
            done(id);
          }
        }
        expect([...waiting]).toEqual([]);
      }),
      { seed, numRuns: 60 },
    );
  });

  it('is all taken up in the end, each once, in whatever order it is done', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 5 }),
        fc.infiniteStream(fc.nat()),
        async (counts, stream) => {
          const row = new Row();
          const now = Date.now();
          let number = 0;
          counts.forEach((count, account) => {
            for (let i = 0; i < count; i++)
              row.add({ id: idOf(number++), account: `a${account}`, dueAt: now - 10_000 + (i % 9_000) });
          });
          const { look, done, inWork } = worker(row);
          const taken: string[] = [];
          for (let idle = 0; row.items.size > 0 && idle < 50;) {
            const ids = await look();
            taken.push(...ids);
            idle = ids.length > 0 || inWork.size > 0 ? 0 : idle + 1;
            const working = [...inWork.keys()];
            const ends = 1 + (stream.next().value % Math.max(1, working.length));
            for (const id of working.slice(-ends)) done(id);
          }
          expect(row.items.size).toBe(0);
          expect(taken.length).toBe(number);
          expect(new Set(taken).size).toBe(number);
        },
      ),
      { seed, numRuns: 40 },
    );
  });
});
