/**
 * One message: its summary, what was told of its deliveries if it is one's own, and the message itself as it
 * came, which stays in the log and is only pointed at. Where it lies and how it is marked, its conversation
 * says (mailbox.ts). A draft beside it: what its writer sees, and which revision that is.
 */
import type { Content, DomainEvent, Time } from '../domain/decider.ts';
import type { RejectionCode } from '../domain/errors.ts';
import { threadOfArrival } from '../domain/mail/arrival.ts';
import { asToday, EARLIER_TYPES, type EarlierEvent } from '../domain/mail/earlier-events.ts';
import type {
  DeliveryRecorded,
  DraftSaved,
  MessageReceived,
  MessageReleased,
  MessageSentOutside,
  MessagesChanged,
  MessageScheduled,
  MessagesDeleted,
  MessageSent,
  SendingCancelled,
  Unsubscribed,
  VacationReplied,
  Via,
} from '../domain/mail/events.ts';
import { settledDelivery, type ReactionSettled } from '../domain/mail/settled.ts';
import {
  decodeSummary,
  type Address,
  type AttachmentSummary,
  type MailSummary,
} from '../domain/mail/message/summary.ts';
import { decodeText } from '../domain/fields.ts';
import {
  cellFormat,
  integer,
  listOf,
  mapOf,
  natural,
  oneOf,
  optional,
  orNull,
  record,
  text,
} from './cell-format.ts';
import { draftContentCell, draftRevisionCell, metaCell, rawCell } from './keys.ts';
import {
  deliveriesOutside,
  outsideDelivery,
  recordedOutside,
  releasedOutside,
  type OutsideDelivery,
} from './outside.ts';
import type { EntryFacts, Mutation, PriorCells, Projection } from './projection.ts';

/**
 * 'scheduled': its time has not come. 'queued': it is for another system, and was written before this one took mail
 * there. 'refused': for a reason
 * that the store did not name.
 */
export type DeliveryState = 'scheduled' | 'queued' | 'pending' | 'delivered' | 'refused' | RejectionCode;

export type MessageMeta = MailSummary & {
  readonly id: string;
  readonly thread: string;
  /** The log's time when the message arrived or was sent. */
  readonly at: Time;
  /** Bytes of the message. */
  readonly size: number;
  readonly via: Via | 'sent';
  /** When it will be sent; absent: it was, or it is not one's own. */
  readonly dueAt?: Time;
  /** One's own messages only: by the recipient's account name, or address elsewhere. */
  readonly delivery?: { readonly [recipient: string]: DeliveryState };
  /** It was answered because its recipient is away. */
  readonly reply?: VacationReply;
  /** When its list took the reader's wish to leave it. */
  readonly unsubscribedAt?: Time;
  /** To addresses elsewhere; absent: none. */
  readonly outside?: readonly OutsideDelivery[];
  /** Why a rule's copy did not leave. */
  readonly notForwarded?: 'limit' | 'loop';
};

/** 'queued': the answer waits to be taken to another system. */
export type VacationReply = { readonly to: string; readonly state: 'sent' | 'queued' };

export type DraftRevision = { readonly revision: number; readonly savedAt: Time };

const address = record<Address>({ name: text, address: text });
const attachment = record<AttachmentSummary>({ name: text, type: text, size: integer });
const meta = cellFormat<MessageMeta>(
  'a message',
  record({
    id: text,
    thread: text,
    at: natural,
    size: natural,
    via: oneOf('smtp', 'local', 'import', 'sent'),
    from: address,
    to: listOf(address),
    cc: listOf(address),
    bcc: optional(listOf(address)),
    subject: text,
    date: orNull(integer),
    snippet: text,
    attachments: listOf(attachment),
    problem: optional(text),
    dueAt: optional(natural),
    delivery: optional(mapOf((value) => text(value) as DeliveryState)),
    reply: optional(record<VacationReply>({ to: text, state: oneOf('sent', 'queued') })),
    unsubscribedAt: optional(natural),
    outside: optional(listOf(outsideDelivery)),
    notForwarded: optional(oneOf('limit', 'loop')),
  }),
);
const revision = cellFormat<DraftRevision>('a draft', record({ revision: natural, savedAt: natural }));

/** Throws on bytes that this projection cannot have written; so does the other. */
export const readMessageMeta = (bytes: Uint8Array): MessageMeta => meta.read(bytes);
export const readDraftRevision = (bytes: Uint8Array): DraftRevision => revision.read(bytes);

type Heard =
  | MessageReceived
  | MessageSent
  | MessageScheduled
  | MessageReleased
  | MessageSentOutside
  | SendingCancelled
  | DraftSaved
  | MessagesDeleted
  | VacationReplied
  | Unsubscribed
  | DeliveryRecorded
  | ReactionSettled;
