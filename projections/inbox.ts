/**
 * The lists of messages, one row per folder, one cell per message, newest first: what a page of the
 * inbox (or of any folder) shows. What always holds: a message has a cell in exactly the folder where it
 * lies, so that the cells of a folder's row are the folder.
 */
import type { Content, Time } from '../domain/decider.ts';
import type { Folder, MailEvent } from '../domain/mail/events.ts';
import {
  cut,
  decodeSummary,
  SNIPPET_CHARACTERS_MAX,
  type Address,
  type MailSummary,
} from '../domain/mail/summary.ts';
import { cellFormat, flag, natural, optional, orNull, record, text } from './cell-format.ts';
import { inboxCell, orderOf } from './keys.ts';
import type { CellKey, EntryFacts, Mutation, Projection } from './projection.ts';

export type InboxRow = {
  readonly id: string;
  readonly from: Address;
  /** For lists of sent mail: the first recipient, and how many there are in To, Cc and Bcc. */
  readonly to: { readonly first: Address | null; readonly count: number };
  readonly subject: string;
  readonly snippet: string;
  /** The log's time when the message arrived or was sent. */
  readonly at: Time;
  readonly read: boolean;
  /** Bytes of the message. */
  readonly size: number;
  /** How many. */
  readonly attachments: number;
  /** Why the message could not be (wholly) read. */
  readonly problem?: string;
};

const address = record<Address>({ name: text, address: text });
const inboxRow = cellFormat<InboxRow>(
  'an inbox row',
  record({
    id: text,
    from: address,
    to: record({ first: orNull(address), count: natural }),
    subject: text,
    snippet: text,
    at: natural,
    read: flag,
    size: natural,
    attachments: natural,
    problem: optional(text),
  }),
);

/** Throws on bytes that this projection cannot have written. */
export const readInboxRow = (bytes: Uint8Array): InboxRow => inboxRow.read(bytes);

/** A list of 50 rows must stay small whatever the senders wrote. */
const SUBJECT_CHARACTERS_MAX = 200;

const types: readonly MailEvent['type'][] = [
  'mail.MessageReceived',
  'mail.MessageSent',
  'mail.MessageMarked',
  'mail.MessageMoved',
  'mail.MessageDeleted',
];

export const inboxProjection: Projection = {
  name: 'inbox',
  listensTo: new Set(types),

  priors(event: MailEvent, entry): CellKey[] {
    switch (event.type) {
      case 'mail.MessageMarked':
        return [cellOf(entry, event.data, event.data.folder)];
      case 'mail.MessageMoved':
        return [cellOf(entry, event.data, event.data.from)];
      case 'mail.MessageReceived':
      case 'mail.MessageSent':
      case 'mail.MessageDeleted':
        return [];
    }
  },

  project(event: MailEvent, entry, content, prior): Mutation[] {
    switch (event.type) {
      case 'mail.MessageReceived':
        return [arrival(event.data.messageId, event.data.folder, false, entry, content)];
      case 'mail.MessageSent':
        return [arrival(event.data.messageId, 'sent', true, entry, content)];
      case 'mail.MessageMarked': {
        const cell = cellOf(entry, event.data, event.data.folder);
        const bytes = prior(cell);
        if (bytes === undefined) return [];
        const row = { ...inboxRow.read(bytes), read: event.data.read };
        return [{ put: cell, value: { bytes: inboxRow.write(row) } }];
      }
      case 'mail.MessageMoved': {
        const from = cellOf(entry, event.data, event.data.from);
        const bytes = prior(from);
        if (bytes === undefined) return [];
        return [{ delete: from }, { put: cellOf(entry, event.data, event.data.to), value: { bytes } }];
      }
      case 'mail.MessageDeleted':
        return [{ delete: cellOf(entry, event.data, event.data.from) }];
    }
  },
};

function cellOf(
  entry: EntryFacts,
  { messageId, at }: { readonly messageId: string; readonly at: Time },
  folder: Folder,
): CellKey {
  return inboxCell(entry.stream, folder, orderOf(at, messageId));
}

function arrival(id: string, folder: Folder, read: boolean, entry: EntryFacts, content: Content): Mutation {
  const row = rowOf(id, decodeSummary(content.bytes(1)), entry.time, read, content.length(0));
  return {
    put: inboxCell(entry.stream, folder, orderOf(entry.time, id)),
    value: { bytes: inboxRow.write(row) },
  };
}

function rowOf(id: string, summary: MailSummary, at: Time, read: boolean, size: number): InboxRow {
  const recipients = [...summary.to, ...summary.cc, ...(summary.bcc ?? [])];
  return {
    id,
    from: summary.from,
    to: { first: recipients[0] ?? null, count: recipients.length },
    subject: cut(summary.subject, SUBJECT_CHARACTERS_MAX),
    snippet: cut(summary.snippet, SNIPPET_CHARACTERS_MAX),
    at,
    read,
    size,
    attachments: summary.attachments.length,
    problem: summary.problem,
  };
}
