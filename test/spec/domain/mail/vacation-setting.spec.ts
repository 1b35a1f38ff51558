/** The setting for while one is away: changed as a whole, checked, undone by its parts turned round. */
import { describe, expect, it } from 'vitest';
import type { VacationSettings } from '../../../../domain/mail/vacation/vacation-settings.ts';
import { away, comes, isAnswered } from '../../absence.ts';
import { ALICE } from '../../given.ts';
import { START } from '../../in-memory-shell.ts';
import { AWAY, codeOf, eventsOf, Mailbox } from '../../mailbox.ts';

describe('the setting', () => {
  it('is refused if it is not the seen one that would be replaced', () => {
    const mailbox = away();
    expect(codeOf(mailbox.setVacation({ ...AWAY, on: false }, new Uint8Array()))).toBe('ChangedSince');
    expect(isAnswered(comes(mailbox, 1))).toBe(true);
  });

  it('is undone by its parts turned round, to nothing at all in the end', () => {
    const mailbox = away();
    const set = mailbox.shell.log.at(-1)!.parts;
    expect(eventsOf(mailbox.do('ChangeVacation', {}, [set[1]!, set[0]!]))).toEqual(['mail.VacationChanged']);
    expect(isAnswered(comes(mailbox, 1))).toBe(false);
    expect(eventsOf(mailbox.setVacation(AWAY))).toHaveLength(1);
    expect(eventsOf(mailbox.setVacation(AWAY))).toEqual([]);
    expect(isAnswered(comes(mailbox, 2))).toBe(true);
  });

  it.each<[string, Partial<VacationSettings> | { readonly [name: string]: unknown }]>([
    ['no text', { text: ' \n' }],
    ['too long a text', { text: 'é'.repeat(5000) }],
    ['a subject of two lines', { subject: 'a\r\nBcc: b@c' }],
    ['no interval', { everyDays: 0 }],
    ['an endless interval', { everyDays: 32 }],
    ['an end before its beginning', { from: START, until: START }],
    ['a day that is none', { first: 'tomorrow' }],
    ['a name with a line break', { name: 'A\nB' }],
    ['an address that is none', { address: 'alice' }],
    ['half a character', { text: '\ud800' }],
    ['a property more', { more: 1 }],
  ])('with %s is refused', (_what, more) => {
    const parts = [JSON.stringify({ ...AWAY, ...more }), ''];
    expect(codeOf(new Mailbox().do('ChangeVacation', {}, parts))).toBe('Malformed');
  });

  it('that was erased answers nobody, and can be set again', () => {
    const mailbox = new Mailbox();
    const data = { on: true, from: null, until: null, startsOver: true };
    mailbox.shell.append({
      stream: ALICE,
      time: START,
      events: [{ type: 'mail.VacationChanged', version: 1, data }],
      parts: [{ erased: 300 }, { erased: 0 }],
    });
    expect(isAnswered(comes(mailbox, 1))).toBe(false);
    expect(eventsOf(mailbox.setVacation(AWAY))).toHaveLength(1);
    expect(isAnswered(comes(mailbox, 2))).toBe(true);
  });
});