const types: readonly (Heard['type'] | EarlierEvent['type'])[] = [
  'mail.MessageReceived',
  'mail.MessageSent',
  'mail.MessageScheduled',
  'mail.MessageReleased',
  'mail.MessageSentOutside',
  'mail.SendingCancelled',
  'mail.DraftSaved',
  'mail.MessagesDeleted',
  'mail.VacationReplied',
  'mail.Unsubscribed',
  'mail.DeliveryRecorded',
  'platform.ReactionSettled',
  ...EARLIER_TYPES,
];

export const messageProjection: Projection = {
  name: 'message',
  listensTo: new Set(types),

  priors(given: DomainEvent, entry) {
    const event = heard(given);
    if (
      event.type === 'mail.MessageReleased' ||
      event.type === 'mail.MessageSentOutside' ||
      event.type === 'mail.VacationReplied' ||
      event.type === 'mail.Unsubscribed' ||
      event.type === 'mail.DeliveryRecorded'
    ) {
      return [metaCell(entry.stream, event.data.messageId)];
    }
    if (event.type !== 'platform.ReactionSettled') return [];
    const delivery = settledDelivery(event);
    return delivery ? [metaCell(entry.stream, delivery.messageId)] : [];
  },

  project(given: DomainEvent, entry, content, prior): Mutation[] {
    const event = heard(given);
    const owner = entry.stream;
    switch (event.type) {
      case 'mail.MessageSent':
        return [
          ...arrival(event, entry, content),
          ...(event.data.draftId === undefined ? [] : without(owner, event.data.draftId)),
        ];
      case 'mail.MessageReceived':
      case 'mail.MessageScheduled':
        return arrival(event, entry, content);
      case 'mail.MessageReleased':
        return [
          ...changed(event.data.messageId, entry, prior, (before) => released(before, entry.time)),
          ...(event.data.draftId === null ? [] : without(owner, event.data.draftId)),
        ];
      case 'mail.MessageSentOutside': {
        const { envelope, messageId } = event.data;
        return changed(messageId, entry, prior, (before) => ({
          ...before,
          delivery: Object.fromEntries(
            Object.entries(before.delivery ?? {}).filter(([, one]) => one !== 'queued'),
          ),
          outside: [
            ...(before.outside ?? []),
            ...deliveriesOutside('sent', 'waiting', envelope, content, entry.time),
          ],
        }));
      }
      case 'mail.SendingCancelled':
        return without(owner, event.data.messageId);
      case 'mail.DraftSaved': {
        const { draftId } = event.data;
        const saved = { revision: event.data.revision, savedAt: entry.time };
        return [
          ...arrival(event, entry, content),
          { put: draftContentCell(owner, draftId), value: { part: 0 } },
          { put: draftRevisionCell(owner, draftId), value: { bytes: revision.write(saved) } },
        ];
      }
      case 'mail.MessagesDeleted':
        return event.data.members.flatMap(({ id }) => without(owner, id));
      case 'mail.VacationReplied': {
        const { messageId, account, part, envelope } = event.data;
        const to = decodeSummary(content.bytes(part + 1)).to[0]?.address ?? '';
        const reply: VacationReply = { to, state: account === null ? 'queued' : 'sent' };
        const answer =
          envelope === undefined ? [] : deliveriesOutside('answer', 'waiting', envelope, content, entry.time);
        return changed(messageId, entry, prior, (before) => ({
          ...before,
          reply,
          ...(answer.length > 0 && { outside: [...(before.outside ?? []), ...answer] }),
        }));
      }
      case 'mail.Unsubscribed':
        return !event.data.accepted
          ? []
          : changed(event.data.messageId, entry, prior, (before) => ({
              ...before,
              unsubscribedAt: entry.time,
            }));
      case 'mail.DeliveryRecorded':
        return changed(event.data.messageId, entry, prior, (before) => ({
          ...before,
          ...(before.outside && {
            outside: recordedOutside(before.outside, event, content, entry.time),
          }),
        }));
      case 'platform.ReactionSettled':
        return settled(event, entry, prior);
      case 'mail.MessagesChanged':
        return [];
    }
  },
};

function heard(event: DomainEvent): Heard | MessagesChanged {
  return asToday<DomainEvent>(event) as Heard | MessagesChanged;
}

