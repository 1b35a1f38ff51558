/** In words: whether somebody is away now, as the inbox and the form of the reply say it. */
import type { VacationSettings } from '../../../../domain/mail/vacation/vacation-settings.ts';
import { vacationCell } from '../../../../projections/keys.ts';
import { readVacation } from '../../../../projections/vacation.ts';
import type { ReadCell, ReadQuery } from '../../../../storage-nodes/client/client.ts';
import { cellOf } from '../../../pages/visit.ts';
import { isLocale } from '../../../pages/wording.ts';

export function vacationQuery(owner: string): ReadQuery {
  return { get: vacationCell(owner) };
}

export function vacationFrom(cells: readonly ReadCell[] | undefined): VacationSettings | undefined {
  return cellOf(cells, readVacation);
}

/** `words` stands in front of `day`, which is in the reader's language. */
export type Away = {
  readonly state: 'ahead' | 'now' | 'over';
  readonly words: string;
  readonly day?: string;
  readonly lang?: string;
};

/** Undefined: the replies are switched off. */
export function awayNow(
  settings: VacationSettings | undefined,
  locale: string,
  now: number,
): Away | undefined {
  if (settings?.on !== true) return undefined;
  const { first, last, from, until } = settings;
  const lang = locale !== '' && isLocale(locale) ? locale : 'en-GB';
  const on = (day: string) => ({ day: dayInWords(day, lang), lang });
  if (until !== null && now >= until) {
    return { state: 'over', words: 'Out-of-office replies have ended. Their last day was', ...on(last) };
  }
  if (from !== null && now < from) {
    return { state: 'ahead', words: 'Out-of-office replies begin on', ...on(first) };
  }
  if (last === '') return { state: 'now', words: 'Out-of-office replies are on' };
  return { state: 'now', words: 'Out-of-office replies are on until', ...on(last) };
}

/** "24 December 2026": a day of the calendar, which no zone moves. */
function dayInWords(day: string, locale: string): string {
  const style = { dateStyle: 'long', timeZone: 'UTC' } as const;
  return new Intl.DateTimeFormat(locale, style).format(Date.parse(`${day}T00:00Z`));
}
