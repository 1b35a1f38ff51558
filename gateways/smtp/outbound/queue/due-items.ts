/**
 * What of a queue is to be taken up next: what is due, the earliest first, for each account up to its share of the
 * places, so that one with much that is slow leaves room for all others.
 *
 * Where such an account has more due than is read at a time, the items of others lie behind it: then the newest that
 * are due are read too, where what others write appears, and a page further on at each look, until all were seen.
 */
import type { QueuedItem } from '../../../../projections/outbound.ts';
import { readDueItem } from '../../../../projections/outbound.ts';
import { dueOrderOf, dueRow, parseDueOrder } from '../../../../projections/outbound-keys.ts';
import type { ReadCell, StoreClient } from '../../../../storage-nodes/client/client.ts';

/** Items in work at a time. */
export const AHEAD_MAX = 200;
/** Of them for one account. */
const SHARE_MAX = AHEAD_MAX / 4;
/** Between two looks at the pages of a crowded queue. */
const CROWDED_LOOK_MS = 250;

type Due = {
  /** To be taken up. */
  readonly ids: string[];
  /** When to look again; undefined: nothing was seen that will be due. */
  readonly nextAt: number | undefined;
};

export class DueItems {
  readonly #store: StoreClient;
  readonly #queue: string;
  /** There was more due than was read, of accounts that have their share. */
  #isCrowded = false;
  /** Where the next page further on begins; '': at the beginning. */
  #furtherOn = '';

  constructor(store: StoreClient, queue: string) {
    this.#store = store;
    this.#queue = queue;
  }

  /** `inWork`: by id, fewer than AHEAD_MAX, as they were before the call. */
  async next(inWork: ReadonlyMap<string, QueuedItem>): Promise<Due> {
    const now = Date.now();
    const beginning = this.#scan('', inWork.size + AHEAD_MAX);
    const newest = { ...this.#scan('', AHEAD_MAX), to: this.#place(dueOrderOf(now + 1, '')), reverse: true };
    const scans = this.#isCrowded ? [beginning, newest, this.#scan(this.#furtherOn, AHEAD_MAX)] : [beginning];
    const queries = scans.map((scan) => ({ scan }));
    const { results } = await this.#store.read(this.#queue, queries);
    const [first = [], , further = []] = results;
    const places = new Map<string, { readonly at: number; readonly cell: ReadCell }>();
    for (const cell of results.flat()) {
      const place = parseDueOrder(cell.column);
      if (place !== undefined && !inWork.has(place.itemId)) places.set(place.itemId, { at: place.at, cell });
    }
    const { ids, isPassedOver } = await this.#taken(places, inWork, now);
    this.#furtherOn = further.length < AHEAD_MAX ? '' : `${further.at(-1)!.column}\u0001`;
    this.#isCrowded = isPassedOver && first.length === beginning.limit;
    const times = [...places.values()].map(({ at }) => at).filter((at) => at > now);
    if (this.#isCrowded) times.push(now + CROWDED_LOOK_MS);
    return { ids, nextAt: times.length === 0 ? undefined : Math.min(...times) };
  }

  async #taken(
    places: ReadonlyMap<string, { readonly at: number; readonly cell: ReadCell }>,
    inWork: ReadonlyMap<string, QueuedItem>,
    now: number,
  ): Promise<{ ids: string[]; isPassedOver: boolean }> {
    const taken = new Map<string, number>();
    for (const { account } of inWork.values()) taken.set(account, (taken.get(account) ?? 0) + 1);
    const ids: string[] = [];
    let isPassedOver = false;
    for (const [id, { at, cell }] of places) {
      if (inWork.size + ids.length >= AHEAD_MAX) break;
      if (at > now) continue;
      const { account } = readDueItem(await this.#store.bytes(cell));
      const has = taken.get(account) ?? 0;
      if (has >= SHARE_MAX) {
        isPassedOver = true;
        continue;
      }
      taken.set(account, has + 1);
      ids.push(id);
    }
    return { ids, isPassedOver };
  }

  #scan(column: string, limit: number) {
    return { from: this.#place(column), to: this.#place('~'), limit };
  }

  #place(column: string): { row: string; column: string } {
    return { row: dueRow(this.#queue), column };
  }
}
