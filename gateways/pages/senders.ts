/** Whom a visitor can send as: what a page asks for in its bundle of reads, and what it then offers. */
import { IDENTITIES_MAX } from '../../domain/account/identities.ts';
import { readIdentity, senders, type Identity, type Sender } from '../../projections/identities.ts';
import { identitiesRow } from '../../projections/keys.ts';
import type { ReadCell, ReadQuery } from '../../storage-nodes/client/client.ts';
import { rowScan } from './paging.ts';
import type { Visit } from './visit.ts';

/** All identities of an account. */
export function identitiesQuery(owner: string): ReadQuery {
  return rowScan(identitiesRow(owner), { reverse: false, limit: IDENTITIES_MAX });
}

/** `cells`: the answer to `identitiesQuery`. */
export function identitiesIn(cells: readonly ReadCell[] | undefined): Identity[] {
  return (cells ?? []).flatMap(({ bytes }) => (bytes === undefined ? [] : [readIdentity(bytes)]));
}

/** The account itself first, its `id` ''; then its identities under domains that are served, by address. */
export function sendersOf(
  { profile }: Visit,
  cells: readonly ReadCell[] | undefined,
  domains: readonly string[],
): Sender[] {
  return senders(profile, identitiesIn(cells), domains);
}