function arrival(
  event: MessageReceived | MessageSent | MessageScheduled | DraftSaved,
  entry: EntryFacts,
  content: Content,
): Mutation[] {
  const id = event.type === 'mail.DraftSaved' ? event.data.draftId : event.data.messageId;
  const model: MessageMeta = {
    ...decodeSummary(content.bytes(1)),
    id,
    thread: event.type === 'mail.DraftSaved' ? id : threadOfArrival(event.data),
    at: (event.type === 'mail.MessageReceived' ? event.data.dated : undefined) ?? entry.time,
    size: content.length(0),
    via: event.type === 'mail.MessageReceived' ? event.data.via : 'sent',
    ...deliveryOf(event, content, entry.time),
  };
  const written: Mutation = { put: metaCell(entry.stream, id), value: { bytes: meta.write(model) } };
  if (event.type === 'mail.DraftSaved') return [written];
  return [written, { put: rawCell(entry.stream, id), value: { part: 0 } }];
}

function deliveryOf(
  event: MessageReceived | MessageSent | MessageScheduled | DraftSaved,
  content: Content,
  at: Time,
): Pick<MessageMeta, 'delivery' | 'dueAt' | 'outside' | 'notForwarded'> {
  switch (event.type) {
    case 'mail.DraftSaved':
      return {};
    case 'mail.MessageReceived': {
      const { envelope, notForwarded } = event.data;
      return {
        ...(envelope !== undefined && {
          outside: deliveriesOutside('forward', 'waiting', envelope, content, at),
        }),
        ...(notForwarded && { notForwarded }),
      };
    }
    case 'mail.MessageSent':
      return {
        delivery: states(event.data.recipients, outside(event, content), 'pending', 'queued'),
        ...enveloped('waiting', event.data.envelope, content, at),
      };
    case 'mail.MessageScheduled': {
      const { recipients, dueAt } = event.data;
      return {
        delivery: states(recipients, outside(event, content), 'scheduled', 'scheduled'),
        dueAt,
        ...enveloped('scheduled', event.data.envelope, content, at),
      };
    }
  }
}

function states(
  here: readonly string[],
  elsewhere: readonly string[],
  ofThese: DeliveryState,
  ofThose: DeliveryState,
): { [recipient: string]: DeliveryState } {
  return Object.fromEntries([
    ...here.map((name) => [name, ofThese] as const),
    ...elsewhere.map((name) => [name, ofThose] as const),
  ]);
}

function enveloped(
  state: 'scheduled' | 'waiting',
  envelope: number | undefined,
  content: Content,
  at: Time,
): Pick<MessageMeta, 'outside'> {
  return envelope === undefined ? {} : { outside: deliveriesOutside('sent', state, envelope, content, at) };
}

/** Of earlier releases: the addresses of part 5; none if it is gone or is not such a list. */
function outside({ data }: MessageSent | MessageScheduled, content: Content): string[] {
  const hasList =
    data.envelope === undefined && content.count > 5 && data.answer?.part !== 5 && data.collected !== 5;
  const list = hasList ? decodeText(content.bytes(5)) : undefined;
  if (list === undefined) return [];
  try {
    const addresses: unknown = JSON.parse(list);
    return Array.isArray(addresses) ? addresses.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
}

function released(before: MessageMeta, at: Time): MessageMeta {
  const { dueAt: _over, ...rest } = before;
  const delivery = Object.fromEntries(
    Object.keys(before.delivery ?? {}).map((name) => [name, name.includes('@') ? 'queued' : 'pending']),
  ) as { [recipient: string]: DeliveryState };
  const { outside: elsewhere } = rest;
  return { ...rest, at, delivery, ...(elsewhere && { outside: releasedOutside(elsewhere, at) }) };
}

/** Every cell of a message, a draft's too. */
function without(owner: string, id: string): Mutation[] {
  return [metaCell, rawCell, draftContentCell, draftRevisionCell].map((cell) => ({
    delete: cell(owner, id),
  }));
}

/** A message that is gone (deleted before its delivery was known, say) stays gone. */
function changed(
  messageId: string,
  entry: EntryFacts,
  prior: PriorCells,
  change: (before: MessageMeta) => MessageMeta,
): Mutation[] {
  const cell = metaCell(entry.stream, messageId);
  const bytes = prior(cell);
  if (bytes === undefined) return [];
  return [{ put: cell, value: { bytes: meta.write(change(meta.read(bytes))) } }];
}

function settled(event: ReactionSettled, entry: EntryFacts, prior: PriorCells): Mutation[] {
  const delivery = settledDelivery(event);
  if (delivery === undefined) return [];
  const { outcome, code } = event.data;
  const state = outcome === 'accepted' ? 'delivered' : ((code ?? 'refused') as DeliveryState);
  return changed(delivery.messageId, entry, prior, (before) =>
    // What a rule forwarded of one's own messages to oneself was no delivery of theirs.
    !Object.hasOwn(before.delivery ?? {}, delivery.recipient)
      ? before
      : { ...before, delivery: { ...before.delivery, [delivery.recipient]: state } },
  );
}
