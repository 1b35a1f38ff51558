/**
 * The sixteen queues of mail to other systems, read as one. Each queue is asked once, so that what is told of it is of
 * one moment; a page is merged from the beginnings of all of them, for their keys are in one order. What always holds:
 *
 *   a bounded number of cells is read, however much waits: beyond COUNTED_MAX a queue is counted as "at least"
 *   a queue that does not answer in time is named, and keeps nobody from seeing the others
 */
import type { Lease } from '../../domain/outbound/events.ts';
import { OUTBOUND_STREAMS, outboundStream } from '../../domain/streams.ts';
import { readQueuedItem, readQueueLease, type QueuedItem } from '../../projections/outbound.ts';
import { dueRow, heldRow, itemStateCell, leaseCell, parseDueOrder } from '../../projections/outbound-keys.ts';
import type { ReadCell, StoreClient } from '../../storage-nodes/client/client.ts';
import { pageOf, rowScan, scanFor, type ColumnRange, type Cursor, type Page } from '../pages/paging.ts';
import { cellOf } from '../pages/visit.ts';

export const ITEMS_PER_PAGE = 25;
const COUNTED_MAX = 250;
const ANSWER_WAIT_MS = 1_500;

/** `waiting`: in the order of their next try; `held`: in the order in which they came. */
export type QueuePart = 'waiting' | 'held';
export type Count = { readonly atLeast: number; readonly isMore: boolean };
export type QueueLeaseRead = { readonly queue: string; readonly lease: Lease | undefined };

export type QueuesRead = {
  readonly waiting: Count;
  readonly held: Count;
  readonly page: Page<QueuedItem>;
  /** Of the queues that answered. */
  readonly leases: readonly QueueLeaseRead[];
  /** For each queue that something waits in: when its first try is due. */
  readonly firstDue: readonly { readonly queue: string; readonly at: number }[];
  /** The queues that did not answer in time. */
  readonly silent: readonly string[];
};

export async function readQueues(store: StoreClient, part: QueuePart, cursor: Cursor): Promise<QueuesRead> {
  const range = scanFor(cursor, ITEMS_PER_PAGE);
  const asked = await Promise.all(
    OUTBOUND_STREAMS.map(async (queue) => ({ queue, read: await readQueue(store, queue, part, range) })),
  );
  const read = asked.flatMap(({ read: one }) => (one === undefined ? [] : [one]));
  const waiting = added(read.map((one) => one.waiting.length));
  const held = added(read.map((one) => one.held.length));
  const scanned = read
    .flatMap((one) => one.shown)
    .sort((a, b) => (a < b ? -1 : 1) * (range.reverse ? -1 : 1))
    .slice(0, range.limit);
  const total = (part === 'waiting' ? waiting : held).atLeast;
  const places = pageOf(cursor, scanned, ITEMS_PER_PAGE, total, (column) => column);
  return {
    waiting,
    held,
    page: { ...places, rows: await readItems(store, places.rows) },
    leases: read.map(({ queue, lease }) => ({ queue, lease })),
    firstDue: read.flatMap(({ queue, waiting: [first] }) => {
      const place = first === undefined ? undefined : parseDueOrder(first);
      return place === undefined ? [] : [{ queue, at: place.at }];
    }),
    silent: asked.filter((one) => one.read === undefined).map(({ queue }) => queue),
  };
}

/** Undefined: all of its recipients are done, or there was never such an item. */
export async function readItem(store: StoreClient, itemId: string): Promise<QueuedItem | undefined> {
  const queue = outboundStream(itemId);
  const { results } = await store.read(queue, [{ get: itemStateCell(queue, itemId) }]);
  const cell = results[0]?.[0];
  return cell === undefined ? undefined : readQueuedItem(await store.bytes(cell));
}

type OneQueue = {
  readonly queue: string;
  /** Columns of its rows, as are `held` and `shown`. */
  readonly waiting: readonly string[];
  readonly held: readonly string[];
  readonly shown: readonly string[];
  readonly lease: Lease | undefined;
};

async function readQueue(
  store: StoreClient,
  queue: string,
  part: QueuePart,
  range: ColumnRange,
): Promise<OneQueue | undefined> {
  const counting: ColumnRange = { reverse: false, limit: COUNTED_MAX + 1 };
  const queries = [
    rowScan(dueRow(queue), counting),
    rowScan(heldRow(queue), counting),
    rowScan(part === 'waiting' ? dueRow(queue) : heldRow(queue), range),
    { get: leaseCell(queue) },
  ];
  try {
    const { results } = await store.read(queue, queries, { deadlineMs: ANSWER_WAIT_MS });
    const [waiting, held, shown] = results.map(columnsOf);
    return {
      queue,
      waiting: waiting ?? [],
      held: held ?? [],
      shown: shown ?? [],
      lease: cellOf(results[3], readQueueLease),
    };
  } catch {
    return undefined;
  }
}

function columnsOf(cells: readonly ReadCell[]): string[] {
  return cells.map(({ column }) => column);
}

function added(counts: readonly number[]): Count {
  return {
    atLeast: counts.reduce((sum, count) => sum + Math.min(count, COUNTED_MAX), 0),
    isMore: counts.some((count) => count > COUNTED_MAX),
  };
}

/** What was done since its place was read is left out. */
async function readItems(store: StoreClient, columns: readonly string[]): Promise<QueuedItem[]> {
  const ids = columns.flatMap((column) => parseDueOrder(column)?.itemId ?? []);
  const items = await Promise.all(ids.map((itemId) => readItem(store, itemId)));
  return items.flatMap((item) => item ?? []);
}
