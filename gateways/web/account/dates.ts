/** The time zone and the language that dates are written in, with the script and without it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { field } from '../../pages/form.ts';
import type { Pages } from '../../pages/pages.ts';
import { badField } from '../../pages/refusals.ts';
import { isLocale, isZone } from '../../pages/wording.ts';
import { doneWords, refusalOf, sendOwn, showAccountPage } from './account-page.ts';

const DONE = { saved: 'Dates are now written this way.' };

/** Regions matter for dates more than languages do: English ones differ most. */
const LOCALES = [
  ...['en-GB', 'en-US', 'en-AU', 'en-CA', 'en-IE', 'en-IN', 'en-NZ', 'en-ZA', 'ar-EG', 'bg-BG', 'bn-BD'],
  ...['ca-ES', 'cs-CZ', 'da-DK', 'de-AT', 'de-CH', 'de-DE', 'el-GR', 'es-AR', 'es-ES', 'es-MX', 'et-EE'],
  ...['fa-IR', 'fi-FI', 'fr-BE', 'fr-CA', 'fr-CH', 'fr-FR', 'he-IL', 'hi-IN', 'hr-HR', 'hu-HU', 'id-ID'],
  ...['is-IS', 'it-CH', 'it-IT', 'ja-JP', 'ko-KR', 'lt-LT', 'lv-LV', 'nb-NO', 'nl-BE', 'nl-NL', 'pl-PL'],
  ...['pt-BR', 'pt-PT', 'ro-RO', 'ru-RU', 'sk-SK', 'sl-SI', 'sr-RS', 'sv-SE', 'th-TH', 'tr-TR', 'uk-UA'],
  ...['vi-VN', 'zh-CN', 'zh-HK', 'zh-TW'],
] as const;

export function registerDates(app: FastifyInstance, pages: Pages): void {
  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    view: { status?: number; alert?: string } = {},
  ): Promise<FastifyReply> => {
    const { profile } = await pages.visits.require(request);
    return showAccountPage(pages, request, reply, {
      title: 'Dates',
      name: 'dates',
      done: view.alert === undefined ? doneWords(request, DONE) : undefined,
      ...view,
      data: {
        now: Date.now(),
        zones: zoneChoices(profile.zone ?? ''),
        locales: localeChoices(profile.locale ?? ''),
      },
    });
  };

  app.get('/account/dates', (request, reply) => show(request, reply));

  app.post('/account/dates', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    try {
      const zone = field(fields, 'zone', { label: 'Time zone', bytesMax: 64 });
      const locale = field(fields, 'locale', { label: 'Language', bytesMax: 35 });
      if (zone !== '' && !isZone(zone))
        throw badField('Time zone is none that is known here: choose one of the list.');
      if (locale !== '' && !isLocale(locale))
        throw badField('Language is none that is known here: choose one of the list.');
      await sendOwn(pages, visit, {
        id: commandId,
        type: 'account.ChangeDates',
        data: { zone, locale },
        action: 'Change how dates are written',
      });
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      return show(request, reply, refusal);
    }
    return reply.redirect('/account/dates?done=saved', 303);
  });
}

/** IANA zones by continent; `chosen` is among them also where this Node does not list it. */
function zoneChoices(chosen: string) {
  const zones = [
    ...new Set(['UTC', ...Intl.supportedValuesOf('timeZone'), ...(chosen === '' ? [] : [chosen])]),
  ];
  const groups = new Map<string, { zone: string; label: string; chosen: boolean }[]>();
  for (const zone of zones) {
    const [continent = '', ...place] = zone.split('/');
    const group = place.length === 0 ? 'Everywhere' : continent;
    const label = (place.length === 0 ? zone : place.join(', ')).replaceAll('_', ' ');
    groups.set(group, [...(groups.get(group) ?? []), { zone, label, chosen: zone === chosen }]);
  }
  return [...groups].map(([group, choices]) => ({ group, choices }));
}

function localeChoices(chosen: string) {
  const known: string[] = [...new Set([...LOCALES, ...(chosen === '' ? [] : [chosen])])];
  return known
    .filter(isLocale)
    .map((locale) => ({ locale, label: localeName(locale), chosen: locale === chosen }))
    .sort((a, b) => a.label.localeCompare(b.label, 'en'));
}

/** In its own words: "Deutsch (Schweiz)". */
export function localeName(locale: string): string {
  return isLocale(locale)
    ? (new Intl.DisplayNames([locale], { type: 'language' }).of(locale) ?? locale)
    : locale;
}
