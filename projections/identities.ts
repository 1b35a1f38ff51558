/**
 * The names and addresses that an account sends as: its own, which its profile tells, and the further ones
 * it has added, each a cell of one row. `senders` is what a page that writes mail offers.
 */
import type { IdentityEvent } from '../domain/account/events.ts';
import type { Content } from '../domain/decider.ts';
import { decodeText } from '../domain/fields.ts';
import type { AccountProfile } from './account.ts';
import { cellFormat, natural, record, text } from './cell-format.ts';
import { identityCell } from './keys.ts';
import type { EntryFacts, Mutation, Projection } from './projection.ts';

export type Identity = {
  readonly id: string;
  /** Lower case: name@domain or name+tag@domain. Empty once it was erased. */
  readonly address: string;
  /** May be empty: the address alone is shown. */
  readonly displayName: string;
  /** Lines parted by LF. */
  readonly signature: string;
  /** Grows with each change, from 1. */
  readonly version: number;
  /** When it was added or last changed. */
  readonly at: number;
};

/** Someone to send as; `id` '' is the account itself. */
export type Sender = Pick<Identity, 'id' | 'address' | 'displayName' | 'signature'>;

const identity = cellFormat<Identity>(
  'an identity',
  record({ id: text, address: text, displayName: text, signature: text, version: natural, at: natural }),
);

/** Throws on bytes that this projection cannot have written. */
export const readIdentity = (bytes: Uint8Array): Identity => identity.read(bytes);

/**
 * Whom the account can send as: itself first, then its identities by address. Identities under a domain
 * that is no longer served are left out. `domains`: served ones, the account's own address has the first.
 */
export function senders(
  profile: AccountProfile,
  identities: readonly Identity[],
  domains: readonly string[],
): Sender[] {
  const { name, displayName, signature = '' } = profile;
  const own: Sender = {
    id: '',
    address: `${name}@${domains[0] ?? 'localhost'}`,
    displayName: displayName === name ? '' : displayName,
    signature,
  };
  const served = new Set([...domains, 'localhost']);
  const others = identities
    .filter(({ address }) => served.has(address.slice(address.lastIndexOf('@') + 1)))
    .map(({ id, address, displayName, signature }) => ({ id, address, displayName, signature }))
    .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.id < b.id ? -1 : 1));
  return [own, ...others];
}

const types: readonly IdentityEvent['type'][] = [
  'account.IdentityAdded',
  'account.IdentityChanged',
  'account.IdentityRemoved',
];

export const identitiesProjection: Projection = {
  name: 'identities',
  listensTo: new Set(types),
  priors: () => [],
  project(event: IdentityEvent, entry, content): Mutation[] {
    const { identityId } = event.data;
    switch (event.type) {
      case 'account.IdentityAdded':
        return [put(identityId, 1, entry, content)];
      case 'account.IdentityChanged':
        return [put(identityId, event.data.version, entry, content)];
      case 'account.IdentityRemoved':
        return [{ delete: identityCell(entry.stream, identityId) }];
    }
  },
};

function put(id: string, version: number, { stream, time: at }: EntryFacts, content: Content): Mutation {
  const part = (number: number) => decodeText(content.bytes(number)) ?? '';
  const model = { id, address: part(0), displayName: part(1), signature: part(2), version, at };
  return { put: identityCell(stream, id), value: { bytes: identity.write(model) } };
}
