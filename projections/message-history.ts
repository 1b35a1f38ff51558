/**
 * What has happened to a message since it came: one small cell for each message, with the entry, the time and the
 * change of each event that named it. Its arrival is not in it: the message's own cell says which entry that is,
 * so that taking mail in costs nothing here, and a message that nobody has touched has no cell. What always holds:
 *
 *   a cell holds the newest HAPPENINGS_MAX, oldest first, and how many older ones it has let go
 *   the cell goes with its message
 *
 * Of one's own messages the cell begins with their sending, so that deliveries find it.
 */
import type { DomainEvent, Time } from '../domain/decider.ts';
import type {
  MemberChange,
  MessageReleased,
  MessageScheduled,
  MessagesChanged,
} from '../domain/mail/events.ts';
import type { MessagesDeleted, MessageSent, SendingCancelled, Unsubscribed } from '../domain/mail/events.ts';
import { decodeText } from '../domain/fields.ts';
import { asToday, EARLIER_TYPES, type EarlierEvent } from '../domain/mail/earlier-events.ts';
import type { Folder } from '../domain/mail/folders.ts';
import { settledDelivery, type ReactionSettled } from '../domain/mail/settled.ts';
import { cut } from '../domain/mail/message/summary.ts';
import { cellFormat, flag, listOf, natural, oneOf, optional, orNull, record, text } from './cell-format.ts';
import { historyCell } from './keys.ts';
import type { CellKey, EntryFacts, Mutation, PriorCells, Projection } from './projection.ts';

export const HAPPENINGS_MAX = 120;
const OUTCOME_CHARACTERS_MAX = 300;

const WHAT = ['sent', 'scheduled', 'released', 'delivered', 'changed', 'unsubscribed'] as const;
/** By hand; among many at once; by undoing; because its time had come. */
const HOW = ['hand', 'bulk', 'undo', 'time'] as const;

export type Happening = {
  /** The entry of the tablet's log. */
  readonly seq: number;
  readonly at: Time;
  readonly what: (typeof WHAT)[number];
  readonly how: (typeof HOW)[number];
  /** Of a change: where it lay, and where it lies since; the same if it was not moved. */
  readonly from?: Folder;
  readonly folder?: Folder;
  readonly read?: boolean;
  readonly starred?: boolean;
  /** Out of sight, or to be brought back, until then. */
  readonly until?: Time | null;
  /** Of a delivery: the recipient's account. */
  readonly to?: string;
  /** Of a delivery: why it was refused. */
  readonly code?: string;
  /** Of a wish to leave a list: what came of it. */
  readonly outcome?: string;
};

export type MessageHistory = {
  readonly happenings: readonly Happening[];
  /** Older ones that are not listed any more. */
  readonly left: number;
};

const history = cellFormat<MessageHistory>(
  'the history of a message',
  record({
    happenings: listOf(
      record<Happening>({
        seq: natural,
        at: natural,
        what: oneOf(...WHAT),
        how: oneOf(...HOW),
        from: optional(text),
        folder: optional(text),
        read: optional(flag),
        starred: optional(flag),
        until: optional(orNull(natural)),
        to: optional(text),
        code: optional(text),
        outcome: optional(text),
      }),
    ),
    left: natural,
  }),
);

/** Throws on bytes that this projection cannot have written. */
export const readMessageHistory = (bytes: Uint8Array): MessageHistory => history.read(bytes);

type Heard =
  | MessageSent
  | MessageScheduled
  | MessageReleased
  | SendingCancelled
  | MessagesChanged
  | MessagesDeleted
  | Unsubscribed
  | ReactionSettled;
const types: readonly (Heard['type'] | EarlierEvent['type'])[] = [
  'mail.MessageSent',
  'mail.MessageScheduled',
  'mail.MessageReleased',
  'mail.SendingCancelled',
  'mail.MessagesChanged',
  'mail.MessagesDeleted',
  'mail.Unsubscribed',
  'platform.ReactionSettled',
  ...EARLIER_TYPES,
];

