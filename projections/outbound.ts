/**
 * A queue of mail to other systems, as workers and the console read it. What always holds:
 *
 *   an item that waits for anything stands in `due`, once, at the earliest time of its recipients
 *   an item of which all that is not done is held stands in `held`
 *   an item whose last recipient is done has no cells any more, its bytes' among them
 *
 * An item whose envelope was erased has none either: there is nobody that it could go to.
 */
import type { DomainEvent, Time } from '../domain/decider.ts';
import { decodeEnvelope } from '../domain/outbound/envelope.ts';
import type { Lease, OutboundEvent } from '../domain/outbound/events.ts';
import { isOver, type Origin, type RecipientChange, type RecipientState } from '../domain/outbound/item.ts';
import { decodeSaid, type Said } from '../domain/outbound/said.ts';
import { cellFormat, flag, integer, listOf, natural, oneOf, orNull, record, text } from './cell-format.ts';
import { dueCell, heldCell, itemRawCell, itemStateCell, leaseCell } from './outbound-keys.ts';
import type { CellKey, EntryFacts, Mutation, PriorCells, Projection } from './projection.ts';

export type QueuedRecipient = {
  /** The address. */
  readonly to: string;
  readonly state: RecipientState;
  readonly tries: number;
  /** Waiting: when it is tried next. */
  readonly retryAt: Time | null;
  /** What the server answered last; null: it was not asked, or said nothing that is an answer. */
  readonly code: number | null;
  /** Who was asked last; '' at first. */
  readonly host: string;
  readonly text: string;
  readonly isDelayTold: boolean;
};

export type QueuedItem = {
  readonly id: string;
  readonly account: string;
  readonly origin: Origin;
  readonly messageId: string;
  readonly queuedAt: Time;
  /** Bytes of the message. */
  readonly size: number;
  /** The envelope's sender; '': nobody, and nothing is bounced. */
  readonly from: string;
  /** Header lines that go in front of the message. */
  readonly prepend: string;
  /** In the envelope's order. */
  readonly recipients: readonly QueuedRecipient[];
};

export type DueItem = {
  readonly id: string;
  /** Whose message it is. */
  readonly account: string;
};

const due = cellFormat<DueItem>('a place in a queue', record({ id: text, account: text }));
const item = cellFormat<QueuedItem>(
  'an item of a queue',
  record({
    id: text,
    account: text,
    origin: oneOf('sent', 'forward', 'answer'),
    messageId: text,
    queuedAt: natural,
    size: natural,
    from: text,
    prepend: text,
    recipients: listOf(
      record<QueuedRecipient>({
        to: text,
        state: oneOf('waiting', 'held', 'delivered', 'failed', 'cancelled'),
        tries: natural,
        retryAt: orNull(natural),
        code: orNull(integer),
        host: text,
        text,
        isDelayTold: flag,
      }),
    ),
  }),
);
const lease = cellFormat<Lease>(
  'the lease of a queue',
  record({ worker: orNull(text), token: natural, until: natural }),
);

/** A cell of `due` or of `held`. Throws on bytes that this projection cannot have written; so do the others. */
export const readDueItem = (bytes: Uint8Array): DueItem => due.read(bytes);
export const readQueuedItem = (bytes: Uint8Array): QueuedItem => item.read(bytes);
export const readQueueLease = (bytes: Uint8Array): Lease => lease.read(bytes);

const types: readonly OutboundEvent['type'][] = [
  'outbound.MessageQueued',
  'outbound.QueueClaimed',
  'outbound.QueueReleased',
  'outbound.AttemptsRecorded',
  'outbound.ItemChanged',
];

