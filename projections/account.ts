/**
 * The account: its profile, the credentials that a log-in is checked against, and its open sessions.
 *
 * A session's row tells that it was opened, not that it still counts: `sessionCounts` does, from the row
 * and the profile. A session that has expired stays listed until a later log-in closes it. What an account
 * never chose has no property in its profile, so that old logs leave the bytes they always left.
 */
import type { CoreEvent, ProfileEvent } from '../domain/account/events.ts';
import type { Content } from '../domain/decider.ts';
import { decodeText } from '../domain/fields.ts';
import { cellFormat, flag, natural, optional, record, text } from './cell-format.ts';
import { credentialsCell, profileCell, sessionCell } from './keys.ts';
import type { EntryFacts, Mutation, PriorCells, Projection } from './projection.ts';

export type AccountProfile = {
  readonly name: string;
  /** The account's name when none was given. */
  readonly displayName: string;
  readonly admin: boolean;
  readonly createdAt: number;
  /** Lines parted by LF. */
  readonly signature?: string;
  /** Of name and signature; grows with each change. Absent: 0. */
  readonly version?: number;
  /** IANA name of the zone that dates are written in; '' or absent: the browser's own. */
  readonly zone?: string;
  /** BCP 47 tag; '' or absent: the browser's own. */
  readonly locale?: string;
  /** Sessions opened at this time or before are over, but the one that `keeps` is the hash of. */
  readonly sessionsAfter?: number;
  readonly keeps?: string;
};

export type AccountCredentials = {
  /** PHC text; empty once it was erased, which no password matches. */
  readonly passwordHash: string;
  readonly passwordVersion: number;
};

export type SessionRow = {
  readonly openedAt: number;
  /** The session is over at this time, closed or not. */
  readonly expiresAt: number;
  readonly agent: string;
  /** Absent until it was in use an hour after it was opened; then at most an hour late. */
  readonly seenAt?: number;
};

const profile = cellFormat<AccountProfile>(
  'an account profile',
  record({
    name: text,
    displayName: text,
    admin: flag,
    createdAt: natural,
    signature: optional(text),
    version: optional(natural),
    zone: optional(text),
    locale: optional(text),
    sessionsAfter: optional(natural),
    keeps: optional(text),
  }),
);
const credentials = cellFormat<AccountCredentials>(
  'account credentials',
  record({ passwordHash: text, passwordVersion: natural }),
);
const session = cellFormat<SessionRow>(
  'a session',
  record({ openedAt: natural, expiresAt: natural, agent: text, seenAt: optional(natural) }),
);

/** Throws on bytes that this projection cannot have written; so do the other two. */
export const readAccountProfile = (bytes: Uint8Array): AccountProfile => profile.read(bytes);
export const readAccountCredentials = (bytes: Uint8Array): AccountCredentials => credentials.read(bytes);
export const readSessionRow = (bytes: Uint8Array): SessionRow => session.read(bytes);

/** Whether someone who shows this session is logged in. `now`: ms since 1970. */
export function sessionCounts(
  sessionHash: string,
  row: SessionRow,
  { sessionsAfter, keeps }: AccountProfile,
  now: number,
): boolean {
  if (row.expiresAt <= now) return false;
  return sessionsAfter === undefined || row.openedAt > sessionsAfter || sessionHash === keeps;
}

type Heard = CoreEvent | ProfileEvent;
const types: readonly Heard['type'][] = [
  'account.SignedUp',
  'account.SessionOpened',
  'account.SessionClosed',
  'account.SessionSeen',
  'account.OtherSessionsEnded',
  'account.PasswordChanged',
  'account.ProfileChanged',
  'account.DatesChanged',
  'account.Deleted',
];

export const accountProjection: Projection = {
  name: 'account',
  listensTo: new Set(types),

  priors(event: Heard, { stream }) {
    switch (event.type) {
      case 'account.SessionSeen':
        return [sessionCell(stream, event.data.sessionHash)];
      case 'account.OtherSessionsEnded':
      case 'account.ProfileChanged':
      case 'account.DatesChanged':
        return [profileCell(stream)];
      case 'account.SignedUp':
      case 'account.SessionOpened':
      case 'account.SessionClosed':
      case 'account.PasswordChanged':
      case 'account.Deleted':
        return [];
    }
  },

  project(event: Heard, entry, content, prior): Mutation[] {
    const owner = entry.stream;
    switch (event.type) {
      case 'account.SignedUp':
        return [
          { put: profileCell(owner), value: { bytes: profile.write(profileOf(event.data, entry, content)) } },
          putCredentials(owner, content, 1),
        ];
      case 'account.SessionOpened': {
        const { sessionHash, expiresAt } = event.data;
        const row = { openedAt: entry.time, expiresAt, agent: decodeText(content.bytes(0)) ?? '' };
        return [{ put: sessionCell(owner, sessionHash), value: { bytes: session.write(row) } }];
      }
      case 'account.SessionClosed':
        return [{ delete: sessionCell(owner, event.data.sessionHash) }];
      case 'account.SessionSeen':
        return seen(event.data.sessionHash, entry, prior);
      case 'account.OtherSessionsEnded':
        return changed(entry, prior, () => ({ sessionsAfter: entry.time, keeps: event.data.keeps }));
      case 'account.PasswordChanged':
        return [putCredentials(owner, content, event.data.passwordVersion)];
      case 'account.ProfileChanged':
        return changed(entry, prior, ({ name }) => ({
          displayName: decodeText(content.bytes(0)) || name,
          signature: decodeText(content.bytes(1)) ?? '',
          version: event.data.version,
        }));
      case 'account.DatesChanged':
        return changed(entry, prior, () => ({ zone: event.data.zone, locale: event.data.locale }));
      case 'account.Deleted':
        return [{ delete: profileCell(owner) }, { delete: credentialsCell(owner) }];
    }
  },
};

function seen(sessionHash: string, { stream, time }: EntryFacts, prior: PriorCells): Mutation[] {
  const cell = sessionCell(stream, sessionHash);
  const bytes = prior(cell);
  if (bytes === undefined) return [];
  return [{ put: cell, value: { bytes: session.write({ ...session.read(bytes), seenAt: time }) } }];
}

function changed(
  { stream }: EntryFacts,
  prior: PriorCells,
  change: (before: AccountProfile) => Partial<AccountProfile>,
): Mutation[] {
  const cell = profileCell(stream);
  const bytes = prior(cell);
  if (bytes === undefined) return [];
  const before = profile.read(bytes);
  return [{ put: cell, value: { bytes: profile.write({ ...before, ...change(before) }) } }];
}

function profileOf(
  { name, admin }: { readonly name: string; readonly admin: boolean },
  entry: EntryFacts,
  content: Content,
): AccountProfile {
  const displayName = decodeText(content.bytes(1)) || name;
  return { name, displayName, admin, createdAt: entry.time };
}

function putCredentials(owner: string, content: Content, passwordVersion: number): Mutation {
  const passwordHash = decodeText(content.bytes(0)) ?? '';
  return {
    put: credentialsCell(owner),
    value: { bytes: credentials.write({ passwordHash, passwordVersion }) },
  };
}
