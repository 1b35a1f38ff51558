/** The search page: messages from the whole mailbox, newest first, fifty a page, each with where it lies. */
import type { FastifyInstance } from 'fastify';
import type { Pages } from '../../../pages/pages.ts';
import { PageRefusal } from '../../../pages/refusals.ts';
import { folderName, mailboxFrom, mailboxQueries, sidebar, type Mailbox } from '../sidebar.ts';
import { findMessages, type FoundMessage, type FoundPage } from './find.ts';
import { isEmpty, parseQuery, QUERY_BYTES_MAX } from './query.ts';

const FOUND_PER_PAGE = 50;

export function registerSearch(app: FastifyInstance, pages: Pages): void {
  app.get<{ Querystring: Record<string, unknown> }>('/mail/search', async (request, reply) => {
    const visit = await pages.visits.require(request, mailboxQueries);
    const mailbox = mailboxFrom(visit.results);
    const text = typeof request.query['q'] === 'string' ? request.query['q'].trim() : '';
    const below = belowOf(request.query['below']);
    let found: FoundPage | undefined;
    let alert: string | undefined;
    try {
      found = await search();
    } catch (error) {
      if (!(error instanceof PageRefusal)) throw error;
      alert = error.message;
    }
    return pages.show(request, reply, {
      title: text === '' ? 'Search' : `Search: ${text.slice(0, 80)}`,
      template: 'web/mail/search/search.hbs',
      section: 'mail',
      status: alert === undefined ? 200 : 400,
      alert,
      data: {
        folders: sidebar(mailbox, undefined),
        q: text,
        searched: found !== undefined,
        rows: (found?.messages ?? []).map((one) => foundView(one, mailbox)),
        older: found?.next === undefined ? undefined : pageUrl(text, found.next),
        isPartial: found?.isPartial ?? false,
        isLater: below !== undefined,
        newest: pageUrl(text, undefined),
      },
    });

    async function search(): Promise<FoundPage | undefined> {
      if (Buffer.byteLength(text) > QUERY_BYTES_MAX) {
        throw new PageRefusal(400, 'Search', `Search is too long: at most ${QUERY_BYTES_MAX} bytes.`);
      }
      const query = parseQuery(text, mailbox);
      if (isEmpty(query)) return undefined;
      return findMessages(pages.deps.store, visit.stream, query, { below, size: FOUND_PER_PAGE });
    }
  });
}

function belowOf(value: unknown): number | undefined {
  return typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}

function pageUrl(q: string, below: number | undefined): string {
  const query = new URLSearchParams({ q, ...(below !== undefined && { below: String(below) }) });
  return `/mail/search?${query.toString()}`;
}

export function foundView({ thread, subject, message }: FoundMessage, mailbox: Mailbox) {
  const { id, folder, own, who, others, snippet, at, read, attachments, starred } = message;
  const name = own ? `To ${who}${others > 0 ? ` and ${others} more` : ''}` : who || 'Unknown sender';
  return {
    thread,
    url: `/mail/${folder}/${id}`,
    who: name,
    subject: subject || '(no subject)',
    snippet,
    at,
    unread: !read,
    starred,
    attachments: attachments > 0,
    folder: folderName(mailbox, folder),
  };
}
