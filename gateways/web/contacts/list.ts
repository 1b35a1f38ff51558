/**
 * The list of contacts, a page at a time in the order of names, and the search in it. A page reads a bounded
 * number of cells, however many contacts there are.
 */
import type { FastifyInstance } from 'fastify';
import { readContactLine, type ContactLine } from '../../../projections/contacts-cells.ts';
import { contactListRow } from '../../../projections/keys.ts';
import type { Pages } from '../../pages/pages.ts';
import { cursorOf, pageOf, rowScan, scanFor } from '../../pages/paging.ts';
import { asideFrom, asideQueries, asideView } from './book.ts';
import { linesBeginningWith } from './completions.ts';
import { doneWords } from './done.ts';

const PAGE_SIZE = 50;
const QUERY_CHARACTERS_MAX = 100;

type ListRoute = { Querystring: Record<string, unknown> };
/** A line of the list, or one that was found. */
type Shown = { readonly url: string; readonly name: string; readonly about: string };

export function registerContactList(app: FastifyInstance, pages: Pages): void {
  app.get<ListRoute>('/contacts', async (request, reply) => {
    const { q } = request.query;
    const typed = typeof q === 'string' ? q.trim().slice(0, QUERY_CHARACTERS_MAX) : '';
    const cursor = cursorOf(request.query);
    const visit = await pages.visits.require(request, (owner) => [
      ...asideQueries(owner),
      rowScan(contactListRow(owner), scanFor(cursor, PAGE_SIZE)),
    ]);
    const aside = asideFrom(visit.results);
    const scanned = (visit.results[2] ?? []).flatMap(({ column, bytes }) =>
      bytes === undefined ? [] : [{ column, line: readContactLine(bytes) }],
    );
    const page = pageOf(cursor, scanned, PAGE_SIZE, aside.state.contacts, ({ column }) => column);
    const found = typed === '' ? [] : await linesBeginningWith(pages.deps.store, visit.stream, typed);
    const rows = typed === '' ? page.rows.map(({ line }) => inList(line)) : found.map(asFound);
    return pages.show(request, reply, {
      title: 'Contacts',
      template: 'web/contacts/list.hbs',
      ...doneWords(request.query),
      data: {
        aside: asideView(aside, 'all'),
        q: typed,
        rows,
        ...(typed === '' && { page, path: '/contacts' }),
        isEmpty: aside.state.contacts === 0,
      },
    });
  });
}

function inList({ id, name, addresses, organisation }: ContactLine): Shown {
  const [first = '', ...more] = addresses;
  const shown = name || organisation || first;
  const about = [first === shown ? '' : first, organisation === shown ? '' : organisation];
  return {
    url: `/contacts/${id}`,
    name: shown,
    about: [...about.filter((one) => one !== ''), ...(more.length > 0 ? [`${more.length} more`] : [])].join(
      ' · ',
    ),
  };
}

function asFound(line: Awaited<ReturnType<typeof linesBeginningWith>>[number]): Shown {
  const { kind, id, name, addresses } = line;
  const [first = ''] = addresses;
  if (kind === 'group') return { url: `/contacts/groups/${id}`, name, about: 'Group' };
  if (kind === 'contact')
    return { url: `/contacts/${id}`, name: name || first, about: name === '' ? '' : first };
  const query = new URLSearchParams({ name, address: first });
  const about = name === '' ? 'you have written to it' : `${first} · you have written to it`;
  return { url: `/contacts/new?${query.toString()}`, name: name || first, about };
}
