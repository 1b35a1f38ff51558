import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readInvitation } from '../../../gateways/message/invitation.ts';

const calendar = (event: string[], more: string[] = [], method = 'REQUEST') =>
  ['BEGIN:VCALENDAR', 'VERSION:2.0', `METHOD:${method}`, ...more, 'BEGIN:VEVENT', 'UID:1', ...event]
    .concat('END:VEVENT', 'END:VCALENDAR', '')
    .join('\r\n');
const at = (iso: string) => new Date(iso).getTime();

/** As Outlook writes it: a zone with a name of its own, defined in the file. */
const OUTLOOK_ZONE = [
  ...['BEGIN:VTIMEZONE', 'TZID:Somewhere Standard Time'],
  ...['BEGIN:STANDARD', 'DTSTART:16010101T030000', 'TZOFFSETFROM:+0200', 'TZOFFSETTO:+0100'],
  ...['RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10', 'END:STANDARD'],
  ...['BEGIN:DAYLIGHT', 'DTSTART:16010101T020000', 'TZOFFSETFROM:+0100', 'TZOFFSETTO:+0200'],
  ...['RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3', 'END:DAYLIGHT', 'END:VTIMEZONE'],
];

describe('an invitation', () => {
  test('says what, when, where and who', () => {
    const read = readInvitation(
      calendar([
        'SUMMARY:Planning\\, round two',
        'DTSTART:20261126T090000Z',
        'DTEND:20261126T100000Z',
        'LOCATION:Room 4',
        'DESCRIPTION:Bring\\nthe list',
        'ORGANIZER;CN="Weber, Jonas":mailto:jonas@example.org',
        'ATTENDEE;CN=Maya;PARTSTAT=ACCEPTED:mailto:maya@example.org',
        'ATTENDEE:MAILTO:tom@example.org',
      ]),
    );
    expect(read).toEqual({
      kind: 'request',
      title: 'Planning, round two',
      start: { at: at('2026-11-26T09:00Z'), written: 'Thursday 26 November 2026, 09:00', zone: undefined },
      end: { at: at('2026-11-26T10:00Z'), written: 'Thursday 26 November 2026, 10:00', zone: undefined },
      place: 'Room 4',
      organiser: { name: 'Weber, Jonas', address: 'jonas@example.org' },
      guests: [
        { name: 'Maya', address: 'maya@example.org', answer: 'accepted' },
        { name: 'tom@example.org', address: 'tom@example.org', answer: 'open' },
      ],
      guestsTotal: 2,
      repeats: undefined,
      notes: 'Bring\nthe list',
      others: 0,
    });
  });

  test.each([
    ['an IANA zone in summer', 'DTSTART;TZID=Europe/Berlin:20260726T100000', '2026-07-26T08:00Z'],
    ['an IANA zone in winter', 'DTSTART;TZID=America/New_York:20261226T100000', '2026-12-26T15:00Z'],
    ['the file’s own zone', 'DTSTART;TZID=Somewhere Standard Time:20260726T100000', '2026-07-26T08:00Z'],
  ])('tells the instant in %s', (_case, start, instant) => {
    expect(readInvitation(calendar([start], OUTLOOK_ZONE))?.start?.at).toBe(at(instant));
  });

  test.each([
    ['in a zone that nobody knows', 'DTSTART;TZID=Atlantis:20261126T100000', 'Atlantis'],
    ['in no zone', 'DTSTART:20261126T100000', undefined],
  ])('tells a time %s as it is written', (_case, start, zone) => {
    const read = readInvitation(calendar([start]));
    expect(read?.start).toEqual({ at: undefined, written: 'Thursday 26 November 2026, 10:00', zone });
  });

  test('tells whole days without hours, and their last one', () => {
    const days = (end: string) =>
      readInvitation(calendar(['DTSTART;VALUE=DATE:20261126', `DTEND;VALUE=DATE:${end}`]));
    expect(days('20261127')).toMatchObject({
      start: { written: 'Thursday 26 November 2026' },
      end: undefined,
    });
    expect(days('20261129')?.end?.written).toBe('Saturday 28 November 2026');
  });

  test('ends after its duration', () => {
    const read = readInvitation(calendar(['DTSTART:20261126T090000Z', 'DURATION:PT90M']));
    expect(read?.end?.at).toBe(at('2026-11-26T10:30Z'));
  });

  test.each([
    ['CANCEL', [], 'cancel'],
    ['REQUEST', ['STATUS:CANCELLED'], 'cancel'],
    ['REPLY', [], 'reply'],
    ['PUBLISH', [], 'event'],
  ])('says what it is: %s', (method, more, kind) => {
    expect(readInvitation(calendar(['DTSTART:20261126T090000Z', ...more], [], method))?.kind).toBe(kind);
  });

  test.each([
    ['FREQ=DAILY', 'every day'],
    ['FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH', 'every 2 weeks on Monday and Thursday'],
    ['FREQ=MONTHLY;BYDAY=-1FR;COUNT=6', 'every month on the last Friday, 6 times'],
    ['FREQ=MONTHLY;BYMONTHDAY=1,15', 'every month on day 1 and 15'],
    ['FREQ=YEARLY;UNTIL=20301224T000000Z', 'every year, until 24 December 2030'],
    ['FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO,TU,WE,TH,FR', 'every month, by a rule of its own'],
  ])('tells how it repeats: %s', (rule, words) => {
    expect(readInvitation(calendar(['DTSTART:20261126T090000Z', `RRULE:${rule}`]))?.repeats).toBe(words);
  });
});

