/** Sizes and times in words, as the pages show them before the script puts them into the reader's zone. */

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

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** `2026-11-23T05:12:00.000Z` -> "23 Nov 2026, 05:12 UTC". Undefined for what is no time. */
export function timeInWords(at: number): { iso: string; words: string } | undefined {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return undefined;
  const iso = date.toISOString();
  const words = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}, ${iso.slice(-13, -8)} UTC`;
  return { iso, words };
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
