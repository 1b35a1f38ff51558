/** What a change of a conversation does to the lists of the folders, and to their counts. */
import { GONE, type Folder } from '../domain/mail/folders.ts';
import { sentIdOf } from '../domain/mail/sending/deliveries.ts';
import { folderCountsCell, folderLineCell, orderOf, threadCell } from './keys.ts';
import {
  conversationCell,
  countsCell,
  EMPTY_FOLDER,
  lineCell,
  NO_CONVERSATION,
  shownIn,
  type Conversation,
  type ConversationMessage,
  type FolderLine,
} from './mailbox-cells.ts';
import type { EntryFacts, Mutation, PriorCells } from './projection.ts';

const WHO_LISTED_MAX = 4;

function lineOf(
  thread: string,
  { subject, messages }: Conversation,
  folder: Folder,
): { order: string; line: FolderLine } | undefined {
  const here = messages.filter((message) => message.folder === folder);
  const newest = here.at(-1);
  if (newest === undefined) return undefined;
  const shown = shownIn(messages, folder);
  const who = unique(
    newest.own ? here.map(({ who }) => who) : shown.map((one) => (isFromOwner(one, messages) ? '' : one.who)),
  );
  return {
    order: orderOf(Math.max(...here.map(({ top }) => top)), thread),
    line: {
      thread,
      newest: newest.id,
      subject: newest.subject ?? subject,
      snippet: newest.snippet,
      who: who.slice(-WHO_LISTED_MAX),
      own: newest.own,
      others: newest.others,
      at: newest.at,
      count: shown.length,
      unread: here.filter(({ read }) => !read).length,
      starred: here.some(({ starred }) => starred),
      attachments: here.some(({ attachments }) => attachments > 0),
      until: newest.until,
      ...(newest.problem !== undefined && { problem: newest.problem }),
    },
  };
}

/** Written by the owner, or come to the owner from the owner: a message to oneself. */
function isFromOwner({ id, own }: ConversationMessage, messages: Conversation['messages']): boolean {
  const sent = sentIdOf(id);
  return own || (sent !== undefined && messages.some((other) => other.own && other.id === sent));
}

/** The cells that an event changes: conversations, their lines, and the counts of those. */
export class Lists {
  readonly #owner: string;
  readonly #prior: PriorCells;
  readonly #mutations: Mutation[] = [];
  readonly #counts = new Map<Folder, { total: number; unread: number }>();

  constructor(entry: EntryFacts, prior: PriorCells) {
    this.#owner = entry.stream;
    this.#prior = prior;
  }

  conversation(thread: string): Conversation {
    const bytes = this.#prior(threadCell(this.#owner, thread));
    return bytes === undefined ? NO_CONVERSATION : conversationCell.read(bytes);
  }

  change(thread: string, before: Conversation, next: Conversation): void {
    const cell = threadCell(this.#owner, thread);
    if (next.messages.length > 0) {
      this.#mutations.push({ put: cell, value: { bytes: conversationCell.write(next) } });
    } else if (before.messages.length > 0) this.#mutations.push({ delete: cell });
    const folders = unique([...before.messages, ...next.messages].map(({ folder }) => folder));
    for (const folder of folders) if (folder !== GONE) this.#changeLine(thread, folder, before, next);
  }

  #changeLine(thread: string, folder: Folder, before: Conversation, next: Conversation): void {
    const was = lineOf(thread, before, folder);
    const is = lineOf(thread, next, folder);
    if (was !== undefined && was.order !== is?.order) {
      this.#mutations.push({ delete: folderLineCell(this.#owner, folder, was.order) });
    }
    const bytes = is && lineCell.write(is.line);
    const isSame = was !== undefined && was.order === is?.order && sameBytes(bytes, lineCell.write(was.line));
    if (is !== undefined && bytes !== undefined && !isSame) {
      this.#mutations.push({ put: folderLineCell(this.#owner, folder, is.order), value: { bytes } });
    }
    this.#count(folder, Number(is !== undefined) - Number(was !== undefined), isUnread(is) - isUnread(was));
  }

  #count(folder: Folder, total: number, unread: number): void {
    if (total === 0 && unread === 0) return;
    const so = this.#counts.get(folder) ?? { total: 0, unread: 0 };
    this.#counts.set(folder, { total: so.total + total, unread: so.unread + unread });
  }

  mutations(): Mutation[] {
    for (const [folder, { total, unread }] of this.#counts) {
      const cell = folderCountsCell(this.#owner, folder);
      const bytes = this.#prior(cell);
      const before = bytes === undefined ? EMPTY_FOLDER : countsCell.read(bytes);
      const next = {
        total: Math.max(0, before.total + total),
        unread: Math.max(0, before.unread + unread),
      };
      this.#mutations.push({ put: cell, value: { bytes: countsCell.write(next) } });
    }
    return this.#mutations;
  }
}

function isUnread(found: { readonly line: FolderLine } | undefined): number {
  return found !== undefined && found.line.unread > 0 ? 1 : 0;
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export function unique<Value>(values: readonly Value[]): Value[] {
  return [...new Set(values)];
}
