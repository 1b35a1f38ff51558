/**
 * Somebody who is away answers what comes in (RFC 3834): decided by the decision that receives the message. What
 * always holds:
 *
 *   only a message that its gateway calls answerable is answered, so that no answer is ever answered
 *   nobody is told the same again within the interval; no more than 200 answers go out in 24 hours
 *   what is remembered of those who were told is bounded: the newest 1,000, for 31 days
 *   an answer stands in the entry of the message that it answers, whole, and its delivery is that entry's reaction
 */
import type { Content, EventHandler, Json, Slices, StateKey, Time } from '../../decider.ts';
import { addressKey } from '../../contacts/book.ts';
import { claimKey } from '../../contacts/evolve.ts';
import { idFrom } from '../../derived-id.ts';
import { encodeEnvelope } from '../../outbound/envelope.ts';
import { accountOf, accountStream } from '../../streams.ts';
import type { Answerable, Answering } from '../message/answerable.ts';
import { hasPart } from '../arrival.ts';
import type { VacationReplied } from '../events.ts';
import type { Folder } from '../folders.ts';
import { decodeSummary } from '../message/summary.ts';
import { outgoingOf, queueing } from '../sending/outside.ts';
import { vacationLetter, type Letter } from './vacation-letter.ts';
import { EVERY_DAYS_MAX } from './vacation-settings.ts';
import { decodeWords, NO_WORDS } from '../message/words.ts';

export const REPLIES_A_DAY_MAX = 200;
export const TOLD_MAX = 1000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** What most arrivals look at. */
export type VacationSlice = {
  /** sha256 of the setting's bytes; '' once it was erased. */
  readonly settings: string;
  readonly on: boolean;
  readonly from: Time | null;
  readonly until: Time | null;
  readonly everyDays: number;
  readonly contactsOnly: boolean;
  /** Who was told before that was told something else. */
  readonly since: Time;
};

/** Hashes of senders and when they were told, in the order of time; each once. */
type ToldSlice = { readonly told: readonly (readonly [sender: string, at: Time])[] };

export const VACATION_KEY: StateKey = 'vacation';
export const LETTER_KEY: StateKey = 'vacation-letter';
const TOLD_KEY: StateKey = 'vacation-told';

/** What a message that comes in says of being answered. */
export type Asking = Answering & { readonly how: Answerable };

export function vacationReads(asking: Asking | undefined): StateKey[] {
  return asking === undefined ? [] : [VACATION_KEY];
}

export function vacationReadsNext(asking: Asking | undefined, slices: Slices): StateKey[] {
  const vacation = asking && (slices(VACATION_KEY) as VacationSlice | undefined);
  if (vacation?.on !== true) return [];
  return [LETTER_KEY, TOLD_KEY, ...(vacation.contactsOnly ? [contactKey(asking!)] : [])];
}

export type Arrived = {
  readonly messageId: string;
  readonly asking: Asking | undefined;
  /** Where it lies. */
  readonly folder: Folder;
  /** Hashes of all Message-IDs in its header. */
  readonly named: readonly string[];
};

/** The event that answers it, with the parts that the entry takes on for it; undefined: it is not answered. */
export function vacationReply(
  { messageId, asking, folder, named }: Arrived,
  slices: Slices,
  { stream, time, content }: { readonly stream: string; readonly time: Time; readonly content: Content },
): { readonly event: VacationReplied; readonly parts: readonly Uint8Array[] } | undefined {
  if (asking === undefined || folder === 'spam' || folder === 'trash') return undefined;
  const owner = accountOf(stream);
  if (owner === undefined || asking.account === owner || !isToBeTold(asking, slices, time)) return undefined;
  const letter = slices(LETTER_KEY) as Letter | undefined;
  if (letter === undefined) return undefined;
  const words = hasPart(content, 2) ? decodeWords(content.bytes(2)) : NO_WORDS;
  const answered = { how: asking.how, subject: decodeSummary(content.bytes(1)).subject, words };
  // Two dots in a row, which an account's name may have, are none in a Message-ID.
  const name = `${messageId}.${owner.replaceAll('.', '~')}`;
  const { sender, account } = asking;
  const parts = vacationLetter(letter, answered, name, time);
  return {
    event: {
      type: 'mail.VacationReplied',
      version: 1,
      data: {
        ...{ messageId, sender, account, named, part: content.count, nullSender: true },
        ...(account === null && { outside: 1, envelope: content.count + parts.length }),
      },
    },
    // To another system nobody is told of a failure (RFC 3834 §3.3).
    parts:
      account === null
        ? [...parts, encodeEnvelope({ from: '', to: [asking.how.address], prepend: '' })]
        : parts,
  };
}

function isToBeTold(asking: Asking, slices: Slices, time: Time): boolean {
  const vacation = slices(VACATION_KEY) as VacationSlice | undefined;
  if (vacation?.on !== true) return false;
  const { from, until, everyDays, contactsOnly, since } = vacation;
  if ((from !== null && time < from) || (until !== null && time >= until)) return false;
  if (contactsOnly && slices(contactKey(asking)) === undefined) return false;
  const told = toldOf(slices(TOLD_KEY));
  const before = told.find(([sender]) => sender === asking.sender)?.[1];
  if (before !== undefined && before >= since && time < before + everyDays * DAY_MS) return false;
  return told.filter(([, at]) => time < at + DAY_MS).length < REPLIES_A_DAY_MAX;
}

function contactKey({ how }: Asking): StateKey {
  return claimKey(`address/${addressKey(how.address)}`);
}

function toldOf(slice: Json | undefined): ToldSlice['told'] {
  return (slice as ToldSlice | undefined)?.told ?? [];
}

export const vacationReplied: EventHandler = {
  touches: () => [TOLD_KEY],
  evolve(_key, slice, event, _content, time) {
    const { sender } = (event as VacationReplied).data;
    const others = toldOf(slice).filter(
      ([other, at]) => other !== sender && time < at + EVERY_DAYS_MAX * DAY_MS,
    );
    return { told: [...others, [sender, time] as const].slice(-TOLD_MAX) } satisfies ToldSlice;
  },
  /** To an account here, or to a queue; what earlier releases answered elsewhere has no envelope, and goes nowhere. */
  reactions(event, stream, content) {
    const { data } = event as VacationReplied;
    const { messageId, account, part, named, nullSender } = data;
    const outgoing = outgoingOf(data);
    if (outgoing !== undefined)
      return queueing(stream, { messageId, origin: 'answer', message: part }, outgoing);
    if (account === null) return [];
    return [
      {
        stream: accountStream(account),
        command: 'mail.ReceiveMessage',
        data: {
          messageId: idFrom(content.digest(part)),
          via: 'local',
          ids: named,
          ...(nullSender && { nullSender }),
        },
        parts: [part, part + 1, part + 2],
      },
    ];
  },
};
