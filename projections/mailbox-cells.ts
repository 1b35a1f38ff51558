/**
 * The cells of the mailbox: a conversation with its messages, a line of a folder's list, a folder's counts. A
 * message of a conversation holds what its line needs, so that a line can be made again from the conversation
 * alone; the message itself, and its whole summary, are cells of their own (message.ts).
 */
import type { Time } from '../domain/decider.ts';
import type { Marks } from '../domain/mail/conversation.ts';
import { GONE, type Folder } from '../domain/mail/folders.ts';
import { cellFormat, flag, integer, listOf, natural, optional, orNull, record, text } from './cell-format.ts';

/** One message, as far as its conversation and the lists show it. */
export type ConversationMessage = Marks & {
  readonly id: string;
  /** The log's time when it arrived, was sent or was last saved. */
  readonly at: Time;
  /** Written by the account's owner. */
  readonly own: boolean;
  /** The sender's name or address; of one's own, the first recipient's. */
  readonly who: string;
  /** Recipients beside that one; 0 for messages of others. */
  readonly others: number;
  readonly snippet: string;
  readonly attachments: number;
  /** Bytes of the message. */
  readonly size: number;
  readonly doc: number | null;
  /** If it is another one than the conversation's. */
  readonly subject?: string;
  /** Why it could not be (wholly) read. */
  readonly problem?: string;
};

/** Oldest first. */
export type Conversation = {
  readonly subject: string;
  readonly messages: readonly ConversationMessage[];
};

/** One line of a folder's list. */
export type FolderLine = {
  readonly thread: string;
  /** The newest message of the conversation in this folder. */
  readonly newest: string;
  /** Of that message. */
  readonly subject: string;
  readonly snippet: string;
  /**
   * Who wrote, oldest first, each once, the last ones of many; '' is the account's owner. If the newest is one's
   * own: to whom.
   */
  readonly who: readonly string[];
  /** The newest is one's own: `who` are recipients. */
  readonly own: boolean;
  /** Recipients of it beside the first. */
  readonly others: number;
  /** When the newest arrived. */
  readonly at: Time;
  /** Messages of the conversation, those in the trash and in spam only where the line is of that folder. */
  readonly count: number;
  readonly unread: number;
  readonly starred: boolean;
  readonly attachments: boolean;
  readonly until: number | null;
  readonly problem?: string;
};

/** Lines, and lines with something unread. */
export type FolderCounts = { readonly total: number; readonly unread: number };

/** One that has no cell yet. */
export const NO_CONVERSATION: Conversation = { subject: '', messages: [] };

/** The counts of a folder that has no cell yet. */
export const EMPTY_FOLDER: FolderCounts = { total: 0, unread: 0 };

export const conversationCell = cellFormat<Conversation>(
  'a conversation',
  record({
    subject: text,
    messages: listOf(
      record<ConversationMessage>({
        id: text,
        folder: text,
        read: flag,
        starred: flag,
        top: natural,
        until: orNull(natural),
        at: natural,
        own: flag,
        who: text,
        others: natural,
        snippet: text,
        attachments: natural,
        size: natural,
        doc: orNull(natural),
        subject: optional(text),
        problem: optional(text),
      }),
    ),
  }),
);
export const lineCell = cellFormat<FolderLine>(
  'a line of a folder',
  record({
    thread: text,
    newest: text,
    subject: text,
    snippet: text,
    who: listOf(text),
    own: flag,
    others: natural,
    at: natural,
    count: natural,
    unread: natural,
    starred: flag,
    attachments: flag,
    until: orNull(integer),
    problem: optional(text),
  }),
);
export const countsCell = cellFormat<FolderCounts>(
  'folder counts',
  record({ total: natural, unread: natural }),
);

/** Throws on bytes that this projection cannot have written; so do the other two. */
export const readConversation = (bytes: Uint8Array): Conversation => conversationCell.read(bytes);
export const readFolderLine = (bytes: Uint8Array): FolderLine => lineCell.read(bytes);
export const readFolderCounts = (bytes: Uint8Array): FolderCounts => countsCell.read(bytes);

const HIDDEN: readonly Folder[] = ['trash', 'spam', 'drafts', 'outbox', GONE];

/** The messages that a reader of the conversation in this folder sees: not what lies in the trash, say. */
export function shownIn(
  messages: readonly ConversationMessage[],
  folder: Folder,
): readonly ConversationMessage[] {
  return messages.filter((message) => message.folder === folder || !HIDDEN.includes(message.folder));
}
