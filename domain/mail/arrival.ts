/**
 * How a new message finds its place: the conversation that it joins, its number in the search index, and the
 * Message-IDs that lead to that conversation from now on. The same for what comes in and what is sent.
 */
import type { Content, Json, Slices, StateKey } from '../decider.ts';
import {
  MAILBOX_KEY,
  MESSAGES_MAX,
  messageKey,
  messagesOf,
  namedIdKey,
  newState,
  threadKey,
  withMessage,
  type MailboxSlice,
  type MessageState,
} from './conversation.ts';
import type { Arrival } from './events.ts';

export type Arriving = {
  readonly messageId: string;
  /** Hashes of the Message-IDs in its header, nearest first: its own, those it answers, the older ones. */
  readonly ids: readonly string[];
};

export function arrivalReads({ messageId, ids }: Arriving): StateKey[] {
  return [messageKey(messageId), threadKey(messageId), MAILBOX_KEY, ...ids.map(namedIdKey)];
}

export function arrivalReadsNext({ ids }: Arriving, slices: Slices): StateKey[] {
  const thread = knownThread(ids, slices);
  return thread === undefined ? [] : [threadKey(thread)];
}

/** `hasWords`: the message can be found by its words. */
export function arrivalOf(
  { messageId, ids }: Arriving,
  slices: Slices,
  hasWords: boolean,
): Required<Omit<Arrival, 'doc'>> & { doc?: number } {
  const known = knownThread(ids, slices);
  const there = known === undefined ? [] : messagesOf(slices(threadKey(known)));
  // Nothing joins a draft, and least of all what it is sent as: it may bear the id of a message that is gone.
  const hasRoom = known !== undefined && there.length < MESSAGES_MAX && there[0]?.folder !== 'drafts';
  const docs = (slices(MAILBOX_KEY) as MailboxSlice | undefined)?.docs ?? 0;
  const thread = hasRoom ? known : messageId;
  return {
    messageId,
    thread,
    // Of one without room the nearest id leads to the new one; else each leads where it led before.
    ids: ids.filter((id, i) => slices(namedIdKey(id)) === undefined || (!hasRoom && i === 0)),
    ...(hasWords && { doc: docs }),
  };
}

/** The conversation of an event's message, also in logs of early releases. */
export function threadOfArrival({ messageId, thread }: Arrival): string {
  return thread ?? messageId;
}

export function arrivalTouches(arrival: Arrival): StateKey[] {
  const { messageId, ids = [], doc } = arrival;
  return [
    messageKey(messageId),
    threadKey(threadOfArrival(arrival)),
    ...ids.map(namedIdKey),
    ...(doc === undefined ? [] : [MAILBOX_KEY]),
  ];
}

/** Whether it begins a conversation of which nothing is here. */
export function beginsAnew({ messageId, thread }: Arrival, slices: Slices): boolean {
  return thread === messageId && slices(threadKey(messageId)) === undefined;
}

/** Whether the slice `key`, one of `arrivalTouches`, is as `evolveArrival` leaves it, whatever it was before. */
export function isBlindArrival(key: StateKey, arrival: Arrival, isAnew: boolean): boolean {
  return isAnew || key !== threadKey(threadOfArrival(arrival));
}

/** The slice `key`, one of `arrivalTouches`, with the message in it. */
export function evolveArrival(
  key: StateKey,
  slice: Json | undefined,
  arrival: Arrival,
  at: number,
  marks: Partial<MessageState>,
): Json {
  const { messageId, doc } = arrival;
  const thread = threadOfArrival(arrival);
  if (key === MAILBOX_KEY) return { docs: (doc ?? 0) + 1 } satisfies MailboxSlice;
  if (key === threadKey(thread)) {
    return withMessage(slice, { ...newState(messageId, 'inbox', at), doc: doc ?? null, ...marks });
  }
  return { thread };
}

/** The parts with words are optional: without them a message is kept, and cannot be found by search. */
export function hasPart(content: Content, part: number): boolean {
  return content.count > part;
}

function knownThread(ids: readonly string[], slices: Slices): string | undefined {
  for (const id of ids) {
    const named = slices(namedIdKey(id)) as { readonly thread: string } | undefined;
    if (named !== undefined) return named.thread;
  }
  return undefined;
}
