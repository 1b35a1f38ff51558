/** Alice is away, and something comes in: what the specifications of absences have in common. */
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { Json } from '../../domain/decider.ts';
import { encodeAnswerable } from '../../domain/mail/message/answerable.ts';
import type { VacationSettings } from '../../domain/mail/vacation/vacation-settings.ts';
import { encodeWords, NO_WORDS } from '../../domain/mail/message/words.ts';
import { id, RAW, summary } from './given.ts';
import type { Outcome, Part } from './in-memory-shell.ts';
import { AWAY, eventsOf, Mailbox, named } from './mailbox.ts';

export function away(more: Partial<VacationSettings> = {}): Mailbox {
  const mailbox = new Mailbox();
  expect(eventsOf(mailbox.setVacation({ ...AWAY, ...more }))).toEqual(['mail.VacationChanged']);
  return mailbox;
}

type From = { readonly address?: string; readonly account?: string | null; readonly words?: Part };

/** Something comes in that may be answered; by default from bob, who has an account here. */
export function comes(mailbox: Mailbox, number: number, from: From = {}, time?: number): Outcome {
  const { address = 'bob@penncloud.test', account = 'bob', words = encodeWords(NO_WORDS) } = from;
  const how = encodeAnswerable({
    address,
    messageId: '<lunch@penncloud.test>',
    references: ['<first@penncloud.test>'],
  });
  const sender = hashOf(address);
  const data: Json = {
    messageId: id(number),
    via: 'smtp',
    ids: [named(1), named(2)],
    answer: { sender, account },
  };
  return mailbox.do('ReceiveMessage', data, [RAW, summary(), words, how], time === undefined ? {} : { time });
}

export const hashOf = (address: string) =>
  createHash('sha256').update(address).digest('base64url').slice(0, 22);
export const stranger = (n: number): From => ({ address: `stranger${n}@elsewhere.example`, account: null });
export const isAnswered = (outcome: Outcome) => eventsOf(outcome).includes('mail.VacationReplied');
