/**
 * A recurrence rule (RFC 5545 §3.3.10) in words: 'every 2 weeks on Monday and Thursday, until 1 January 2027'. Rules that
 * words would not make clearer are told in general: 'every month, by a rule of its own'.
 */
import type ICAL from 'ical.js';

const UNITS: Readonly<Record<string, string>> = {
  DAILY: 'day',
  WEEKLY: 'week',
  MONTHLY: 'month',
  YEARLY: 'year',
  HOURLY: 'hour',
  MINUTELY: 'minute',
  SECONDLY: 'second',
};
const DAYS: Readonly<Record<string, string>> = {
  MO: 'Monday',
  TU: 'Tuesday',
  WE: 'Wednesday',
  TH: 'Thursday',
  FR: 'Friday',
  SA: 'Saturday',
  SU: 'Sunday',
};
const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August'].concat(
  ...['September', 'October', 'November', 'December'],
);
const PLACES: Readonly<Record<string, string>> = {
  '1': 'first',
  '2': 'second',
  '3': 'third',
  '4': 'fourth',
  '5': 'fifth',
  '-1': 'last',
};

export function recurrenceInWords(rule: ICAL.Recur): string {
  const unit = UNITS[rule.freq] ?? 'time';
  const often = rule.interval > 1 ? `every ${rule.interval} ${unit}s` : `every ${unit}`;
  const end = rule.until
    ? `, until ${rule.until.day} ${MONTHS[rule.until.month - 1] ?? ''} ${rule.until.year}`
    : rule.count
      ? `, ${rule.count} times`
      : '';
  return `${often}${onWhich(rule)}${end}`;
}

function onWhich(rule: ICAL.Recur): string {
  const parts = rule.parts as Record<string, readonly (string | number)[] | undefined>;
  const names = Object.keys(parts);
  if (names.length === 0) return '';
  const days = parts['BYDAY']?.map((day) => dayInWords(String(day)));
  if (names.length === 1 && days?.every((day) => day !== undefined) && days.length <= 7) {
    return ` on ${listed(days)}`;
  }
  const dates = parts['BYMONTHDAY'];
  if (
    names.length === 1 &&
    dates !== undefined &&
    dates.length <= 5 &&
    dates.every((date) => Number(date) > 0)
  ) {
    return ` on day ${listed(dates.map(String))}`;
  }
  return ', by a rule of its own';
}

/** '2TU' -> 'the second Tuesday'. */
function dayInWords(day: string): string | undefined {
  const [, place = '', name = ''] = /^([+-]?\d*)([A-Z]{2})$/.exec(day) ?? [];
  const word = DAYS[name];
  if (word === undefined || place === '') return word;
  const which = PLACES[place.replace('+', '')];
  return which && `the ${which} ${word}`;
}

function listed(words: readonly (string | undefined)[]): string {
  return words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
