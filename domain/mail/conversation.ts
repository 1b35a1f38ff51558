/**
 * A conversation: the messages that answer each other. It is what decisions on mail look at: one slice holds
 * where each of its messages lies and how it is marked, so that "archive this conversation" reads one slice.
 *
 * Which conversation a message joins is told by the Message-IDs that its header names (RFC 5322 §3.6.4),
 * nearest first: each id that was ever named is known by a hash, also those of messages that have not come
 * yet. A conversation takes `MESSAGES_MAX` messages; the next one begins a new one, so that no slice and no
 * cell of a conversation grows without end. Two conversations that turn out to be one are not joined later.
 */
import type { Json, Slices, StateKey } from '../decider.ts';
import type { Folder } from './folders.ts';

export const MESSAGES_MAX = 100;

/** What can change of a message. */
export type Marks = {
  readonly folder: Folder;
  readonly read: boolean;
  readonly starred: boolean;
  /** Where it stands in lists: the time of its arrival, or when it came back from being snoozed. */
  readonly top: number;
  /**
   * In 'snoozed': until then. In 'outbox': when it is due. In GONE: when its deletion ends, which tells one
   * deletion from another; null there: a draft that is hidden while its message waits. Elsewhere null.
   */
  readonly until: number | null;
};

export type MessageState = Marks & {
  readonly id: string;
  /** Its number in the search index; null: it has none. */
  readonly doc: number | null;
};
export type ConversationSlice = { readonly messages: readonly MessageState[] };
export type MessageSlice = {
  readonly thread: string;
  /** A list has taken the wish of its reader to leave it. */
  readonly unsubscribed?: true;
};
/** How many numbers of the search index are given. */
export type MailboxSlice = { readonly docs: number };

export const threadKey = (thread: string): StateKey => `thread/${thread}`;
export const messageKey = (messageId: string): StateKey => `message/${messageId}`;
/** `hash`: of a Message-ID, as `messageIdHash` of the gateways makes it. */
export const namedIdKey = (hash: string): StateKey => `mid/${hash}`;
export const MAILBOX_KEY: StateKey = 'mailbox';

export function messagesOf(slice: Json | undefined): readonly MessageState[] {
  return (slice as ConversationSlice | undefined)?.messages ?? [];
}

export function threadOf(slices: Slices, messageId: string): string | undefined {
  return (slices(messageKey(messageId)) as MessageSlice | undefined)?.thread;
}

export function withMessage(slice: Json | undefined, message: MessageState): ConversationSlice {
  return { messages: [...messagesOf(slice), message] };
}

/** Undefined once no message is left. */
export function withoutMessages(
  slice: Json | undefined,
  ids: ReadonlySet<string>,
): ConversationSlice | undefined {
  const messages = messagesOf(slice).filter(({ id }) => !ids.has(id));
  return messages.length === 0 ? undefined : { messages };
}

/** A message that is not there stays away: no later event brings it back. */
export function withMarks(
  slice: Json | undefined,
  marksOf: ReadonlyMap<string, Partial<Marks>>,
): ConversationSlice | undefined {
  if (slice === undefined) return undefined;
  return { messages: messagesOf(slice).map((message) => ({ ...message, ...marksOf.get(message.id) })) };
}

/** The state of a message that has just come or was just written. */
export function newState(
  id: string,
  folder: Folder,
  at: number,
  more: Partial<MessageState> = {},
): MessageState {
  return { id, folder, read: false, starred: false, top: at, until: null, doc: null, ...more };
}
