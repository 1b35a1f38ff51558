/**
 * What someone has set for while they are away, as bytes: JSON, written in one way only (properties in a fixed order,
 * no spaces), so that one setting can be told from another by its digest. No bytes: nothing was ever set. Reading
 * checks everything, because it comes from outside.
 */
import { decodeText, fieldsOf, flag, parsed, refuse, whole } from '../../fields.ts';
import { timeField } from '../fields.ts';
import { isAnswerableAddress } from '../message/answerable.ts';

export const VACATION_BYTES_MAX = 96 * 1024;
export const VACATION_SUBJECT_BYTES_MAX = 500;
export const VACATION_TEXT_BYTES_MAX = 8 * 1024;
export const VACATION_WORDS_BYTES_MAX = 32 * 1024;
export const EVERY_DAYS_MAX = 31;
const NAME_BYTES_MAX = 1000;

export type VacationSettings = {
  readonly on: boolean;
  /** '': "Auto: " and the subject of the message that is answered. */
  readonly subject: string;
  /** Lines parted by LF. */
  readonly text: string;
  /** The days as they were chosen, YYYY-MM-DD; '': none. */
  readonly first: string;
  readonly last: string;
  /** The same as instants, in the zone that was the account's: from <= time < until; null: without that end. */
  readonly from: number | null;
  readonly until: number | null;
  /** The same person is not told again for so many days. */
  readonly everyDays: number;
  readonly contactsOnly: boolean;
  /** Whom answers come from. */
  readonly name: string;
  readonly address: string;
  /** Those of an answer without its recipient, as `encodeWords` writes them. */
  readonly words: string;
};

export function encodeVacation(settings: VacationSettings): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(inOrder(settings)));
}

/** Undefined: nothing was set, or it was erased, or it cannot be read. */
export function decodeVacation(bytes: Uint8Array | undefined): VacationSettings | undefined {
  if (bytes === undefined || bytes.length === 0) return undefined;
  const read = parsed(() => checkedVacation(bytes));
  return 'data' in read ? read.data : undefined;
}

/** Ends the surrounding `parsed` for bytes that `encodeVacation` cannot have written of a sound setting. */
export function checkedVacation(bytes: Uint8Array): VacationSettings {
  const written = decodeText(bytes) ?? '';
  const given = fieldsOf(json(written), [
    ...(['on', 'subject', 'text', 'first', 'last', 'from', 'until', 'everyDays'] as const),
    ...(['contactsOnly', 'name', 'address', 'words'] as const),
  ]);
  const settings: VacationSettings = {
    on: flag(given.on, 'on'),
    subject: line(given.subject, 'subject', VACATION_SUBJECT_BYTES_MAX),
    text: textField(given.text, 'text', VACATION_TEXT_BYTES_MAX),
    first: day(given.first, 'first'),
    last: day(given.last, 'last'),
    from: given.from === null ? null : timeField(given.from, 'from'),
    until: given.until === null ? null : timeField(given.until, 'until'),
    everyDays: whole(given.everyDays, 'everyDays', 1, EVERY_DAYS_MAX),
    contactsOnly: flag(given.contactsOnly, 'contactsOnly'),
    name: line(given.name, 'name', NAME_BYTES_MAX),
    address: addressField(given.address),
    words: textField(given.words, 'words', VACATION_WORDS_BYTES_MAX),
  };
  if (settings.on && settings.text.trim() === '') {
    refuse('Malformed', 'The text of the reply is missing.', { field: 'text' });
  }
  if (settings.from !== null && settings.until !== null && settings.until <= settings.from) {
    refuse('Malformed', 'The last day must not lie before the first one.', { field: 'last' });
  }
  if (JSON.stringify(inOrder(settings)) !== written) {
    refuse('Malformed', 'Settings must be written in their one order, without spaces.', {
      field: 'settings',
    });
  }
  return settings;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return refuse('Malformed', 'Settings must be an object in JSON.', { field: 'settings' });
  }
}

function day(value: unknown, field: string): string {
  if (typeof value === 'string' && /^(\d{4}-\d{2}-\d{2})?$/.test(value)) return value;
  return refuse('Malformed', `The ${field} day must look like 2026-12-24, or be empty.`, { field });
}

function addressField(value: unknown): string {
  if (typeof value === 'string' && isAnswerableAddress(value)) return value;
  return refuse('Malformed', 'The address of the reply must be name@domain.', { field: 'address' });
}

function line(value: unknown, field: string, bytesMax: number): string {
  const text = textField(value, field, bytesMax);
  if (/[\0-\x1f\x7f]/.test(text)) {
    refuse('Malformed', `The ${field} must be one line without control characters.`, { field });
  }
  return text;
}

/** Bounds are of UTF-8 bytes; lone surrogates are refused, because they have none. */
function textField(value: unknown, field: string, bytesMax: number): string {
  const isText = typeof value === 'string' && value.length <= bytesMax && !/[\ud800-\udfff]/u.test(value);
  if (!isText || value.includes('\0') || new TextEncoder().encode(value).length > bytesMax) {
    return refuse('Malformed', `The ${field} must be text of at most ${bytesMax} bytes.`, {
      field,
      limit: bytesMax,
    });
  }
  return value;
}

/** The one order of properties. */
function inOrder(settings: VacationSettings): VacationSettings {
  const { on, subject, text, first, last, from, until, everyDays, contactsOnly, name, address, words } =
    settings;
  return { on, subject, text, first, last, from, until, everyDays, contactsOnly, name, address, words };
}
