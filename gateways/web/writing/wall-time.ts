/**
 * What a clock on a wall shows, as a moment: in an IANA zone, as this Node knows its rules. Where clocks are put
 * back an hour is shown twice, and the earlier one is meant; where they are put forward one is never shown.
 */
const DAY_MS = 24 * 3600 * 1000;

/** Ms since 1970 of `wall`, which is like `2026-12-24T18:00`; undefined if clocks there skip it. Requires a known zone. */
export function momentIn(zone: string, wall: string): number | undefined {
  const shown = asIfInUtc(wall);
  const moments = offsetsAround(zone, shown)
    .filter((offset) => offsetAt(zone, shown - offset) === offset)
    .map((offset) => shown - offset);
  return moments.length === 0 ? undefined : Math.min(...moments);
}

/** For what is skipped: the clock after as many minutes, `03:30` for `02:30` where an hour is left out. */
export function clockAfterSkip(zone: string, wall: string): string {
  const shown = asIfInUtc(wall);
  const [before, after] = offsetsAround(zone, shown);
  return new Date(shown + after - before).toISOString().slice(11, 16);
}

/** Whether the calendar has such a day and the clock such an hour. */
export function isWallTime(wall: string): boolean {
  const shown = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?$/.test(wall) ? asIfInUtc(wall) : Number.NaN;
  return !Number.isNaN(shown) && new Date(shown).toISOString().startsWith(wall);
}

function asIfInUtc(wall: string): number {
  return Date.parse(`${wall}Z`);
}

/** A day before and a day after: zones change their clocks less often. */
function offsetsAround(zone: string, shown: number): [number, number] {
  return [offsetAt(zone, shown - DAY_MS), offsetAt(zone, shown + DAY_MS)];
}

/** Milliseconds ahead of UTC. */
function offsetAt(zone: string, at: number): number {
  const format = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' });
  const name = format.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign, hours, minutes, seconds = '0'] = /([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(name) ?? [];
  if (sign === undefined) return 0;
  const ms = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  return sign === '-' ? -ms : ms;
}