export const messageHistoryProjection: Projection = {
  name: 'message-history',
  listensTo: new Set(types),

  priors: (event: DomainEvent, { stream }): CellKey[] =>
    longer(heard(event)).map((id) => historyCell(stream, id)),

  project(given: DomainEvent, entry, content, prior): Mutation[] {
    const event = heard(given);
    const fact = { seq: entry.seq, at: entry.time };
    const gone = (ids: readonly string[]) => ids.map((id) => ({ delete: historyCell(entry.stream, id) }));
    switch (event.type) {
      case 'mail.MessageSent':
        return [
          begun(event.data.messageId, { ...fact, what: 'sent', how: 'hand' }, entry),
          ...gone(event.data.draftId === undefined ? [] : [event.data.draftId]),
        ];
      case 'mail.MessageScheduled': {
        const { messageId, dueAt } = event.data;
        return [begun(messageId, { ...fact, what: 'scheduled', how: 'hand', until: dueAt }, entry)];
      }
      case 'mail.MessageReleased': {
        const { messageId, draftId } = event.data;
        const released = { ...fact, what: 'released', how: 'time' } as const;
        return [...added(messageId, released, entry, prior), ...gone(draftId === null ? [] : [draftId])];
      }
      case 'mail.SendingCancelled':
        return gone([event.data.messageId]);
      case 'mail.MessagesChanged':
        return event.data.members.map((member) =>
          written(
            member.id,
            { ...fact, what: 'changed', how: howOf(event, entry), ...changeOf(member) },
            entry,
            prior,
          ),
        );
      case 'mail.MessagesDeleted':
        return gone(event.data.members.map(({ id }) => id));
      case 'mail.Unsubscribed': {
        const outcome = cut(decodeText(content.bytes(0)) ?? '', OUTCOME_CHARACTERS_MAX);
        const asked = { ...fact, what: 'unsubscribed', how: 'hand', outcome } as const;
        return [written(event.data.messageId, asked, entry, prior)];
      }
      case 'platform.ReactionSettled':
        return delivered(event, entry, prior);
    }
  },
};

function heard(event: DomainEvent): Heard {
  return asToday<DomainEvent>(event) as Heard;
}

/** The messages whose history goes on. */
function longer(event: Heard): string[] {
  switch (event.type) {
    case 'mail.MessageReleased':
    case 'mail.Unsubscribed':
      return [event.data.messageId];
    case 'mail.MessagesChanged':
      return event.data.members.map(({ id }) => id);
    case 'platform.ReactionSettled': {
      const delivery = settledDelivery(event);
      return delivery === undefined ? [] : [delivery.messageId];
    }
    case 'mail.MessageSent':
    case 'mail.MessageScheduled':
    case 'mail.SendingCancelled':
    case 'mail.MessagesDeleted':
      return [];
  }
}

/** What a reaction of the stream to itself does, no hand did: its actor is the stream. */
function howOf({ data }: MessagesChanged, { stream, actor }: EntryFacts): Happening['how'] {
  if (data.undoes !== undefined || data.bulk?.undo === true) return 'undo';
  if (data.bulk !== undefined) return 'bulk';
  return actor === stream ? 'time' : 'hand';
}

function changeOf({ folder: from, to }: MemberChange): Partial<Happening> {
  const { folder, read, starred, until } = to;
  return {
    from,
    folder: folder ?? from,
    ...(read !== undefined && { read }),
    ...(starred !== undefined && { starred }),
    ...(until !== undefined && { until }),
  };
}

/** Of messages that were received: what a rule forwarded of them is no delivery of one's own, and has no cell. */
function delivered(event: ReactionSettled, entry: EntryFacts, prior: PriorCells): Mutation[] {
  const delivery = settledDelivery(event);
  if (delivery === undefined) return [];
  const { messageId, recipient: to } = delivery;
  const { outcome, code = 'refused' } = event.data;
  const happening = { seq: entry.seq, at: entry.time, what: 'delivered', how: 'time', to } as const;
  return added(
    messageId,
    { ...happening, ...(outcome === 'refused' && { code }) },
    entry,
    prior,
    // A message to oneself that a rule forwards to one of its recipients reaches that one once.
    ({ happenings }) => !happenings.some((other) => other.to === to),
  );
}

function begun(id: string, first: Happening, { stream }: EntryFacts): Mutation {
  const bytes = history.write({ happenings: [first], left: 0 });
  return { put: historyCell(stream, id), value: { bytes } };
}

/** Nothing for a message without a history: it is gone, or is not one's own. */
function added(
  id: string,
  happening: Happening,
  entry: EntryFacts,
  prior: PriorCells,
  when: (before: MessageHistory) => boolean = () => true,
): Mutation[] {
  const bytes = prior(historyCell(entry.stream, id));
  return bytes !== undefined && when(history.read(bytes)) ? [written(id, happening, entry, prior)] : [];
}

function written(id: string, happening: Happening, entry: EntryFacts, prior: PriorCells): Mutation {
  const cell = historyCell(entry.stream, id);
  const bytes = prior(cell);
  const before = bytes === undefined ? { happenings: [], left: 0 } : history.read(bytes);
  const all = [...before.happenings, happening];
  const over = Math.max(0, all.length - HAPPENINGS_MAX);
  const after = { happenings: all.slice(over), left: before.left + over };
  return { put: cell, value: { bytes: history.write(after) } };
}
