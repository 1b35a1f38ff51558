/**
 * As whom someone writes: the address and name that stand in From, and the signature under a new text. The one
 * place that knows: the account itself, and its identities, are looked up here, and nowhere else on the way of
 * a message. A draft names the identity by its id; '' is the account itself.
 */
import type { Sender } from '../../../projections/identities.ts';
import type { Address } from '../../message/addresses.ts';
import type { Pages } from '../../pages/pages.ts';
import { identitiesQuery, sendersOf } from '../../pages/senders.ts';
import type { Visit } from '../../pages/visit.ts';

/** Whom one can write as, the account itself first. */
export async function writersOf(pages: Pages, visit: Visit): Promise<readonly [Sender, ...Sender[]]> {
  const { results } = await pages.deps.store.read(visit.stream, [identitiesQuery(visit.stream)]);
  return sendersOf(visit, results[0], pages.deps.domains) as [Sender, ...Sender[]];
}

export function addressOf({ displayName, address }: Sender): Address {
  return { name: displayName, address };
}

/** An answer is written as whom the message was sent to, if that is an identity of its reader. */
export function answererOf(writers: readonly [Sender, ...Sender[]], writtenTo: readonly Address[]): Sender {
  const addressed = new Set(writtenTo.map(({ address }) => address.toLowerCase()));
  return writers.find(({ id, address }) => id !== '' && addressed.has(address.toLowerCase())) ?? writers[0];
}
