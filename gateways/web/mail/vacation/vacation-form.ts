/**
 * The form of the out-of-office reply: what was typed becomes a setting, and a setting becomes what is shown. Days are
 * those of the account's time zone, and become instants here. Every refusal names the field.
 */
import { createHash } from 'node:crypto';
import {
  encodeVacation,
  EVERY_DAYS_MAX,
  VACATION_SUBJECT_BYTES_MAX,
  VACATION_TEXT_BYTES_MAX,
  VACATION_WORDS_BYTES_MAX,
  type VacationSettings,
} from '../../../../domain/mail/vacation/vacation-settings.ts';
import { encodeWords } from '../../../../domain/mail/message/words.ts';
import { messageWords } from '../../../message/words.ts';
import { instantInZone } from '../../../message/zoned-time.ts';
import { field, typed, type Fields } from '../../../pages/form.ts';
import type { Pages } from '../../../pages/pages.ts';
import { badField } from '../../../pages/refusals.ts';
import { sendersOf } from '../../../pages/senders.ts';
import type { Visit } from '../../../pages/visit.ts';

const NAMES = ['on', 'first', 'last', 'subject', 'text', 'everyDays', 'contactsOnly'] as const;
export type Values = Readonly<Record<(typeof NAMES)[number], string>>;

const DAY_MS = 24 * 60 * 60 * 1000;
const DAYS_USUAL = 7;
/** Of the text: more are not found by search. */
const BODY_WORDS_MAX = 2000;

export function valuesTyped(fields: Fields): Values {
  return typed(fields, NAMES) as Values;
}

export function valuesOf(settings: VacationSettings | undefined): Values {
  const { on = false, first = '', last = '', subject = '', text = '' } = settings ?? {};
  const { everyDays = DAYS_USUAL, contactsOnly = false } = settings ?? {};
  const yes = (is: boolean) => (is ? 'yes' : '');
  return {
    ...{ first, last, subject, text },
    on: yes(on),
    everyDays: String(everyDays),
    contactsOnly: yes(contactsOnly),
  };
}

/** The zone that days are counted in. */
export function zoneOf({ profile }: Visit): string {
  return profile.zone || 'UTC';
}

/** Tells one setting from another, so that a form says which one it was made on. */
export function settingsDigest(settings: VacationSettings | undefined): string {
  if (settings === undefined) return '';
  return createHash('sha256').update(encodeVacation(settings)).digest('hex');
}

/** Throws PageRefusal 400. */
export function settingsFrom(pages: Pages, visit: Visit, fields: Fields, now: number): VacationSettings {
  const on = fields['on'] === 'yes';
  const zone = zoneOf(visit);
  const first = dayIn(fields, 'first', 'First day');
  const last = dayIn(fields, 'last', 'Last day');
  const from = first === '' ? null : startOf(first, zone);
  const until = last === '' ? null : startOf(dayAfter(last), zone);
  if (from !== null && until !== null && until <= from) {
    throw badField('Last day lies before the first day: choose a later one.');
  }
  if (on && until !== null && until <= now) {
    throw badField('Last day is over: choose a later one, or leave it empty.');
  }
  const subject = field(fields, 'subject', { label: 'Subject', bytesMax: VACATION_SUBJECT_BYTES_MAX }).trim();
  const text = textIn(fields, on);
  const everyDays = Number(field(fields, 'everyDays', { label: 'Days', bytesMax: 10 }));
  if (!Number.isInteger(everyDays) || everyDays < 1 || everyDays > EVERY_DAYS_MAX) {
    throw badField(`Days until the same person is told again must be a number from 1 to ${EVERY_DAYS_MAX}.`);
  }
  const contactsOnly = fields['contactsOnly'] === 'yes';
  const { displayName: name, address } = sendersOf(visit, undefined, pages.deps.domains)[0]!;
  const words = wordsOf({ name, address }, subject, text);
  return { on, subject, text, first, last, from, until, everyDays, contactsOnly, name, address, words };
}

function textIn(fields: Fields, required: boolean): string {
  const rule = { label: 'Message', bytesMax: 2 * VACATION_TEXT_BYTES_MAX, multiline: true, required };
  const text = field(fields, 'text', rule).replace(/\r\n?/g, '\n').trimEnd();
  const bytes = Buffer.byteLength(text);
  if (bytes <= VACATION_TEXT_BYTES_MAX) return text;
  throw badField(`Message is too long: at most ${VACATION_TEXT_BYTES_MAX} bytes, this has ${bytes}.`);
}

/** What the answers can be found by; of a text that has more of them than fit, those of its beginning. */
function wordsOf(from: { name: string; address: string }, subject: string, text: string): string {
  const message = { from, to: [], cc: [], subject, attachments: [], text, html: undefined };
  const words = messageWords(message);
  for (let max = BODY_WORDS_MAX; ; max >>= 1) {
    const encoded = encodeWords({ ...words, body: words.body.slice(0, max) });
    if (encoded.length <= VACATION_WORDS_BYTES_MAX || max === 0) return Buffer.from(encoded).toString();
  }
}

/** YYYY-MM-DD, a day that there is; '' if none was chosen. */
function dayIn(fields: Fields, name: string, label: string): string {
  const day = field(fields, name, { label, bytesMax: 20 }).trim();
  if (day === '') return '';
  const time = /^20\d{2}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00Z`) : Number.NaN;
  if (Number.isNaN(time) || dayText(time) !== day) throw badField(`${label} must look like 2026-12-24.`);
  return day;
}

function dayAfter(day: string): string {
  return dayText(Date.parse(`${day}T00:00Z`) + DAY_MS);
}

function dayText(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** When the day begins where the zone is; a zone that this gateway does not know counts as UTC. */
function startOf(day: string, zone: string): number {
  const wall = Date.parse(`${day}T00:00Z`);
  return instantInZone(wall, zone) ?? wall;
}