describe('a file made to harm', () => {
  test.each([
    ['every second for ever', calendar(['DTSTART:19000101T000000Z', 'RRULE:FREQ=SECONDLY'])],
    [
      'a zone that changes every second',
      calendar(
        ['DTSTART;TZID=X:20261126T100000'],
        [
          ...['BEGIN:VTIMEZONE', 'TZID:X', 'BEGIN:STANDARD', 'DTSTART:16010101T000000', 'TZOFFSETFROM:+0100'],
          ...['TZOFFSETTO:+0200', 'RRULE:FREQ=SECONDLY', 'END:STANDARD', 'END:VTIMEZONE'],
        ],
      ),
    ],
    [
      'a year beyond reason',
      calendar(['DTSTART;TZID=Somewhere Standard Time:99991126T100000'], OUTLOOK_ZONE),
    ],
    ['a duration without end', calendar(['DTSTART:20260101T000000Z', 'DURATION:P99999999999999999W'])],
    [
      'a zone of a hundred changes on every day of a month',
      calendar(
        ['DTSTART;TZID=X:21990101T000000'],
        [
          ...['BEGIN:VTIMEZONE', 'TZID:X'],
          ...Array.from({ length: 100 }, () => [
            ...['BEGIN:STANDARD', 'DTSTART:16010101T000000', 'TZOFFSETFROM:+0100', 'TZOFFSETTO:+0200'],
            ...['RRULE:FREQ=YEARLY;BYMONTH=2;BYDAY=MO,TU,WE,TH,FR,SA,SU', 'END:STANDARD'],
          ]).flat(),
          'END:VTIMEZONE',
        ],
      ),
    ],
    ['a duration beyond reason', calendar(['DTSTART:20261126T090000Z', 'DURATION:P99999999W'])],
    ['deep nesting', 'BEGIN:VCALENDAR\r\n'.repeat(10_000)],
    [
      'ten thousand guests',
      calendar(['DTSTART:20261126T090000Z', ...Array(8_000).fill('ATTENDEE:mailto:a@b.c')]),
    ],
    ['a long fold', calendar(['DTSTART:20261126T090000Z', `SUMMARY:${'x\r\n '.repeat(60_000)}`])],
    ['a megabyte', 'x'.repeat(1_000_000)],
  ])('comes to an end: %s', (_case, text) => {
    // Nothing is expanded, so this returns; it would not, if ical.js followed such rules.
    const read = readInvitation(text);
    expect(read?.start?.at ?? 0).toBeLessThan(at('2200-01-01T00:00Z'));
  });

  test('shows at most thirty guests, and says how many there are', () => {
    const read = readInvitation(
      calendar(['DTSTART:20261126T090000Z', ...Array(8_000).fill('ATTENDEE:mailto:a@b.c')]),
    );
    expect([read?.guests.length, read?.guestsTotal]).toEqual([30, 8_000]);
  });

  test('reorders and hides nothing', () => {
    const read = readInvitation(calendar(['SUMMARY:a\u202Etxt.exe\0b', 'LOCATION:<script>\u2066x']));
    expect([read?.title, read?.place]).toEqual(['atxt.exe b', '<script>x']);
  });

  test('never makes reading throw', () => {
    const lines = fc.constantFrom(
      ...['BEGIN:VEVENT', 'END:VEVENT', 'BEGIN:VTIMEZONE', 'END:VTIMEZONE', 'DTSTART:', 'DTSTART;TZID=:x'],
      ...[
        'RRULE:FREQ=',
        'RRULE:FREQ=YEARLY;BYDAY=99XX',
        'DTEND;VALUE=DATE:2026',
        'DURATION:P',
        'ATTENDEE',
        '__proto__:x',
      ],
      ...[
        'ORGANIZER;CN="x',
        'DTSTART;VALUE=PERIOD:x/y',
        'SUMMARY;ENCODING=BASE64:!!',
        'constructor;__proto__=x:y',
      ],
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(lines, fc.string()), { maxLength: 12 }), (event) => {
        readInvitation(calendar(event));
        readInvitation(event.join('\r\n'));
      }),
    );
  });
});
