/**
 * The Date field (RFC 5322 §3.3, with the obsolete forms of §4.3), read without the host's locale,
 * time zone or lenient date parser: the same bytes give the same instant everywhere. Anything else is
 * `null`, never "now".
 */
const DATE =
  /^(?:[a-z]{3,9}\.?\s*,?\s*)?(\d{1,2})[\s-]+([a-z]{3})[a-z]*[\s-]+(\d{2,4})[\s,]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?(?:[.,]\d+)?\s*(?:(?:gmt|utc)?([+-]\d{4})|([a-z]{1,5}))?(?=$|[\s(,])/i;

/** The order of the C library's asctime: `Thu Aug 22 18:26:25 2002`, seen in real mail. */
const ASCTIME =
  /^[a-z]{3},?\s+([a-z]{3})\s+(\d{1,2})\s+(\d{1,2}):(\d{2}):(\d{2})\s+(?:([a-z]{1,5})\s+)?(\d{4})/i;

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** RFC 5322 §4.3 names these zones; every other one counts as "-0000", that is UTC. */
const ZONE_HOURS = new Map([
  ['edt', -4],
  ['est', -5],
  ['cdt', -5],
  ['cst', -6],
  ['mdt', -6],
  ['mst', -7],
  ['pdt', -7],
  ['pst', -8],
]);

/** Milliseconds since 1970, or null if the text is no date. */
export function readMailDate(text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = text.slice(0, 200).trim();
  const usual = DATE.exec(value);
  if (usual) {
    const [, day, month, year, hour, minute, second, offset, zone] = usual;
    return instant(fullYear(year ?? ''), month ?? '', day, hour, minute, second, offsetMinutes(offset, zone));
  }
  const ascii = ASCTIME.exec(value);
  if (ascii) {
    const [, month, day, hour, minute, second, zone, year] = ascii;
    return instant(Number(year), month ?? '', day, hour, minute, second, offsetMinutes(undefined, zone));
  }
  return null;
}

type Digits = string | undefined;

function instant(
  year: number,
  month: string,
  day: Digits,
  hour: Digits,
  minute: Digits,
  second: Digits,
  offset: number,
): number | null {
  const monthIndex = MONTHS.indexOf(month.toLowerCase());
  // 60 is a leap second.
  if (monthIndex < 0 || Number(hour) > 23 || Number(minute) > 59 || Number(second ?? 0) > 60) return null;
  const atUtc = Date.UTC(year, monthIndex, Number(day), Number(hour), Number(minute), Number(second ?? 0));
  // Date.UTC rolls 31 April over to May: such a day does not exist.
  const lastDay = new Date(Date.UTC(year, monthIndex + 1, 0)).getUTCDate();
  if (Number(day) < 1 || Number(day) > lastDay || Number.isNaN(atUtc)) return null;
  return atUtc - offset * 60_000;
}

/** RFC 5322 §4.3: 00–49 are 2000–2049, 50–99 and three digits count from 1900. */
function fullYear(digits: string): number {
  const year = Number(digits);
  if (digits.length === 2) return year < 50 ? 2000 + year : 1900 + year;
  return digits.length === 3 ? 1900 + year : year;
}

function offsetMinutes(offset: string | undefined, zone: string | undefined): number {
  if (offset === undefined) return (ZONE_HOURS.get((zone ?? '').toLowerCase()) ?? 0) * 60;
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(3, 5));
  return offset.startsWith('-') ? -minutes : minutes;
}
