/** The account: a page that lists what there is to set, with how it stands, and leads to a page for each. */
import type { FastifyInstance } from 'fastify';
import { recoveryCodesCell, secondFactorCell, sessionsRow } from '../../../projections/keys.ts';
import { readRecoveryCodes, readSecondFactor } from '../../../projections/second-factor.ts';
import { rowScan } from '../../pages/paging.ts';
import type { Pages } from '../../pages/pages.ts';
import { identitiesIn, identitiesQuery } from '../../pages/senders.ts';
import { cellOf, type Visit } from '../../pages/visit.ts';
import { counted } from '../../pages/wording.ts';
import { ownAddress } from './account-page.ts';
import { localeName } from './dates.ts';
import { SESSIONS_READ_MAX } from './open-session.ts';
import { liveSessions } from './sessions.ts';

export function registerAccount(app: FastifyInstance, pages: Pages): void {
  app.get('/account', async (request, reply) => {
    const visit = await pages.visits.require(request, (owner) => [
      { get: secondFactorCell(owner) },
      { get: recoveryCodesCell(owner) },
      rowScan(sessionsRow(owner), { reverse: false, limit: SESSIONS_READ_MAX }),
      identitiesQuery(owner),
    ]);
    return pages.show(request, reply, {
      title: 'Account',
      template: 'web/account/account.hbs',
      section: 'account',
      data: { address: ownAddress(pages, visit), places: placesOf(visit) },
    });
  });
}

/** What there is to set, and how it stands. Requires the reads of the page. */
function placesOf(visit: Visit) {
  const factor = cellOf(visit.results[0], readSecondFactor);
  const codes = cellOf(visit.results[1], readRecoveryCodes);
  const sessions = liveSessions(visit, visit.results[2] ?? [], Date.now()).length;
  const identities = identitiesIn(visit.results[3]).length;
  const { zone = '', locale = '', signature = '' } = visit.profile;
  return [
    {
      url: '/account/profile',
      label: 'Profile',
      state: signature === '' ? 'Your name; no signature' : 'Your name and signature',
    },
    {
      url: '/account/identities',
      label: 'Identities',
      state: identities === 0 ? 'One address' : `${identities + 1} addresses`,
    },
    { url: '/account/dates', label: 'Dates', state: datesState(zone, locale) },
    { url: '/account/password', label: 'Password', state: 'Change it' },
    {
      url: '/account/two-step',
      label: 'Two-step log-in',
      ...(factor?.on === true ? { state: 'On since', at: factor.since } : { state: 'Off' }),
    },
    {
      url: '/account/recovery-codes',
      label: 'Recovery codes',
      state: codes === undefined ? 'None made' : `${codes.left} left`,
    },
    { url: '/account/app-passwords', label: 'App passwords', state: 'For mail programs' },
    { url: '/account/sessions', label: 'Sessions', state: `Logged in at ${counted(sessions, 'place')}` },
    { url: '/account/delete', label: 'Delete account', state: 'And what happens then' },
  ];
}

function datesState(zone: string, locale: string): string {
  const chosen = [zone.replaceAll('_', ' '), locale === '' ? '' : localeName(locale)].filter(
    (one) => one !== '',
  );
  return chosen.length === 0 ? 'As your browser has them' : chosen.join(', ');
}
