/**
 * One message: its summary with where it lies and, for a sent one, how each delivery went; and the
 * message itself as it came, which stays in the log and is only pointed at.
 */
import type { RejectionCode } from '../domain/errors.ts';
import type { Content, Time } from '../domain/decider.ts';
import {
  FOLDERS,
  type Folder,
  type MailEvent,
  type MessageReceived,
  type MessageSent,
  type Via,
} from '../domain/mail/events.ts';
import { settledDelivery, type ReactionSettled } from '../domain/mail/reactions.ts';
import {
  decodeSummary,
  type Address,
  type AttachmentSummary,
  type MailSummary,
} from '../domain/mail/summary.ts';
import {
  cellFormat,
  flag,
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
import { metaCell, orderOf, rawCell } from './keys.ts';
import type { EntryFacts, Mutation, PriorCells, Projection } from './projection.ts';

/** 'refused': for a reason that the store did not name. */
export type DeliveryState = 'pending' | 'delivered' | 'refused' | RejectionCode;

export type MessageMeta = MailSummary & {
  readonly id: string;
  readonly folder: Folder;
  readonly read: boolean;
  /** The log's time when the message arrived or was sent. */
  readonly at: Time;
  /** Bytes of the message. */
  readonly size: number;
  /** Its column in the folder's row: where the neighbours are. */
  readonly order: string;
  readonly via: Via | 'sent';
  /** Sent messages only: by the recipient's account name. */
  readonly delivery?: { readonly [recipient: string]: DeliveryState };
};

const address = record<Address>({ name: text, address: text });
const attachment = record<AttachmentSummary>({ name: text, type: text, size: integer });
const meta = cellFormat<MessageMeta>(
  'a message',
  record({
    id: text,
    folder: oneOf(...FOLDERS),
    read: flag,
    at: natural,
    size: natural,
    order: text,
    via: oneOf('smtp', 'local', 'sent'),
    from: address,
    to: listOf(address),
    cc: listOf(address),
    bcc: optional(listOf(address)),
    subject: text,
    date: orNull(integer),
    snippet: text,
    attachments: listOf(attachment),
    problem: optional(text),
    delivery: optional(mapOf((value, path) => text(value, path) as DeliveryState)),
  }),
);

/** Throws on bytes that this projection cannot have written. */
export const readMessageMeta = (bytes: Uint8Array): MessageMeta => meta.read(bytes);

type Heard = MailEvent | ReactionSettled;
const types: readonly Heard['type'][] = [
  'mail.MessageReceived',
  'mail.MessageSent',
  'mail.MessageMarked',
  'mail.MessageMoved',
  'mail.MessageDeleted',
  'platform.ReactionSettled',
];

export const messageProjection: Projection = {
  name: 'message',
  listensTo: new Set(types),

  priors(event: Heard, entry) {
    switch (event.type) {
      case 'mail.MessageMarked':
      case 'mail.MessageMoved':
        return [metaCell(entry.stream, event.data.messageId)];
      case 'platform.ReactionSettled': {
        const delivery = settledDelivery(event);
        return delivery ? [metaCell(entry.stream, delivery.messageId)] : [];
      }
      case 'mail.MessageReceived':
      case 'mail.MessageSent':
      case 'mail.MessageDeleted':
        return [];
    }
  },

  project(event: Heard, entry, content, prior): Mutation[] {
    switch (event.type) {
      case 'mail.MessageReceived':
      case 'mail.MessageSent':
        return arrival(event, entry, content);
      case 'mail.MessageMarked':
        return changed(event.data.messageId, entry, prior, () => ({ read: event.data.read }));
      case 'mail.MessageMoved':
        return changed(event.data.messageId, entry, prior, () => ({ folder: event.data.to }));
      case 'mail.MessageDeleted': {
        const { messageId } = event.data;
        return [{ delete: metaCell(entry.stream, messageId) }, { delete: rawCell(entry.stream, messageId) }];
      }
      case 'platform.ReactionSettled':
        return settled(event, entry, prior);
    }
  },
};

function arrival(event: MessageReceived | MessageSent, entry: EntryFacts, content: Content): Mutation[] {
  const id = event.data.messageId;
  const model: MessageMeta = {
    ...decodeSummary(content.bytes(1)),
    id,
    at: entry.time,
    size: content.length(0),
    order: orderOf(entry.time, id),
    ...(event.type === 'mail.MessageReceived'
      ? { folder: event.data.folder, read: false, via: event.data.via }
      : { folder: 'sent', read: true, via: 'sent', delivery: allPending(event.data.recipients) }),
  };
  return [
    { put: metaCell(entry.stream, id), value: { bytes: meta.write(model) } },
    { put: rawCell(entry.stream, id), value: { part: 0 } },
  ];
}

function allPending(recipients: readonly string[]): { [recipient: string]: DeliveryState } {
  return Object.fromEntries(recipients.map((recipient) => [recipient, 'pending']));
}

/** A message that is gone (deleted before its delivery was known, say) stays gone. */
function changed(
  messageId: string,
  entry: EntryFacts,
  prior: PriorCells,
  change: (before: MessageMeta) => Partial<MessageMeta>,
): Mutation[] {
  const cell = metaCell(entry.stream, messageId);
  const bytes = prior(cell);
  if (bytes === undefined) return [];
  const before = meta.read(bytes);
  return [{ put: cell, value: { bytes: meta.write({ ...before, ...change(before) }) } }];
}

function settled(event: ReactionSettled, entry: EntryFacts, prior: PriorCells): Mutation[] {
  const delivery = settledDelivery(event);
  if (delivery === undefined) return [];
  const { outcome, code } = event.data;
  const state = outcome === 'accepted' ? 'delivered' : ((code ?? 'refused') as DeliveryState);
  return changed(delivery.messageId, entry, prior, (before) => ({
    delivery: { ...before.delivery, [delivery.recipient]: state },
  }));
}
