/**
 * How a message came into this account, in words: told by the entry of the log that brought it, the entry that
 * caused that one, and the fields that our own server put on top of the message. What lies below those, a
 * stranger wrote, and nothing is told from it.
 */
import type { MailEvent, MessageReceived } from '../../../../domain/mail/events.ts';
import type { Rule } from '../../../../domain/mail/rules/rules.ts';
import { SPAM_SCORE_FROM } from '../../../../domain/mail/spam/spam.ts';
import { accountOf } from '../../../../domain/streams.ts';
import type { LoggedEntry } from '../../../../storage-nodes/client/client.ts';
import type { HeaderBlock } from '../../../message/header-block.ts';

/** Names of the account's present folders and rules. */
export type Names = {
  readonly folder: (folder: string) => string;
  readonly rules: readonly Rule[];
};

/** One thing that happened; `ends` is the end of `words`, if there is one. */
export type Told = {
  readonly icon: string;
  readonly words: string;
  readonly ends?: number;
  /** By whom, or when: the end of a sentence; may be empty. */
  readonly by: string;
  readonly notes: readonly string[];
};

export type Received = MessageReceived['data'];

/** The event of this entry that brought the message; undefined: the entry is of something else. */
export function receivedIn(entry: LoggedEntry | undefined, messageId: string): Received | undefined {
  const events = (entry?.events ?? []) as unknown as readonly MailEvent[];
  return events.flatMap((event) =>
    event.type === 'mail.MessageReceived' && event.data.messageId === messageId ? [event.data] : [],
  )[0];
}

/** `origin`: the entry that caused this one, of another account's log; undefined: none, or it cannot be read. */
const HOW: Readonly<Record<Received['via'], string>> = {
  smtp: 'Received from another mail server',
  local: 'Received from an account here',
  import: 'Imported from a mailbox file',
};

export function arrivalTold(
  data: Received,
  header: HeaderBlock,
  origin: LoggedEntry | undefined,
  names: Names,
): Told {
  const { rules = [], spam, quarantined } = data;
  const forwarder = forwarderIn(origin, data);
  const how = HOW[data.via];
  return {
    icon: spam === true || quarantined === true ? 'spam' : rules.length > 0 ? 'rule' : 'inbox',
    words: forwarder === undefined ? how : `Forwarded to you by a rule of ${forwarder}`,
    by: spam === true ? 'by your spam filter' : rules.length > 0 ? 'by your rules' : '',
    notes: [
      ...(data.via === 'smtp' ? handoverTold(header) : []),
      placementTold(data, names),
      ...(data.score === undefined
        ? []
        : [`Your spam filter gave it ${data.score} of 100; from ${SPAM_SCORE_FROM} on it is spam.`]),
    ],
  };
}

/** Whose rule sent it on; a message that was written to this account has none. */
function forwarderIn(origin: LoggedEntry | undefined, { messageId }: Received): string | undefined {
  return receivedIn(origin, messageId) && accountOf(origin?.stream ?? '');
}

/** What the rules, the filter, or neither made of it. */
function placementTold(received: Received, names: Names): string {
  const { folder, read, starred, rules = [], spam, quarantined, forward } = received;
  const place = `came to ${names.folder(folder)}`;
  if (spam === true) return `It ${place}, because it is like what you have reported as spam.`;
  if (quarantined === true) {
    return `It ${place}, because whoever it names as its sender asks for that: they did not send it.`;
  }
  if (rules.length === 0) return `No rule of yours held for it: it ${place}.`;
  const did = [
    place,
    ...(starred === true ? ['was starred'] : []),
    ...(read === true ? ['was marked as read'] : []),
    ...(forward === undefined ? [] : [`was forwarded to ${listed(forward)}`]),
  ];
  const held = rules.map((id) => {
    const rule = names.rules.find((one) => one.id === id);
    return rule === undefined ? 'a rule that is deleted since' : `“${rule.name || 'without a name'}”`;
  });
  return `${held.length === 1 ? 'This rule of yours' : 'These rules of yours'} held for it: ${listed(held)}. It ${listed(did)}.`;
}

/** As smtp/session/trace.ts writes it. */
const TRACE =
  /^from (\S+) \((\[[^\]\s]+\])\)\s+by (\S+) with (\S+) id [a-z2-7]{26}(?:\s+for <([^<>\s]*)>)?\s*;/;

/** Who handed it over, and what stood on its envelope: the first two fields, if they are ours. */
function handoverTold(header: HeaderBlock): string[] {
  const [first, second] = header.list();
  if (first?.name !== 'Return-Path' || second?.name !== 'Received') return [];
  const [, client, address, server, protocol = '', recipient] = TRACE.exec(second.value) ?? [];
  if (client === undefined) return [];
  const sender = /^<([^<>\s]*)>$/.exec(first.value)?.[1] ?? '';
  const line = /SMTPS/.test(protocol) ? 'an encrypted' : 'an unencrypted';
  const from = sender === '' ? 'no sender (as reports of deliveries have)' : `the sender ${sender}`;
  const to = recipient === undefined ? 'several recipients' : `the recipient ${recipient}`;
  return [
    `Handed over by ${client} ${address} to ${server}, over ${line} connection.`,
    `Its envelope named ${from} and ${to}.`,
  ];
}

/** "a", "a and b", "a, b and c" */
export function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
