/**
 * Sizes and times in words. A time is written in the zone and language that the reader has chosen; for who
 * has chosen none it stands in UTC until the script writes it as the browser has it.
 */

const UNITS = ['KB', 'MB', 'GB', 'TB'] as const;

/** 999 -> "999 bytes", 1_234_567 -> "1.2 MB": powers of 1,000, as file managers show them. */
export function sizeInWords(bytes: number): string {
  if (bytes < 1000) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  let value = bytes;
  let unit = -1;
  do {
    value /= 1000;
    unit++;
  } while (value >= 999.5 && unit < UNITS.length - 1);
  return `${value >= 9.95 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** How someone wants dates written; '' for either: not chosen. */
export type DatesStyle = { readonly zone: string; readonly locale: string };
export type DateForm = 'list' | 'full';

const NOT_CHOSEN: DatesStyle = { zone: '', locale: '' };
/** Day before month, and a clock of 24 hours: what the pages write for those who chose no language. */
const OWN_LOCALE = 'en-GB';

export function datesOf(
  profile: { readonly zone?: string; readonly locale?: string } | undefined,
): DatesStyle {
  return { zone: profile?.zone ?? '', locale: profile?.locale ?? '' };
}

/**
 * "23 Nov 2026, 05:12 UTC", or as the reader has chosen; `list` is short: the clock today, the day this year.
 * Without a zone it is UTC and says so. Undefined for what is no time.
 */
export function timeInWords(
  at: number,
  style: DatesStyle = NOT_CHOSEN,
  form: DateForm = 'full',
  now: number = Date.now(),
): { iso: string; words: string } | undefined {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return undefined;
  const { full, clock, day, dayOfYear, dayKey } = formatsFor(style);
  const iso = date.toISOString();
  // A list without a zone would say "05:12" of an unknown morning.
  if (form === 'full' || style.zone === '') {
    return { iso, words: style.zone === '' ? `${full.format(date)} UTC` : full.format(date) };
  }
  const [key, today] = [dayKey.format(date), dayKey.format(now)];
  const short = key === today ? clock : key.slice(0, 4) === today.slice(0, 4) ? dayOfYear : day;
  return { iso, words: short.format(date) };
}

type Formats = Readonly<Record<'full' | 'clock' | 'day' | 'dayOfYear' | 'dayKey', Intl.DateTimeFormat>>;
const formats = new Map<string, Formats>();
const FORMATS_MAX = 500;

/** Formatters are dear to make: kept, the oldest forgotten first. */
function formatsFor({ zone, locale }: DatesStyle): Formats {
  const key = `${zone} ${locale}`;
  const known = formats.get(key);
  if (known !== undefined) return known;
  const made = makeFormats(zone || 'UTC', locale || OWN_LOCALE);
  formats.set(key, made);
  const oldest = formats.keys().next();
  if (formats.size > FORMATS_MAX && !oldest.done) formats.delete(oldest.value);
  return made;
}

function makeFormats(timeZone: string, locale: string): Formats {
  // A zone or a language that another gateway's Node knows and this one does not.
  if (!isZone(timeZone) || !isLocale(locale)) {
    return makeFormats(isZone(timeZone) ? timeZone : 'UTC', isLocale(locale) ? locale : OWN_LOCALE);
  }
  const format = (options: Intl.DateTimeFormatOptions, language = locale) =>
    new Intl.DateTimeFormat(language, { timeZone, ...options });
  return {
    full: format({ dateStyle: 'medium', timeStyle: 'short' }),
    clock: format({ hour: '2-digit', minute: '2-digit' }),
    day: format({ day: 'numeric', month: 'short', year: 'numeric' }),
    dayOfYear: format({ day: 'numeric', month: 'short' }),
    dayKey: format({ year: 'numeric', month: '2-digit', day: '2-digit' }, 'sv-SE'),
  };
}

export function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

export function isLocale(locale: string): boolean {
  try {
    return Intl.DateTimeFormat.supportedLocalesOf(locale).length > 0;
  } catch {
    return false;
  }
}

/** 1 -> "1 message", 5 -> "5 messages". */
export function counted(count: number, one: string, many: string = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

/** Milliseconds as "5 s", "3 min", "2 h", "4 d". */
export function spanInWords(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 100) return `${s} s`;
  if (s < 6000) return `${Math.round(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86_400)} d`;
}
