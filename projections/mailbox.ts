/**
 * The mailbox as pages show it: conversations, the lists of the folders, and their counts. One read model,
 * because a line of a list is made of its conversation, and a count of lines. What always holds:
 *
 *   a conversation has one line in each folder where one of its messages lies, and none elsewhere
 *   the counts of a folder are those of its lines, and never negative
 *   a line, and so a page of a list, is one cell, however long the folder or old the conversation is
 */
import type { Content, DomainEvent, Time } from '../domain/decider.ts';
import { asToday, EARLIER_TYPES, type EarlierEvent } from '../domain/mail/earlier-events.ts';
import { threadOfArrival } from '../domain/mail/arrival.ts';
import type { DraftSaved, MailEvent } from '../domain/mail/events.ts';
import { GONE, type Folder } from '../domain/mail/folders.ts';
import { cut, decodeSummary, type MailSummary } from '../domain/mail/message/summary.ts';
import { Lists, unique } from './folder-lines.ts';
import { folderCountsCell, threadCell } from './keys.ts';
import { NO_CONVERSATION, type Conversation, type ConversationMessage } from './mailbox-cells.ts';
import type { CellKey, EntryFacts, Mutation, Projection } from './projection.ts';

/** Bounds of what a line and a message of a conversation hold, so that 100 messages stay one small cell. */
const SUBJECT_CHARACTERS_MAX = 200;
const SNIPPET_CHARACTERS_MAX = 140;
const WHO_CHARACTERS_MAX = 60;
const PROBLEM_CHARACTERS_MAX = 200;

type Heard = Exclude<
  MailEvent,
  {
    readonly type: `mail.${'Folder' | 'Bulk' | 'Rules' | 'Vacation' | 'Spam' | 'Unsubscribed' | 'Delivery' | 'MessageSentOutside'}${string}`;
  }
>;
const types: readonly (Heard['type'] | EarlierEvent['type'])[] = [
  'mail.MessageReceived',
  'mail.MessageSent',
  'mail.MessageScheduled',
  'mail.MessageReleased',
  'mail.SendingCancelled',
  'mail.DraftSaved',
  'mail.MessagesChanged',
  'mail.MessagesDeleted',
  ...EARLIER_TYPES,
];

export const mailboxProjection: Projection = {
  name: 'mailbox',
  listensTo: new Set(types),

  priors(event: DomainEvent, entry): CellKey[] {
    const today = asToday<Heard & DomainEvent>(event as Heard & DomainEvent) as Heard;
    return [
      ...(isFirstOfAll(today) ? [] : threadsOf(today).map((thread) => threadCell(entry.stream, thread))),
      ...placesOf(today).map((folder) => folderCountsCell(entry.stream, folder)),
    ];
  },

  project(event: DomainEvent, entry, content, prior): Mutation[] {
    const today = asToday<Heard & DomainEvent>(event as Heard & DomainEvent) as Heard;
    const lists = new Lists(entry, prior);
    for (const thread of threadsOf(today)) {
      const before = isFirstOfAll(today) ? NO_CONVERSATION : lists.conversation(thread);
      lists.change(thread, before, after(today, thread, before, entry, content));
    }
    return lists.mutations();
  },
};

/** Its conversation has no cell yet: none is read. */
function isFirstOfAll(event: Heard): boolean {
  return event.type === 'mail.MessageReceived' && event.data.begins === true;
}

function threadsOf(event: Heard): string[] {
  switch (event.type) {
    case 'mail.MessageReceived':
      return [threadOfArrival(event.data)];
    case 'mail.MessageSent':
      return unique([threadOfArrival(event.data), ...listed(event.data.draftId)]);
    case 'mail.MessageScheduled':
      return unique([threadOfArrival(event.data), ...listed(event.data.draftId)]);
    case 'mail.MessageReleased':
    case 'mail.SendingCancelled':
      return unique([event.data.thread, ...listed(event.data.draftId)]);
    case 'mail.DraftSaved':
      return [event.data.draftId];
    case 'mail.MessagesChanged':
    case 'mail.MessagesDeleted':
      return unique(event.data.members.map(({ thread }) => thread));
  }
}

const listed = (id: string | null | undefined): string[] => (id ? [id] : []);

/** The folders whose counts may change. */
function placesOf(event: Heard): Folder[] {
  switch (event.type) {
    case 'mail.MessageReceived':
      return [event.data.folder];
    case 'mail.MessageSent':
      return event.data.draftId === undefined ? ['sent'] : ['sent', 'drafts'];
    case 'mail.MessageScheduled':
    case 'mail.SendingCancelled':
      return ['outbox', 'drafts'];
    case 'mail.MessageReleased':
      return ['outbox', 'sent', 'drafts'];
    case 'mail.DraftSaved':
      return ['drafts'];
    case 'mail.MessagesChanged':
      return unique(event.data.members.flatMap(({ folder, to }) => [folder, to.folder ?? folder]));
    case 'mail.MessagesDeleted':
      return unique(event.data.members.map(({ from }) => from));
  }
}