export const outboundProjection: Projection = {
  name: 'outbound',
  listensTo: new Set(types),

  priors(given: DomainEvent, { stream }): CellKey[] {
    const event = given as OutboundEvent;
    switch (event.type) {
      case 'outbound.AttemptsRecorded':
        return event.data.items.map(({ id }) => itemStateCell(stream, id));
      case 'outbound.ItemChanged':
        return [itemStateCell(stream, event.data.id)];
      case 'outbound.MessageQueued':
      case 'outbound.QueueClaimed':
      case 'outbound.QueueReleased':
        return [];
    }
  },

  project(given: DomainEvent, entry, content, prior): Mutation[] {
    const event = given as OutboundEvent;
    switch (event.type) {
      case 'outbound.MessageQueued': {
        const read = decodeEnvelope(content.bytes(1));
        if ('rejection' in read) return [];
        const { id, account, origin, messageId } = event.data;
        const { from, to, prepend } = read.data;
        const made: QueuedItem = {
          id,
          account,
          origin,
          messageId,
          queuedAt: entry.time,
          size: content.length(0),
          from,
          prepend,
          recipients: to.map((address) => ({ ...UNTRIED, to: address, retryAt: entry.time })),
        };
        const raw: Mutation = { put: itemRawCell(entry.stream, id), value: { part: 0 } };
        return [...written(made, entry.stream), raw];
      }
      case 'outbound.QueueClaimed': {
        const { worker, token, until } = event.data;
        return [leased({ worker, token, until }, entry)];
      }
      case 'outbound.QueueReleased':
        return [leased({ worker: null, token: event.data.token, until: entry.time }, entry)];
      case 'outbound.AttemptsRecorded':
        return event.data.items.flatMap(({ id, changes, part }) =>
          changed(id, changes, decodeSaid(content.bytes(part)) ?? [], entry, prior),
        );
      case 'outbound.ItemChanged':
        return changed(event.data.id, event.data.changes, [], entry, prior);
    }
  },
};

const UNTRIED = { state: 'waiting', tries: 0, code: null, host: '', text: '', isDelayTold: false } as const;

/** `said`: of each change, if anybody was asked. */
function changed(
  id: string,
  changes: readonly RecipientChange[],
  said: readonly Said[],
  { stream }: EntryFacts,
  prior: PriorCells,
): Mutation[] {
  const bytes = prior(itemStateCell(stream, id));
  // All was done before, or its envelope was erased.
  if (bytes === undefined) return [];
  const before = item.read(bytes);
  const recipients = [...before.recipients];
  changes.forEach((change, i) => {
    const recipient = recipients[change.to];
    if (recipient !== undefined) recipients[change.to] = after(recipient, change, said[i]);
  });
  const now = { ...before, recipients };
  const places = placesOf(now, stream);
  const left = placesOf(before, stream).filter((old) => !places.some((place) => isSame(place, old)));
  return [...left.map((cell) => ({ delete: cell })), ...written(now, stream)];
}

function after(recipient: QueuedRecipient, change: RecipientChange, said: Said | undefined): QueuedRecipient {
  const { state, tries, retryAt, code, isDelayTold } = change;
  return {
    to: recipient.to,
    state,
    tries,
    retryAt,
    code: code === undefined ? recipient.code : code,
    host: said?.host ?? recipient.host,
    text: said?.text ?? recipient.text,
    isDelayTold: isDelayTold === true,
  };
}

/** Its state and its place; nothing is left of one that is done. */
function written(one: QueuedItem, stream: string): Mutation[] {
  const cell = itemStateCell(stream, one.id);
  if (one.recipients.every(({ state }) => isOver(state)))
    return [{ delete: cell }, { delete: itemRawCell(stream, one.id) }];
  return [
    { put: cell, value: { bytes: item.write(one) } },
    ...placesOf(one, stream).map((put) => ({
      put,
      value: { bytes: due.write({ id: one.id, account: one.account }) },
    })),
  ];
}

/** Where it stands in line. */
function placesOf({ id, queuedAt, recipients }: QueuedItem, stream: string): CellKey[] {
  const times = recipients.flatMap(({ state, retryAt }) => (state === 'waiting' ? [retryAt ?? 0] : []));
  if (times.length > 0) return [dueCell(stream, Math.min(...times), id)];
  return recipients.some(({ state }) => state === 'held') ? [heldCell(stream, queuedAt, id)] : [];
}

function isSame(one: CellKey, other: CellKey): boolean {
  return one.row === other.row && one.column === other.column;
}

function leased(model: Lease, { stream }: EntryFacts): Mutation {
  return { put: leaseCell(stream), value: { bytes: lease.write(model) } };
}
