/**
 * An item: one message on its way to other systems, for all of its addresses there. Each recipient is a small process:
 *
 *   waiting (until its next try) or held, then for good: delivered, failed or cancelled
 *   what a server has taken is delivered, whatever was wished meanwhile
 *   the slice goes with the last recipient that is delivered or failed. It stays if any was cancelled: a try that was
 *     under way may still report that its server took the message, and its sender is to hear of that
 *
 * Slices hold no address: recipients are known by their place in the envelope. An id is taken once because the entry
 * that asks for it is carried out once, which the store remembers for good; the id follows from where it comes from.
 */
import { isAccountName } from '../account/names.ts';
import type { Json, Slices, StateKey, Time } from '../decider.ts';
import { capital, matching, refuse } from '../fields.ts';

export type Origin = 'sent' | 'forward' | 'answer';
export type RecipientState = 'waiting' | 'held' | 'delivered' | 'failed' | 'cancelled';

export type Recipient = {
  readonly state: RecipientState;
  /** How often it was tried and put off, or for the last time. */
  readonly tries: number;
  /** Waiting: when it is tried next. Else null. */
  readonly retryAt: Time | null;
  /** Its sender was told that it takes long. */
  readonly isDelayTold?: true;
};

export type ItemSlice = {
  readonly account: string;
  readonly origin: Origin;
  readonly messageId: string;
  /** It has a sender who may hear of a failure. */
  readonly bounces: boolean;
  readonly recipients: readonly Recipient[];
};

/** Whose item it is: what its account hears of it. */
export type ItemOwner = Pick<ItemSlice, 'account' | 'origin' | 'messageId'>;

/** What became of a recipient; `to`: its place in the envelope. */
export type RecipientChange = Recipient & {
  readonly to: number;
  readonly before: RecipientState;
  /** What the server answered last; absent: nobody was asked. */
  readonly code?: number | null;
};

export const itemKey = (itemId: string): StateKey => `item/${itemId}`;

const MARKS = { sent: undefined, forward: 'f', answer: 'a' } as const;

/** `<messageId>` of what was sent, `<messageId>.f.<account>` of what a rule forwards, `.a.` of an answer. */
export function itemIdOf({ account, origin, messageId }: ItemOwner): string {
  const mark = MARKS[origin];
  return mark === undefined ? messageId : `${messageId}.${mark}.${account}`;
}

/** Requires `parsed` around it. */
export function itemIdField(value: unknown, field = 'id'): string {
  const rule = 'an item’s id: a message’s, and with .f. or .a. and an account’s name behind it';
  const itemId = matching(value, field, /^[a-z2-7]{26}(-in)?(\.[fa]\.[a-z0-9._-]{2,32})?$/, rule);
  const account = /\.[fa]\.(.+)$/.exec(itemId)?.[1];
  if (account !== undefined && !isAccountName(account))
    refuse('Malformed', `${capital(field)} must be ${rule}.`, { field, limit: rule });
  return itemId;
}

export function itemOf(slices: Slices, itemId: string): ItemSlice | undefined {
  return slices(itemKey(itemId)) as ItemSlice | undefined;
}

/** The slice after these changes. */
export function withChanges(
  slice: Json | undefined,
  changes: readonly RecipientChange[],
): ItemSlice | undefined {
  const item = slice as ItemSlice | undefined;
  if (item === undefined) return undefined;
  const recipients = item.recipients.map(
    (recipient, to) => changes.findLast((change) => change.to === to) ?? recipient,
  );
  const isNeeded = recipients.some(({ state }) => !isOver(state) || state === 'cancelled');
  return isNeeded ? { ...item, recipients: recipients.map(plain) } : undefined;
}

/** For good. */
export function isOver(state: RecipientState): boolean {
  return state !== 'waiting' && state !== 'held';
}

function plain({ state, tries, retryAt, isDelayTold }: Recipient): Recipient {
  return { state, tries, retryAt, ...(isDelayTold && { isDelayTold }) };
}
