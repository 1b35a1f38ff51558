/**
 * Help with addresses while they are typed. Completion comes from the people one has written to lately, and
 * from an account here if its address is typed whole; nothing lists accounts. An address book, once there is
 * one, is asked in `completionsFor`, in front of what is found there now.
 *
 *   GET /mail/addresses?q=…            [{"name": …, "address": …}], the best first
 *   GET /mail/addresses/faults?list=…  ["There is nobody at …", …]
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { metaCell } from '../../../projections/keys.ts';
import { readMessageMeta } from '../../../projections/message.ts';
import type { Address } from '../../message/addresses.ts';
import { isValidAddress } from '../../message/addresses.ts';
import type { Pages } from '../../pages/pages.ts';
import { cellOf, type Visit } from '../../pages/visit.ts';
import { folderQuery, linesFrom } from '../mail/folder-list.ts';
import { faultsOf, isAccountHere } from './recipients.ts';

const COMPLETIONS_MAX = 8;
const QUERY_CHARS_MAX = 100;
const LIST_CHARS_MAX = 8000;
/** Conversations that are looked through for whom one has written to. */
const SENT_READ_MAX = 50;
/** A person types slower; who tries names out is slowed down. */
const ASKED_PER_MINUTE_MAX = 120;

type AddressesRoute = { Querystring: Record<string, unknown> };

export function registerAddresses(app: FastifyInstance, pages: Pages): void {
  const visitorOf = (request: FastifyRequest) => pages.cookies.read(request, 'pc_session') ?? request.ip;
  const rateLimit = { max: ASKED_PER_MINUTE_MAX, timeWindow: 60_000, keyGenerator: visitorOf };
  const options = { config: { rateLimit } };

  app.get<AddressesRoute>('/mail/addresses', options, async (request, reply) => {
    const { q } = request.query;
    const visit = await pages.visits.require(request, (owner) => [
      folderQuery(owner, 'sent', { reverse: false, limit: SENT_READ_MAX }),
    ]);
    const typed = typeof q === 'string' ? q.trim().slice(0, QUERY_CHARS_MAX) : '';
    const found = typed === '' ? [] : await completionsFor(pages, visit, typed);
    return reply.header('cache-control', 'no-store').send(found);
  });

  app.get<AddressesRoute>('/mail/addresses/faults', options, async (request, reply) => {
    const { list } = request.query;
    await pages.visits.require(request);
    const typed = typeof list === 'string' ? list.slice(0, LIST_CHARS_MAX) : '';
    return reply.header('cache-control', 'no-store').send(await faultsOf(pages, typed));
  });
}

/** Whose name, or address, has a word that begins with what is typed; those written to last first. */
async function completionsFor(pages: Pages, visit: Visit, typed: string): Promise<Address[]> {
  const wanted = typed.toLowerCase();
  const begins = ({ name, address }: Address) =>
    address.toLowerCase().startsWith(wanted) ||
    name
      .toLowerCase()
      .split(/\s+/)
      .some((_word, i, words) => words.slice(i).join(' ').startsWith(wanted));
  const found = new Map<string, Address>();
  for (const one of await writtenTo(pages, visit)) {
    const key = one.address.toLowerCase();
    if (begins(one) && (found.get(key)?.name ?? '') === '') found.set(key, one);
  }
  const here = typed.includes('@') ? typed : `${typed}@${pages.deps.domains[0]}`;
  if (!found.has(here.toLowerCase()) && isValidAddress(here) && (await isAccountHere(pages, here))) {
    found.set(here.toLowerCase(), { name: '', address: here });
  }
  return [...found.values()].slice(0, COMPLETIONS_MAX);
}

/** The recipients of the messages sent last, newest first. */
async function writtenTo(pages: Pages, visit: Visit): Promise<Address[]> {
  const lines = linesFrom(visit.results[0] ?? []);
  if (lines.length === 0) return [];
  const { results } = await pages.deps.store.read(
    visit.stream,
    lines.map(({ newest }) => ({ get: metaCell(visit.stream, newest) })),
  );
  return results.flatMap((cells) => {
    const meta = cellOf(cells, readMessageMeta);
    return meta === undefined ? [] : [...meta.to, ...meta.cc, ...(meta.bcc ?? [])];
  });
}
