/**
 * What an account says of itself, and how it wants dates written. Name and signature are a person's own
 * words and lie in parts, the ones before beside the ones after, so that a change can be undone.
 *
 * What always holds: a change of the profile was made on the version that is replaced; of two that were
 * made on the same one, the second is refused and not merged.
 */
import type { CommandHandler, Content, DomainArea, EventHandler, StateKey } from '../decider.ts';
import { rejection } from '../errors.ts';
import { fieldsOf, matching, parsed, partsAre, whole } from '../fields.ts';
import type { Dates, DatesChanged, ProfileChanged, ProfileEvent } from './events.ts';
import { ACCOUNT_KEY, accountFault } from './evolve.ts';
import { checkName, checkSignature } from './wording.ts';

type ChangeProfile = { readonly version: number };

type ProfileSlice = { readonly version: number };
const PROFILE_KEY: StateKey = 'profile';
const DATES_KEY: StateKey = 'dates';
const AS_THE_BROWSER: Dates = { zone: '', locale: '' };

const changeProfile: CommandHandler<ChangeProfile> = {
  /** Parts: display name, signature, and both as they were. `version`: the one replaced; 0: none was chosen yet. */
  parse: (data, content) =>
    parsed(() => {
      const { version } = fieldsOf(data, ['version']);
      partsAre(content, 'display name', 'signature', 'display name before', 'signature before');
      for (const part of [0, 2]) checkName(content, part);
      for (const part of [1, 3]) checkSignature(content, part);
      return { version: whole(version, 'version', 0, Number.MAX_SAFE_INTEGER) };
    }),
  reads: () => [ACCOUNT_KEY, PROFILE_KEY],
  decide({ version }, slices, { stream, content }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const current = (slices(PROFILE_KEY) as ProfileSlice | undefined)?.version ?? 0;
    if (version !== current) return { rejection: stale };
    if (samePart(content, 0, 2) && samePart(content, 1, 3)) return { events: [] };
    const event: ProfileChanged = {
      type: 'account.ProfileChanged',
      version: 1,
      data: { version: version + 1 },
    };
    return { events: [event] };
  },
};

const changeDates: CommandHandler<Dates> = {
  parse: (data, content) =>
    parsed(() => {
      const { zone, locale } = fieldsOf(data, ['zone', 'locale']);
      partsAre(content);
      return {
        zone: matching(zone, 'time zone', /^([A-Za-z][A-Za-z0-9_+/-]{0,63})?$/, 'an IANA name or empty'),
        locale: matching(
          locale,
          'language',
          /^([a-zA-Z]{2,8}(-[a-zA-Z0-9]{1,8}){0,4})?$/,
          'a BCP 47 tag or empty',
        ),
      };
    }),
  reads: () => [ACCOUNT_KEY, DATES_KEY],
  decide({ zone, locale }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const before = (slices(DATES_KEY) as Dates | undefined) ?? AS_THE_BROWSER;
    if (before.zone === zone && before.locale === locale) return { events: [] };
    const event: DatesChanged = { type: 'account.DatesChanged', version: 1, data: { zone, locale, before } };
    return { events: [event] };
  },
};

const events: { readonly [Type in ProfileEvent['type']]: EventHandler } = {
  'account.ProfileChanged': {
    touches: () => [PROFILE_KEY],
    evolve: (_key, _slice, event: ProfileChanged): ProfileSlice => ({ version: event.data.version }),
  },
  'account.DatesChanged': {
    touches: () => [DATES_KEY],
    evolve: (_key, _slice, { data }: DatesChanged): Dates => ({ zone: data.zone, locale: data.locale }),
  },
};

export const profileArea: DomainArea = {
  commands: { 'account.ChangeProfile': changeProfile, 'account.ChangeDates': changeDates },
  events,
};

function samePart(content: Content, a: number, b: number): boolean {
  return content.digest(a) === content.digest(b);
}

const stale = rejection(
  'Stale',
  'Your profile was changed elsewhere meanwhile: look at it as it is now, and save again.',
  { field: 'version' },
);
