/**
 * Help with addresses while they are typed. Completion comes from the address book, which knows whom one has
 * written to, and from an account here if its address is typed whole; nothing lists accounts.
 *
 *   GET /mail/addresses?q=…            [{"name": …, "address": …}], the best first
 *   GET /mail/addresses/faults?list=…  ["There is nobody at …", …]
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Address } from '../../message/addresses.ts';
import { isValidAddress } from '../../message/addresses.ts';
import type { Pages } from '../../pages/pages.ts';
import type { Visit } from '../../pages/visit.ts';
import { counted } from '../../pages/wording.ts';
import { completions } from '../contacts/completions.ts';
import { faultsOf, isAccountHere } from './recipients.ts';

const COMPLETIONS_MAX = 8;
const QUERY_CHARS_MAX = 100;
const LIST_CHARS_MAX = 8000;
/** A person types slower; who tries names out is slowed down. */
const ASKED_PER_MINUTE_MAX = 120;

type AddressesRoute = { Querystring: Record<string, unknown> };

export function registerAddresses(app: FastifyInstance, pages: Pages): void {
  const visitorOf = (request: FastifyRequest) => pages.cookies.read(request, 'pc_session') ?? request.ip;
  const rateLimit = { max: ASKED_PER_MINUTE_MAX, timeWindow: 60_000, keyGenerator: visitorOf };
  const options = { config: { rateLimit } };

  app.get<AddressesRoute>('/mail/addresses', options, async (request, reply) => {
    const { q } = request.query;
    const visit = await pages.visits.require(request);
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

/** A group goes into the line as `list`, all of its members; `address` then says how many they are. */
type Offered = Address & { readonly list?: string };

/** Contacts, groups and whom one has written to, as the address book has them. */
async function completionsFor(pages: Pages, visit: Visit, typed: string): Promise<Offered[]> {
  const found = await completions(pages.deps.store, visit.stream, typed, COMPLETIONS_MAX);
  const offered = found.map(({ kind, name, address, list, members }) =>
    kind === 'group' ? { name, address: counted(members ?? 0, 'person', 'people'), list } : { name, address },
  );
  const here = typed.includes('@') ? typed : `${typed}@${pages.deps.domains[0]}`;
  const isThere = offered.some(({ address }) => address.toLowerCase() === here.toLowerCase());
  if (!isThere && isValidAddress(here) && (await isAccountHere(pages, here))) {
    offered.push({ name: '', address: here });
  }
  return offered.slice(0, COMPLETIONS_MAX);
}
