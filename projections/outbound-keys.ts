/** The rows and columns of the queues of outbound mail; `queue` is always one of OUTBOUND_STREAMS. */
import type { Time } from '../domain/decider.ts';
import { OUTBOUND_STREAMS } from '../domain/streams.ts';
import type { CellKey } from './projection.ts';

export type QueueRowName =
  | { readonly kind: 'due mail' | 'held mail' | 'queue lease'; readonly queue: string }
  | { readonly kind: 'queued mail'; readonly queue: string; readonly itemId: string };

export const dueRow = (queue: string): string => `${queue}/due`;
export const dueCell = (queue: string, at: Time, itemId: string): CellKey => ({
  row: dueRow(queue),
  column: dueOrderOf(at, itemId),
});
export const heldRow = (queue: string): string => `${queue}/held`;
/** `queuedAt`: when the item joined the queue. */
export const heldCell = (queue: string, queuedAt: Time, itemId: string): CellKey => ({
  row: heldRow(queue),
  column: dueOrderOf(queuedAt, itemId),
});
const itemRow = (queue: string, itemId: string): string => `${queue}/item/${itemId}`;
export const itemStateCell = (queue: string, itemId: string): CellKey => ({
  row: itemRow(queue, itemId),
  column: 'state',
});
export const itemRawCell = (queue: string, itemId: string): CellKey => ({
  row: itemRow(queue, itemId),
  column: 'raw',
});
export const leaseCell = (queue: string): CellKey => ({ row: `${queue}/lease`, column: 'lease' });

/** Earliest first, and by id within a millisecond: 14 decimal digits, '-', the item's id. */
export function dueOrderOf(at: Time, itemId: string): string {
  return `${String(at).padStart(TIME_DIGITS, '0')}-${itemId}`;
}

/** Undefined for a column that `dueOrderOf` cannot have made. */
export function parseDueOrder(column: string): { at: Time; itemId: string } | undefined {
  const found = /^(\d{14})-([a-z2-7]{26}(?:-in)?(?:\.[fa]\.[a-z0-9._-]{2,32})?)$/.exec(column);
  return found ? { at: Number(found[1]), itemId: String(found[2]) } : undefined;
}

const TIME_DIGITS = 14;

/** Undefined for a row that no builder above can have made. */
export function parseQueueRow(row: string): QueueRowName | undefined {
  const queue = OUTBOUND_STREAMS.find((stream) => row.startsWith(`${stream}/`));
  if (queue === undefined) return undefined;
  const [kind = '', itemId = '', ...more] = row.slice(queue.length + 1).split('/');
  if (kind === 'item')
    return itemId && more.length === 0 ? { kind: 'queued mail', queue, itemId } : undefined;
  if (itemId !== '' || more.length > 0) return undefined;
  switch (row.slice(queue.length + 1)) {
    case 'due':
      return { kind: 'due mail', queue };
    case 'held':
      return { kind: 'held mail', queue };
    case 'lease':
      return { kind: 'queue lease', queue };
    default:
      return undefined;
  }
}
