/**
 * Identities: further names and addresses that an account sends as, each with its own signature. Words
 * and addresses lie in parts, the ones before beside the ones after.
 *
 * What always holds: an identity's address is the account's own, with or without a tag
 * (`name@…`, `name+tag@…`), so that answers come back to who wrote; which domains are served, a gateway knows.
 */
import type { CommandHandler, Content, Decision, DomainArea, EventHandler, StateKey } from '../decider.ts';
import { rejection } from '../errors.ts';
import { fieldsOf, parsed, partsAre, partText, randomId, refuse, whole } from '../fields.ts';
import { accountOf } from '../streams.ts';
import type { IdentityAdded, IdentityChanged, IdentityEvent, IdentityRemoved } from './events.ts';
import { ACCOUNT_KEY, accountFault } from './evolve.ts';
import { checkName, checkSignature } from './wording.ts';

export const IDENTITIES_MAX = 20;
/** RFC 5321 §4.5.3.1.3: a path of 256 octets, less its angle brackets. */
export const ADDRESS_BYTES_MAX = 254;

type AddIdentity = { readonly identityId: string; readonly addresses: readonly string[] };
type OneIdentity = AddIdentity & { readonly version: number };

/** The version of each, by its id. */
type IdentitiesSlice = { readonly [identityId: string]: number };
const IDENTITIES_KEY: StateKey = 'identities';
const reads = () => [ACCOUNT_KEY, IDENTITIES_KEY];

const addIdentity: CommandHandler<AddIdentity> = {
  parse: (data, content) =>
    parsed(() => {
      const { identityId } = fieldsOf(data, ['identityId']);
      partsAre(content, 'address', 'display name', 'signature');
      return { identityId: randomId(identityId, 'identityId'), addresses: [checkIdentity(content, 0)] };
    }),
  reads,
  decide({ identityId, addresses }, slices, { stream }) {
    const fault = accountFault(slices, stream) ?? addressFault(addresses, stream);
    if (fault) return { rejection: fault };
    const identities = (slices(IDENTITIES_KEY) as IdentitiesSlice | undefined) ?? {};
    if (Object.hasOwn(identities, identityId)) return { rejection: idInUse };
    if (Object.keys(identities).length >= IDENTITIES_MAX) return { rejection: full };
    return happened({ type: 'account.IdentityAdded', version: 1, data: { identityId } });
  },
};

const changeIdentity: CommandHandler<OneIdentity> = {
  parse: (data, content) =>
    parsed(() => {
      const one = oneIdentity(data);
      partsAre(
        content,
        'address',
        'display name',
        'signature',
        'address before',
        'name before',
        'signature before',
      );
      return { ...one, addresses: [checkIdentity(content, 0), checkIdentity(content, 3)] };
    }),
  reads,
  decide(data, slices, { stream, content }) {
    const fault =
      accountFault(slices, stream) ?? addressFault(data.addresses, stream) ?? versionFault(data, slices);
    if (fault) return { rejection: fault };
    if ([0, 1, 2].every((part) => content.digest(part) === content.digest(part + 3))) return { events: [] };
    const { identityId, version } = data;
    return happened({
      type: 'account.IdentityChanged',
      version: 1,
      data: { identityId, version: version + 1 },
    });
  },
};

const removeIdentity: CommandHandler<OneIdentity> = {
  parse: (data, content) =>
    parsed(() => {
      const one = oneIdentity(data);
      partsAre(content, 'address', 'display name', 'signature');
      return { ...one, addresses: [checkIdentity(content, 0)] };
    }),
  reads,
  decide(data, slices, { stream }) {
    const fault = accountFault(slices, stream) ?? versionFault(data, slices);
    if (fault) return { rejection: fault };
    const { identityId, version } = data;
    return happened({ type: 'account.IdentityRemoved', version: 1, data: { identityId, version } });
  },
};

const touches = () => [IDENTITIES_KEY];
const events: { readonly [Type in IdentityEvent['type']]: EventHandler } = {
  'account.IdentityAdded': {
    touches,
    evolve: (_key, slice, { data }: IdentityAdded) => ({
      ...(slice as IdentitiesSlice),
      [data.identityId]: 1,
    }),
  },
  'account.IdentityChanged': {
    touches,
    evolve: (_key, slice, { data }: IdentityChanged) => ({
      ...(slice as IdentitiesSlice),
      [data.identityId]: data.version,
    }),
  },
  'account.IdentityRemoved': {
    touches,
    evolve(_key, slice, { data }: IdentityRemoved) {
      const { [data.identityId]: _removed, ...left } = slice as IdentitiesSlice;
      return left;
    },
  },
};

export const identitiesArea: DomainArea = {
  commands: {
    'account.AddIdentity': addIdentity,
    'account.ChangeIdentity': changeIdentity,
    'account.RemoveIdentity': removeIdentity,
  },
  events,
};

function oneIdentity(data: unknown): Omit<OneIdentity, 'addresses'> {
  const { identityId, version } = fieldsOf(data, ['identityId', 'version']);
  return {
    identityId: randomId(identityId, 'identityId'),
    version: whole(version, 'version', 1, Number.MAX_SAFE_INTEGER),
  };
}

/** The address of an identity whose three parts begin here. */
function checkIdentity(content: Content, part: number): string {
  const address = partText(content, part, 'address', 3, ADDRESS_BYTES_MAX);
  checkName(content, part + 1);
  checkSignature(content, part + 2);
  if (!/^[a-z0-9._-]+(\+[a-z0-9._+-]{1,64})?@[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(address)) {
    refuse('Malformed', 'Address must be name@domain or name+tag@domain, in lower-case letters and digits.', {
      field: 'address',
      limit: ADDRESS_BYTES_MAX,
    });
  }
  return address;
}

function addressFault(addresses: readonly string[], stream: string) {
  const name = accountOf(stream);
  const own = (address: string) => address.startsWith(`${name}@`) || address.startsWith(`${name}+`);
  if (addresses.every(own)) return undefined;
  return rejection('Malformed', `Address must be your own: ${name}@… or ${name}+tag@….`, {
    field: 'address',
  });
}

function versionFault({ identityId, version }: OneIdentity, slices: (key: StateKey) => unknown) {
  const identities = (slices(IDENTITIES_KEY) as IdentitiesSlice | undefined) ?? {};
  if (!Object.hasOwn(identities, identityId)) return gone;
  return identities[identityId] === version ? undefined : stale;
}

function happened(event: IdentityEvent): Decision {
  return { events: [event] };
}

const gone = rejection('NoSuchIdentity', 'There is no such identity: it may have been removed.', {
  field: 'identityId',
});
const stale = rejection(
  'Stale',
  'This identity was changed elsewhere meanwhile: look at it as it is now, and save again.',
  { field: 'version' },
);
const idInUse = rejection('Malformed', 'The identity id is in use: choose a new random one.', {
  field: 'identityId',
});
const full = rejection(
  'TooMany',
  `You have ${IDENTITIES_MAX} identities, the most there can be: remove one first.`,
  {
    field: 'identityId',
    limit: IDENTITIES_MAX,
  },
);
