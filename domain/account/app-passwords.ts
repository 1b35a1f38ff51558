/**
 * App passwords: each lets one mail client in, to send and nothing else, where the account's own password must not be
 * kept, or does not suffice (two-step log-in). A gateway makes them, of 128 random bits or more, and shows them once; here
 * only a hash is known. What one is called lies in a part.
 *
 * What always holds: an app password works only together with the password under which it was made: with a new one
 * all of them are over.
 */
import type { CommandHandler, DomainArea, EventHandler, Slices, StateKey } from '../decider.ts';
import { rejection } from '../errors.ts';
import { fieldsOf, parsed, partsAre, partText, randomId, sha256Hex, whole } from '../fields.ts';
import type { AppPasswordAdded, AppPasswordEvent, AppPasswordRemoved } from './events.ts';
import { ACCOUNT_KEY, accountFault, passwordFault } from './evolve.ts';

export const APP_PASSWORDS_MAX = 20;
export const APP_NAME_BYTES_MAX = 200;

type Add = { readonly appPasswordId: string; readonly hash: string; readonly passwordVersion: number };
type Remove = { readonly appPasswordId: string };

/** The version of the password under which each was made, by its id. */
type AppPasswordsSlice = { readonly [appPasswordId: string]: number };
const APP_PASSWORDS_KEY: StateKey = 'app-passwords';
const reads = () => [ACCOUNT_KEY, APP_PASSWORDS_KEY];
const touches = () => [APP_PASSWORDS_KEY];

const add: CommandHandler<Add> = {
  /** Part: what it is called. */
  parse: (data, content) =>
    parsed(() => {
      const fields = fieldsOf(data, ['appPasswordId', 'hash', 'passwordVersion']);
      partsAre(content, 'name');
      partText(content, 0, 'name', 1, APP_NAME_BYTES_MAX);
      return {
        appPasswordId: randomId(fields.appPasswordId, 'appPasswordId'),
        hash: sha256Hex(fields.hash, 'hash'),
        passwordVersion: whole(fields.passwordVersion, 'passwordVersion', 1, Number.MAX_SAFE_INTEGER),
      };
    }),
  reads,
  decide({ appPasswordId, hash, passwordVersion }, slices, { stream }) {
    const fault = accountFault(slices, stream) ?? passwordFault(slices, passwordVersion);
    if (fault) return { rejection: fault };
    const known = knownIn(slices);
    if (Object.hasOwn(known, appPasswordId)) return { rejection: idInUse };
    // Those of an earlier password are over, and gone from the page; with this one they are forgotten.
    const over = Object.keys(known).filter((id) => known[id] !== passwordVersion);
    if (Object.keys(known).length - over.length >= APP_PASSWORDS_MAX) return { rejection: full };
    const added: AppPasswordAdded = {
      type: 'account.AppPasswordAdded',
      version: 1,
      data: { appPasswordId, hash, passwordVersion },
    };
    return { events: [...over.map(removed), added] };
  },
};

const remove: CommandHandler<Remove> = {
  parse: (data, content) =>
    parsed(() => {
      const { appPasswordId } = fieldsOf(data, ['appPasswordId']);
      partsAre(content);
      return { appPasswordId: randomId(appPasswordId, 'appPasswordId') };
    }),
  reads,
  decide({ appPasswordId }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    return { events: Object.hasOwn(knownIn(slices), appPasswordId) ? [removed(appPasswordId)] : [] };
  },
};

const events: { readonly [Type in AppPasswordEvent['type']]: EventHandler } = {
  'account.AppPasswordAdded': {
    touches,
    evolve: (_key, slice, { data }: AppPasswordAdded): AppPasswordsSlice => ({
      ...(slice as AppPasswordsSlice | undefined),
      [data.appPasswordId]: data.passwordVersion,
    }),
  },
  'account.AppPasswordRemoved': {
    touches,
    evolve(_key, slice, { data }: AppPasswordRemoved): AppPasswordsSlice {
      const { [data.appPasswordId]: _removed, ...left } = slice as AppPasswordsSlice;
      return left;
    },
  },
};

export const appPasswordsArea: DomainArea = {
  commands: { 'account.AddAppPassword': add, 'account.RemoveAppPassword': remove },
  events,
};

function knownIn(slices: Slices): AppPasswordsSlice {
  return (slices(APP_PASSWORDS_KEY) as AppPasswordsSlice | undefined) ?? {};
}

function removed(appPasswordId: string): AppPasswordRemoved {
  return { type: 'account.AppPasswordRemoved', version: 1, data: { appPasswordId } };
}

const idInUse = rejection('Malformed', 'The id is in use: choose a new random one.', {
  field: 'appPasswordId',
});
const full = rejection(
  'TooMany',
  `You have ${APP_PASSWORDS_MAX} app passwords, the most there can be: remove one first.`,
  { field: 'appPasswordId', limit: APP_PASSWORDS_MAX },
);
