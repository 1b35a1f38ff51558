/**
 * When a calendar's time is: the instant, if its zone is known. A zone is known if it is UTC, if the file defines
 * it in the plain yearly way, or if its name is one of the IANA's. Zones that files define are expanded
 * year by year by ical.js, from their beginning: one that changes every second would never end, so such a
 * definition is not trusted.
 */
import ICAL from 'ical.js';
import { instantInZone } from './zoned-time.ts';

const ZONES_MAX = 20;
const CHANGES_MAX = 100;
/** Of those without an end; a zone has two, one in spring and one in autumn. */
const YEARLY_CHANGES_MAX = 8;
/** Outlook writes 1601. */
const FIRST_YEAR = 1600;
const LAST_YEAR = 2200;

/** The names of the zones that this calendar defines, and that may be expanded. */
export function trustedZones(calendar: ICAL.Component): Set<string> {
  const zones = calendar.getAllSubcomponents('vtimezone');
  if (zones.length > ZONES_MAX) return new Set();
  return new Set(zones.filter(isPlain).map((zone) => String(zone.getFirstPropertyValue('tzid'))));
}

function isPlain(zone: ICAL.Component): boolean {
  const changes = zone.getAllSubcomponents();
  const yearly = changes.filter((change) => change.getAllProperties('rrule').length > 0);
  return changes.length <= CHANGES_MAX && yearly.length <= YEARLY_CHANGES_MAX && changes.every(isYearly);
}

function isYearly(change: ICAL.Component): boolean {
  const start = change.getFirstPropertyValue('dtstart');
  if (!(start instanceof ICAL.Time) || start.year < FIRST_YEAR || start.year > LAST_YEAR) return false;
  if (change.getAllProperties('rdate').length > CHANGES_MAX) return false;
  const rules = change.getAllProperties('rrule');
  return (
    rules.length <= 1 &&
    rules.every((property) => {
      const rule = property.getFirstValue();
      if (!(rule instanceof ICAL.Recur) || rule.freq !== 'YEARLY') return false;
      const parts = rule.parts as Record<string, readonly unknown[] | undefined>;
      const known = Object.keys(parts).every((part) => /^BY(?:MONTH|DAY|MONTHDAY)$/.test(part));
      const once = parts['BYMONTH']?.length === 1 && (parts['BYDAY']?.length ?? 0) <= 1;
      return known && once && (parts['BYMONTHDAY']?.length ?? 0) <= 7;
    })
  );
}

/** ms since 1970. `zone` is the TZID beside the time, '' if there is none. Whole days have no instant. */
export function instantOf(time: ICAL.Time, zone: string, trusted: ReadonlySet<string>): number | undefined {
  if (time.isDate || time.year < FIRST_YEAR || time.year > LAST_YEAR) return undefined;
  if (time.zone === ICAL.Timezone.utcTimezone || trusted.has(zone)) return time.toUnixTime() * 1000;
  if (zone === '') return undefined;
  const wall = Date.UTC(time.year, time.month - 1, time.day, time.hour, time.minute, time.second);
  return instantInZone(wall, zone);
}
