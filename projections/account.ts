/**
 * The account: its profile, the credentials that a log-in is checked against, and its open sessions.
 * A session stays listed after it has expired, until it is closed: who reads it compares `expiresAt`
 * with the clock.
 */
import type { AccountEvent } from '../domain/account/events.ts';
import type { Content } from '../domain/decider.ts';
import { decodeText } from '../domain/fields.ts';
import { cellFormat, flag, natural, record, text } from './cell-format.ts';
import { credentialsCell, profileCell, sessionCell } from './keys.ts';
import type { EntryFacts, Mutation, Projection } from './projection.ts';

export type AccountProfile = {
  readonly name: string;
  /** The account's name when none was given. */
  readonly displayName: string;
  readonly admin: boolean;
  readonly createdAt: number;
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
};

const profile = cellFormat<AccountProfile>(
  'an account profile',
  record({ name: text, displayName: text, admin: flag, createdAt: natural }),
);
const credentials = cellFormat<AccountCredentials>(
  'account credentials',
  record({ passwordHash: text, passwordVersion: natural }),
);
const session = cellFormat<SessionRow>(
  'a session',
  record({ openedAt: natural, expiresAt: natural, agent: text }),
);

/** Throws on bytes that this projection cannot have written; so do the other two. */
export const readAccountProfile = (bytes: Uint8Array): AccountProfile => profile.read(bytes);
export const readAccountCredentials = (bytes: Uint8Array): AccountCredentials => credentials.read(bytes);
export const readSessionRow = (bytes: Uint8Array): SessionRow => session.read(bytes);

const types: readonly AccountEvent['type'][] = [
  'account.SignedUp',
  'account.SessionOpened',
  'account.SessionClosed',
  'account.PasswordChanged',
];

export const accountProjection: Projection = {
  name: 'account',
  listensTo: new Set(types),
  priors: () => [],
  project(event: AccountEvent, entry, content): Mutation[] {
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
      case 'account.PasswordChanged':
        return [putCredentials(owner, content, event.data.passwordVersion)];
    }
  },
};

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
