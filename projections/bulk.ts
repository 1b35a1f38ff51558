/** How far changes to many conversations have come: a step is done when its reaction is settled. */
import type { BulkStarted, BulkUndone } from '../domain/mail/events.ts';
import type { ReactionSettled } from '../domain/mail/settled.ts';
import { cellFormat, flag, natural, record } from './cell-format.ts';
import { bulkCell } from './keys.ts';
import type { CellKey, Mutation, Projection } from './projection.ts';

export type BulkProgress = {
  readonly startedAt: number;
  readonly conversations: number;
  readonly pages: number;
  readonly done: number;
  readonly undone: boolean;
  /** Steps that were unmade. */
  readonly unmade: number;
};

const progress = cellFormat<BulkProgress>(
  'the progress of a bulk',
  record({
    startedAt: natural,
    conversations: natural,
    pages: natural,
    done: natural,
    undone: flag,
    unmade: natural,
  }),
);

/** Throws on bytes that this projection cannot have written. */
export const readBulkProgress = (bytes: Uint8Array): BulkProgress => progress.read(bytes);

type Heard = BulkStarted | BulkUndone | ReactionSettled;
const types: readonly Heard['type'][] = ['mail.BulkStarted', 'mail.BulkUndone', 'platform.ReactionSettled'];

export const bulkProjection: Projection = {
  name: 'bulk',
  listensTo: new Set(types),
  priors(event: Heard, entry): CellKey[] {
    const id = event.type === 'mail.BulkStarted' ? undefined : bulkOf(event);
    return id === undefined ? [] : [bulkCell(entry.stream, id)];
  },
  project(event: Heard, entry, _content, prior): Mutation[] {
    const id = bulkOf(event);
    if (id === undefined) return [];
    const cell = bulkCell(entry.stream, id);
    if (event.type === 'mail.BulkStarted') {
      const { conversations, pages } = event.data;
      const begun = { startedAt: entry.time, conversations, pages, done: 0, undone: false, unmade: 0 };
      return [{ put: cell, value: { bytes: progress.write(begun) } }];
    }
    const bytes = prior(cell);
    if (bytes === undefined) return [];
    const next = advanced(progress.read(bytes), event);
    return [{ put: cell, value: { bytes: progress.write(next) } }];
  },
};

function advanced(before: BulkProgress, event: BulkUndone | ReactionSettled): BulkProgress {
  if (event.type === 'mail.BulkUndone') return { ...before, undone: true };
  if (event.data.command === 'mail.CarryOutBulk') return { ...before, done: before.done + 1 };
  return { ...before, unmade: before.unmade + 1 };
}

function bulkOf(event: Heard): string | undefined {
  if (event.type !== 'platform.ReactionSettled') return event.data.bulkId;
  const { command, data } = event.data;
  if (command !== 'mail.CarryOutBulk' && command !== 'mail.UndoBulkStep') return undefined;
  const { bulkId } = data as { readonly bulkId?: unknown };
  return typeof bulkId === 'string' ? bulkId : undefined;
}
