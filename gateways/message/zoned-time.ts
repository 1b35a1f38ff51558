/** When the clocks of an IANA time zone show a time. */

/**
 * The instant at which clocks of an IANA zone show this time; undefined for a zone of another name. `wall` is
 * the time as if it were UTC. The second look settles the offset on days when clocks change.
 */
export function instantInZone(wall: number, zone: string): number | undefined {
  try {
    const clock = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
    const first = wall - offsetAt(clock, wall);
    return wall - offsetAt(clock, first);
  } catch {
    return undefined;
  }
}

/** 'GMT+05:30' -> 19,800,000. */
function offsetAt(clock: Intl.DateTimeFormat, at: number): number {
  const name = clock.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign, hours, minutes] = /GMT([+-])(\d{2}):(\d{2})/.exec(name) ?? [];
  const size = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
  return sign === '-' ? -size : size;
}
