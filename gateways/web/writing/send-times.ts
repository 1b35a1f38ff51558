/**
 * When a message goes out: at once (with some seconds to take it back), after a while, or at a time of one's
 * own. A time of one's own is what a clock on a wall shows: in the zone in which the account's dates are written;
 * if none was chosen, in the browser's, which its script names, or else with an offset from UTC.
 */
import { field, type Fields } from '../../pages/form.ts';
import { badField } from '../../pages/refusals.ts';
import { isZone } from '../../pages/wording.ts';
import { clockAfterSkip, isWallTime, momentIn } from './wall-time.ts';

const HOUR_MS = 3_600_000;
const DAYS_MAX = 366;
const ZONE_BYTES_MAX = 100;

export const DELAYS: readonly { readonly value: string; readonly words: string; readonly ms: number }[] = [
  { value: '1h', words: 'In one hour', ms: HOUR_MS },
  { value: '3h', words: 'In three hours', ms: 3 * HOUR_MS },
  { value: '24h', words: 'In a day', ms: 24 * HOUR_MS },
  { value: '168h', words: 'In a week', ms: 168 * HOUR_MS },
];

/** Offsets that are in use on earth, as ISO 8601 writes them. */
export const OFFSETS: readonly string[] = [
  ...['-12:00', '-11:00', '-10:00', '-09:30', '-09:00', '-08:00', '-07:00', '-06:00', '-05:00', '-04:00'],
  ...['-03:30', '-03:00', '-02:30', '-02:00', '-01:00', '+00:00', '+01:00', '+02:00', '+03:00', '+03:30'],
  ...['+04:00', '+04:30', '+05:00', '+05:30', '+05:45', '+06:00', '+06:30', '+07:00', '+08:00', '+08:45'],
  ...['+09:00', '+09:30', '+10:00', '+10:30', '+11:00', '+12:00', '+12:45', '+13:00', '+13:45', '+14:00'],
];

/** Ms since 1970. Throws PageRefusal 400. */
export function chosenTime(fields: Fields, now: number): number {
  const own = field(fields, 'at', { label: 'Date and time', bytesMax: 40 });
  const time = own === '' ? delayed(fields['delay'], now) : wallTime(own, fields);
  if (time <= now) throw badField('The time lies in the past: choose a later one.');
  if (time > now + DAYS_MAX * 24 * HOUR_MS) {
    throw badField(`The time is too far ahead: at most ${DAYS_MAX} days.`);
  }
  return time;
}

function delayed(delay: unknown, now: number): number {
  const found = DELAYS.find(({ value }) => value === delay);
  if (found === undefined) throw badField('When it should be sent is missing: choose a time.');
  return now + found.ms;
}

function wallTime(own: string, fields: Fields): number {
  if (!isWallTime(own)) throw badField('Date and time must look like 2026-12-24T18:00.');
  const zone = field(fields, 'zone', { label: 'Time zone', bytesMax: ZONE_BYTES_MAX });
  if (zone === '') return atOffset(own, fields);
  if (!isZone(zone)) throw badField(`The time zone “${zone}” is not known here: choose one for your dates.`);
  const time = momentIn(zone, own);
  if (time !== undefined) return time;
  const [day, clock] = own.split('T');
  throw badField(
    `On ${day} clocks in ${zone} are put forward and never show ${clock}: choose ${clockAfterSkip(zone, own)}, or another time.`,
  );
}

function atOffset(own: string, fields: Fields): number {
  const offset = field(fields, 'offset', { label: 'UTC offset', bytesMax: 10 });
  if (!OFFSETS.includes(offset)) throw badField('UTC offset must be one of the list, such as +01:00.');
  return Date.parse(`${own}${offset}`);
}
