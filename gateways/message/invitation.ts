/**
 * An invitation (iCalendar, RFC 5545, in a mail by RFC 6047) as a card that people read: what, when, where, who.
 * ical.js parses; nothing is expanded: a recurrence is told in words, and its dates are never computed, so that no
 * file can ask for a million of them.
 *
 * Always holds: it never throws; what comes out is bounded and readable text; a time is an instant only
 * if its zone is known, else it is told as the sender wrote it. Left out: alarms, attachments, to-dos.
 */
import ICAL from 'ical.js';
import { cut, manyLines, oneLine } from './readable-text.ts';
import { recurrenceInWords } from './recurrence-words.ts';
import { instantOf, trustedZones } from './calendar-time.ts';

export type Invitation = {
  readonly kind: 'request' | 'cancel' | 'reply' | 'event';
  readonly title: string;
  readonly start: CalendarTime | undefined;
  /** Absent if there is none, or if it is the start's own day. */
  readonly end: CalendarTime | undefined;
  readonly place: string;
  readonly organiser: Person | undefined;
  /** The first of them. */
  readonly guests: readonly Guest[];
  readonly guestsTotal: number;
  /** 'every week on Monday, until 1 January 2027' */
  readonly repeats: string | undefined;
  readonly notes: string;
  /** Further events in the same file. */
  readonly others: number;
};

export type CalendarTime = {
  /** ms since 1970; undefined for whole days and for times in a zone nobody knows. */
  readonly at: number | undefined;
  /** As the sender's clock says it: 'Thursday 26 November 2026, 10:00'. */
  readonly written: string;
  /** The zone's name, if there is one. */
  readonly zone: string | undefined;
};

export type Person = { readonly name: string; readonly address: string };
export type Guest = Person & { readonly answer: 'accepted' | 'declined' | 'tentative' | 'open' };

const CALENDAR_CHARS_MAX = 256 * 1024;
const COMPONENTS_MAX = 200;
const GUESTS_MAX = 30;
const NOTES_CHARS_MAX = 4_000;
const DURATION_S_MAX = 10 * 366 * 24 * 3600;

/** undefined: there is no event in it that could be read. */
export function readInvitation(text: string): Invitation | undefined {
  if (text.length > CALENDAR_CHARS_MAX) return undefined;
  if ((text.match(/^BEGIN:/gim)?.length ?? 0) > COMPONENTS_MAX) return undefined;
  try {
    const calendar = new ICAL.Component(ICAL.parse(text) as unknown[]);
    const events = calendar.getAllSubcomponents('vevent');
    const first = events[0];
    return first && cardOf(calendar, first, events.length - 1);
  } catch {
    // ical.js throws on what is no iCalendar: the file stays an attachment.
    return undefined;
  }
}

function cardOf(calendar: ICAL.Component, event: ICAL.Component, others: number): Invitation {
  const zones = trustedZones(calendar);
  const allDay = (event.getFirstPropertyValue('dtstart') as { isDate?: boolean } | null)?.isDate === true;
  const start = timeOf(event.getFirstProperty('dtstart'), zones);
  const end = allDay
    ? lastDay(event)
    : (timeOf(event.getFirstProperty('dtend'), zones) ?? ending(event, zones));
  const guests = event.getAllProperties('attendee');
  const rule = event.getFirstPropertyValue('rrule');
  return {
    kind: kindOf(calendar, event),
    title: textOf(event, 'summary', 200),
    start,
    end: end?.written === start?.written ? undefined : end,
    place: textOf(event, 'location', 300),
    organiser: personOf(event.getFirstProperty('organizer')),
    guests: guests.slice(0, GUESTS_MAX).flatMap((guest) => {
      const person = personOf(guest);
      return person === undefined ? [] : [{ ...person, answer: answerOf(guest) }];
    }),
    guestsTotal: guests.length,
    repeats: rule instanceof ICAL.Recur ? recurrenceInWords(rule) : undefined,
    notes: manyLines(
      cut(stringOf(event.getFirstPropertyValue('description')), NOTES_CHARS_MAX),
      NOTES_CHARS_MAX,
    ).trim(),
    others,
  };
}

/** RFC 5546 §1.4, as far as it matters to a reader. */
function kindOf(calendar: ICAL.Component, event: ICAL.Component): Invitation['kind'] {
  const method = stringOf(calendar.getFirstPropertyValue('method')).toUpperCase();
  const status = stringOf(event.getFirstPropertyValue('status')).toUpperCase();
  if (method === 'CANCEL' || status === 'CANCELLED') return 'cancel';
  if (method === 'REQUEST') return 'request';
  return method === 'REPLY' ? 'reply' : 'event';
}

function timeOf(property: ICAL.Property | null, zones: ReadonlySet<string>): CalendarTime | undefined {
  const value = property?.getFirstValue();
  if (!(value instanceof ICAL.Time)) return undefined;
  const zone = stringOf(property?.getFirstParameter('tzid'));
  return {
    at: instantOf(value, zone, zones),
    written: written(value),
    zone: zone === '' ? undefined : oneLine(zone, 60),
  };
}

/** The start and a duration. */
function ending(event: ICAL.Component, zones: ReadonlySet<string>): CalendarTime | undefined {
  const start = event.getFirstProperty('dtstart')?.getFirstValue();
  const duration = event.getFirstPropertyValue('duration');
  if (!(start instanceof ICAL.Time) || !(duration instanceof ICAL.Duration)) return undefined;
  // ical.js counts a duration day by day.
  if (!(Math.abs(duration.toSeconds()) <= DURATION_S_MAX)) return undefined;
  const end = start.clone();
  end.addDuration(duration);
  const zone = stringOf(event.getFirstProperty('dtstart')?.getFirstParameter('tzid'));
  return { at: instantOf(end, zone, zones), written: written(end), zone: undefined };
}

/** The end of whole days is the first day after them (RFC 5545 §3.6.1). */
function lastDay(event: ICAL.Component): CalendarTime | undefined {
  const end = event.getFirstPropertyValue('dtend');
  if (!(end instanceof ICAL.Time)) return undefined;
  const last = end.clone();
  last.adjust(-1, 0, 0, 0);
  return { at: undefined, written: written(last), zone: undefined };
}

const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June'],
  ...['July', 'August', 'September', 'October', 'November', 'December'],
];

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

function written(time: ICAL.Time): string {
  const weekday = WEEKDAYS[time.dayOfWeek() - 1] ?? '';
  const day = `${weekday} ${time.day} ${MONTHS[time.month - 1] ?? ''} ${time.year}`;
  if (time.isDate) return day;
  return `${day}, ${String(time.hour).padStart(2, '0')}:${String(time.minute).padStart(2, '0')}`;
}

function personOf(property: ICAL.Property | null): Person | undefined {
  if (property === null) return undefined;
  const address = oneLine(stringOf(property.getFirstValue()).replace(/^mailto:/i, ''), 320);
  const name = oneLine(stringOf(property.getFirstParameter('cn')), 200);
  return address === '' && name === '' ? undefined : { name: name || address, address };
}

function answerOf(guest: ICAL.Property): Guest['answer'] {
  const answer = stringOf(guest.getFirstParameter('partstat')).toLowerCase();
  return answer === 'accepted' || answer === 'declined' || answer === 'tentative' ? answer : 'open';
}

function textOf(event: ICAL.Component, name: string, charsMax: number): string {
  return oneLine(stringOf(event.getFirstPropertyValue(name)), charsMax);
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
