/**
 * Leaving a mailing list from one of its messages: by one click (the gateway asks the sender's server, RFC 8058),
 * by a letter, or on a page of the sender's. Not offered in the spam folder: there an answer of any kind
 * only tells that somebody reads. What came of a click is an event; a list that has taken the wish is not asked again.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { MessageMeta } from '../../../../projections/message.ts';
import { readHeaderBlock } from '../../../message/header-block.ts';
import { readUnsubscribe, type Unsubscribe } from '../../../message/unsubscribe.ts';
import { isUnsubscribeSigned, readVerdict, type Verdict } from '../../../message/verdict.ts';
import { postForm } from '../../../pages/outgoing.ts';
import type { Pages } from '../../../pages/pages.ts';
import { badField } from '../../../pages/refusals.ts';
import { openMessage, placeOf, rawBytes, type MessageRoute, type OpenedMessage } from './open-message.ts';

/** For the partial `unsubscribe`; exactly one of them is set. */
export type UnsubscribeView = {
  /** The list took the wish then. */
  readonly doneAt?: number;
  /** A form leads there, with one button. */
  readonly oneClick?: { readonly action: string; readonly host: string };
  /** Our compose page, filled in. */
  readonly letterUrl?: string;
  /** A page of the sender's. */
  readonly page?: { readonly url: string; readonly host: string };
};

/** Of a gateway, from one address: a person clicks once. */
const TRIES_PER_ADDRESS_MAX = 20;

/** Less than the store takes, whatever the alphabet. */
const OUTCOME_CHARACTERS_MAX = 300;
/** RFC 8058 §3.2 */
const BODY = 'List-Unsubscribe=One-Click';

export function registerUnsubscribe(app: FastifyInstance, pages: Pages): void {
  const config = { rateLimit: { max: TRIES_PER_ADDRESS_MAX, timeWindow: 60_000 } };
  app.get<MessageRoute>('/mail/:folder/:message/unsubscribe', (request, reply) =>
    offer(pages, request, reply),
  );
  app.post<MessageRoute>('/mail/:folder/:message/unsubscribe', { config }, (request, reply) =>
    unsubscribe(pages, request, reply),
  );
}

/** `url`: of the message. undefined: its sender offers no way, or it is spam. */
export function unsubscribeView(
  { unsubscribedAt }: Pick<MessageMeta, 'unsubscribedAt'>,
  raw: Buffer,
  url: string,
  folder: string,
  verdict: Verdict | undefined,
): UnsubscribeView | undefined {
  if (unsubscribedAt !== undefined) return { doneAt: unsubscribedAt };
  return folder === 'spam'
    ? undefined
    : viewOf(readUnsubscribe(readHeaderBlock(raw), isUnsubscribeSigned(verdict)), url);
}

function viewOf(found: Unsubscribe | undefined, url: string): UnsubscribeView | undefined {
  switch (found?.way) {
    case undefined:
      return undefined;
    case 'one-click':
      return { oneClick: { action: `${url}/unsubscribe`, host: found.host } };
    case 'letter': {
      const fields = new URLSearchParams({ to: found.to, subject: found.subject });
      return { letterUrl: `/mail/compose?${fields.toString()}` };
    }
    case 'page':
      return { page: { url: found.url, host: found.host } };
  }
}

async function offer(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const opened = await openMessage(pages, request, request.params.message);
  const done = request.query['done'] === '1' && opened.meta.unsubscribedAt !== undefined;
  const words = 'The sender’s server has taken your wish. Mail that is already on its way may still arrive.';
  return show(pages, request, reply, opened, done ? { done: words } : {});
}

async function unsubscribe(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { commandId } = pages.form(request);
  const opened = await openMessage(pages, request, request.params.message);
  const { folder } = (await placeOf(pages, opened)).place;
  const done = `/mail/${folder}/${opened.meta.id}/unsubscribe?done=1`;
  if (opened.meta.unsubscribedAt !== undefined) return reply.redirect(done, 303);
  const header = readHeaderBlock(await rawBytes(pages, opened.raw));
  const found = readUnsubscribe(header, isUnsubscribeSigned(readVerdict(header, pages.deps.domains[0]!)));
  if (found?.way !== 'one-click') throw badField('This message offers no way to unsubscribe with one click.');
  const outcome = await postForm(found.url, BODY, pages.deps.reach);
  await record(pages, opened, commandId, {
    accepted: outcome.ok,
    words: outcome.ok ? `${found.host} has taken your wish.` : `${found.host} was asked: ${outcome.why}.`,
  });
  if (outcome.ok) return reply.redirect(done, 303);
  pages.deps.logger.info({ host: found.host, why: outcome.why }, 'unsubscribing failed');
  const alert = `You are still subscribed: ${outcome.why}. You can try again later, or mark its mail as spam.`;
  return show(pages, request, reply, opened, { alert, status: 502 });
}

function record(
  pages: Pages,
  { visit, meta }: OpenedMessage,
  commandId: string,
  { accepted, words }: { accepted: boolean; words: string },
): Promise<unknown> {
  return pages.send(
    { actor: visit.account.name, sessionHash: visit.sessionHash },
    {
      id: commandId,
      stream: visit.stream,
      type: 'mail.RecordUnsubscribe',
      data: { messageId: meta.id, accepted },
      parts: [Buffer.from(words.slice(0, OUTCOME_CHARACTERS_MAX))],
      action: 'Unsubscribe',
    },
  );
}

async function show(
  pages: Pages,
  request: FastifyRequest<MessageRoute>,
  reply: FastifyReply,
  opened: OpenedMessage,
  told: { done?: string; alert?: string; status?: number },
): Promise<FastifyReply> {
  const { meta, raw } = opened;
  const { folder } = (await placeOf(pages, opened)).place;
  const url = `/mail/${folder}/${meta.id}`;
  const bytes = await rawBytes(pages, raw);
  const verdict = readVerdict(readHeaderBlock(bytes), pages.deps.domains[0]!);
  return pages.show(request, reply, {
    title: 'Unsubscribe',
    template: 'web/mail/reading/unsubscribe-page.hbs',
    section: 'mail',
    ...told,
    data: {
      url,
      subject: meta.subject,
      unsubscribe: told.done ? undefined : unsubscribeView(meta, bytes, url, folder, verdict),
    },
  });
}
