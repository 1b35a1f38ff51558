/**
 * The out-of-office reply (RFC 3834): one form, and a button in the inbox that switches it off. The form says which
 * setting it was made on: of two tabs the second is told, and what it typed is kept.
 *
 *   GET, POST /mail/out-of-office      POST /mail/out-of-office/off
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { encodeVacation, type VacationSettings } from '../../../../domain/mail/vacation/vacation-settings.ts';
import { Rejected, type Accepted } from '../../../../storage-nodes/client/client.ts';
import type { Pages } from '../../../pages/pages.ts';
import { PageRefusal } from '../../../pages/refusals.ts';
import type { Visit } from '../../../pages/visit.ts';
import { doneWords, saidOf } from '../done-words.ts';
import { mailboxFrom, mailboxQueries, MAILBOX_QUERIES, sidebar, type Mailbox } from '../folders/sidebar.ts';
import { awayNow, vacationFrom, vacationQuery } from './away.ts';
import { settingsDigest, settingsFrom, valuesOf, valuesTyped, zoneOf, type Values } from './vacation-form.ts';

type Opened = {
  readonly visit: Visit;
  readonly mailbox: Mailbox;
  readonly settings: VacationSettings | undefined;
};

const PAGE = '/mail/out-of-office';
const CHANGED_ELSEWHERE =
  'This was changed elsewhere meanwhile. What you typed is below: save it again if it is what you want.';

export function registerVacation(app: FastifyInstance, pages: Pages): void {
  app.get<{ Querystring: Record<string, unknown> }>(PAGE, async (request, reply) => {
    const opened = await open(pages, request);
    return show(pages, request, reply, { ...opened, values: valuesOf(opened.settings) });
  });
  app.post(PAGE, (request, reply) => save(pages, request, reply));
  app.post(`${PAGE}/off`, async (request, reply) => {
    const { commandId } = pages.form(request);
    const { visit, settings } = await open(pages, request);
    if (settings?.on !== true) return reply.redirect('/mail/inbox?done=awayOff', 303);
    const changed = await change(pages, visit, {
      commandId,
      settings: { ...settings, on: false },
      before: settings,
    });
    return reply.redirect(`/mail/inbox?${saidOf('awayOff', changed)}`, 303);
  });
}

async function open(pages: Pages, request: FastifyRequest): Promise<Opened> {
  const visit = await pages.visits.require(request, (owner) => [
    ...mailboxQueries(owner),
    vacationQuery(owner),
  ]);
  const settings = vacationFrom(visit.results[MAILBOX_QUERIES]);
  return { visit, mailbox: mailboxFrom(visit.results), settings };
}

async function save(pages: Pages, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { fields, commandId } = pages.form(request);
  const opened = await open(pages, request);
  const { visit, settings: before } = opened;
  try {
    const settings = settingsFrom(pages, visit, fields, Date.now());
    const done = settings.on ? 'awayOn' : 'awayOff';
    // Sent twice, or already so.
    if (settingsDigest(settings) === settingsDigest(before))
      return await reply.redirect(`${PAGE}?done=${done}`, 303);
    if (fields['seen'] !== settingsDigest(before))
      throw new PageRefusal(409, 'Changed elsewhere', CHANGED_ELSEWHERE);
    const accepted = await change(pages, visit, { commandId, settings, before });
    return await reply.redirect(`${PAGE}?${saidOf(done, accepted)}`, 303);
  } catch (error) {
    const alert = error instanceof Rejected ? error.rejection.message : undefined;
    if (!(error instanceof PageRefusal) && alert === undefined) throw error;
    return show(pages, request, reply, {
      ...opened,
      values: valuesTyped(fields),
      alert: alert ?? (error as PageRefusal).message,
      status: error instanceof PageRefusal ? error.status : 409,
    });
  }
}

function change(
  pages: Pages,
  { stream, account, sessionHash }: Visit,
  asked: {
    readonly commandId: string;
    readonly settings: VacationSettings;
    readonly before: VacationSettings | undefined;
  },
): Promise<Accepted> {
  const { commandId, settings, before } = asked;
  return pages.send(
    { actor: account.name, sessionHash },
    {
      id: commandId,
      stream,
      type: 'mail.ChangeVacation',
      data: {},
      parts: [encodeVacation(settings), before === undefined ? new Uint8Array() : encodeVacation(before)],
      action: `${settings.on ? 'Set' : 'Switch off'} out-of-office replies`,
    },
  );
}

async function show(
  pages: Pages,
  request: FastifyRequest,
  reply: FastifyReply,
  shown: Opened & { readonly values: Values; readonly alert?: string; readonly status?: number },
): Promise<FastifyReply> {
  const { visit, mailbox, settings, values, alert, status = 200 } = shown;
  const { zone = '', locale = '' } = visit.profile;
  return pages.show(request, reply, {
    title: 'Out of office',
    template: 'web/mail/vacation/vacation.hbs',
    section: 'mail',
    status,
    alert,
    ...(alert === undefined && doneWords(request.query as Record<string, unknown>)),
    data: {
      folders: sidebar(mailbox, undefined),
      form: values,
      // After a refusal the present one has been told of: what is saved now replaces it.
      seen: settingsDigest(settings),
      away: awayNow(settings, locale, Date.now()),
      zone: zoneOf(visit).replaceAll('_', ' '),
      isZoneChosen: zone !== '',
    },
  });
}