/** The conversation after the event; without messages when none is left. */
function after(
  event: Heard,
  thread: string,
  before: Conversation,
  entry: EntryFacts,
  content: Content,
): Conversation {
  const at = entry.time;
  switch (event.type) {
    case 'mail.MessageReceived': {
      const { messageId, doc = null, folder, read = false, starred = false, dated = at } = event.data;
      const isOwn = event.data.via === 'import' && folder === 'sent';
      return joined(before, content, {
        ...(isOwn ? written : arrived)(messageId, folder, dated, doc, content),
        read,
        starred,
      });
    }
    case 'mail.MessageSent': {
      const { messageId, doc = null, draftId } = event.data;
      const rest = draftId === undefined ? before : without(before, new Set([draftId]));
      if (thread !== threadOfArrival(event.data)) return rest;
      return joined(rest, content, written(messageId, 'sent', at, doc, content));
    }
    case 'mail.MessageScheduled': {
      const { messageId, doc = null, draftId, dueAt } = event.data;
      const isDraft = thread === draftId;
      const hidden = isDraft ? marked(before, new Map([[draftId, { folder: GONE }]])) : before;
      if (thread !== threadOfArrival(event.data)) return hidden;
      return joined(hidden, content, { ...written(messageId, 'outbox', at, doc, content), until: dueAt });
    }
    case 'mail.MessageReleased': {
      const { messageId, draftId } = event.data;
      const sent = marked(before, new Map([[messageId, { folder: 'sent', top: at, at, until: null }]]));
      return draftId === null ? sent : without(sent, new Set([draftId]));
    }
    case 'mail.SendingCancelled': {
      const { messageId, draftId } = event.data;
      const left = without(before, new Set([messageId]));
      return draftId === null ? left : marked(left, new Map([[draftId, { folder: 'drafts', top: at }]]));
    }
    case 'mail.DraftSaved':
      return drafted(before, event, at, content);
    case 'mail.MessagesChanged':
      return marked(before, new Map(event.data.members.map(({ id, to }) => [id, to])));
    case 'mail.MessagesDeleted':
      return without(before, new Set(event.data.members.map(({ id }) => id)));
  }
}

type Facts = Partial<Omit<ConversationMessage, 'id'>>;

function joined(before: Conversation, content: Content, message: ConversationMessage): Conversation {
  const own = subjectOf(content);
  const subject = before.messages.length > 0 ? before.subject : own;
  const joining = own === subject ? message : { ...message, subject: own };
  return { subject, messages: [...before.messages, joining] };
}

function marked(before: Conversation, facts: ReadonlyMap<string, Facts>): Conversation {
  return {
    ...before,
    messages: before.messages.map((message) => ({ ...message, ...facts.get(message.id) })),
  };
}

function without(before: Conversation, ids: ReadonlySet<string>): Conversation {
  return { ...before, messages: before.messages.filter(({ id }) => !ids.has(id)) };
}

function arrived(
  id: string,
  folder: Folder,
  at: Time,
  doc: number | null,
  content: Content,
): ConversationMessage {
  const summary = decodeSummary(content.bytes(1));
  const { name, address } = summary.from;
  return {
    ...message(id, folder, at, summary, content),
    doc,
    own: false,
    who: whoIs(name || address),
    others: 0,
  };
}

function written(
  id: string,
  folder: Folder,
  at: Time,
  doc: number | null,
  content: Content,
): ConversationMessage {
  const summary = decodeSummary(content.bytes(1));
  const recipients = [...summary.to, ...summary.cc, ...(summary.bcc ?? [])];
  const [first] = recipients;
  return {
    ...message(id, folder, at, summary, content),
    doc,
    own: true,
    read: true,
    who: whoIs(first === undefined ? '' : first.name || first.address),
    others: Math.max(0, recipients.length - 1),
  };
}

function message(
  id: string,
  folder: Folder,
  at: Time,
  summary: MailSummary,
  content: Content,
): Omit<ConversationMessage, 'doc' | 'own' | 'who' | 'others'> {
  const { problem } = summary;
  return {
    id,
    folder,
    read: false,
    starred: false,
    top: at,
    until: null,
    at,
    snippet: cut(summary.snippet, SNIPPET_CHARACTERS_MAX),
    attachments: summary.attachments.length,
    size: content.length(0),
    ...(problem !== undefined && { problem: cut(problem, PROBLEM_CHARACTERS_MAX) }),
  };
}

/** A draft begins its conversation, whose subject is the one that it has now. What has joined it stays. */
function drafted(before: Conversation, event: DraftSaved, at: Time, content: Content): Conversation {
  const { draftId } = event.data;
  const draft = written(draftId, 'drafts', at, null, content);
  const starred = before.messages.find(({ id }) => id === draftId)?.starred ?? false;
  const others = before.messages.filter(({ id }) => id !== draftId);
  return { subject: subjectOf(content), messages: [{ ...draft, starred }, ...others] };
}

function subjectOf(content: Content): string {
  return cut(decodeSummary(content.bytes(1)).subject, SUBJECT_CHARACTERS_MAX);
}

function whoIs(name: string): string {
  return cut(name, WHO_CHARACTERS_MAX);
}
