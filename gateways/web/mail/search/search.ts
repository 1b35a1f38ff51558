/**
 * The search page: drafts, then messages from the whole mailbox, newest first, fifty a page, each with where it lies.
 */
import type { FastifyInstance } from 'fastify';
import type { StoreClient } from '../../../../storage-nodes/client/client.ts';
import type { Pages } from '../../../pages/pages.ts';
import { PageRefusal } from '../../../pages/refusals.ts';
import { folderName, mailboxFrom, mailboxQueries, sidebar, type Mailbox } from '../folders/sidebar.ts';
import { findMessages, type FoundMessage, type FoundPage } from './find.ts';
import { isEmpty, parseQuery, QUERY_BYTES_MAX, type SearchQuery } from './query.ts';

const FOUND_PER_PAGE = 50;
const NOTHING: FoundPage = { messages: [], next: undefined, isPartial: false };

/** Drafts are in no index: whoever writes them finds them. */
export type FindDrafts = (
  store: StoreClient,
  owner: string,
  query: SearchQuery,
) => Promise<readonly Omit<FoundMessage, 'doc'>[]>;

export function registerSearch(app: FastifyInstance, pages: Pages, findDrafts: FindDrafts): void {
  app.get<{ Querystring: Record<string, unknown> }>('/mail/search', async (request, reply) => {
    const visit = await pages.visits.require(request, mailboxQueries);
    const mailbox = mailboxFrom(visit.results);
    const text = typeof request.query['q'] === 'string' ? request.query['q'].trim() : '';
    const below = belowOf(request.query['below']);
    let found: (FoundPage & { drafts: Awaited<ReturnType<FindDrafts>> }) | undefined;
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
        drafts: found !== undefined && found.drafts.length > 0,
        rows: [...(found?.drafts ?? []), ...(found?.messages ?? [])].map((one) => foundView(one, mailbox)),
        older: found?.next === undefined ? undefined : pageUrl(text, found.next),
        isPartial: found?.isPartial ?? false,
        isLater: below !== undefined,
        newest: pageUrl(text, undefined),
      },
    });

    async function search(): Promise<typeof found> {
      if (Buffer.byteLength(text) > QUERY_BYTES_MAX) {
        throw new PageRefusal(400, 'Search', `Search is too long: at most ${QUERY_BYTES_MAX} bytes.`);
      }
      const query = parseQuery(text, mailbox);
      if (isEmpty(query)) return undefined;
      const { store } = pages.deps;
      const [drafts, page] = await Promise.all([
        below === undefined ? findDrafts(store, visit.stream, query) : [],
        query.in === 'drafts'
          ? NOTHING
          : findMessages(store, visit.stream, query, { below, size: FOUND_PER_PAGE }),
      ]);
      return { ...page, drafts };
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

export function foundView({ thread, subject, message }: Omit<FoundMessage, 'doc'>, mailbox: Mailbox) {
  const { id, folder, own, who, others, snippet, at, read, attachments, starred } = message;
  const name = own ? `To ${who}${others > 0 ? ` and ${others} more` : ''}` : who || 'Unknown sender';
  return {
    thread,
    url: folder === 'drafts' ? `/mail/compose?draft=${id}` : `/mail/${folder}/${id}`,
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
