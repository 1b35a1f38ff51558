/**
 * The admin console's own way in: a one-time link, printed where only the operator reads, opens one
 * session that belongs to no account. All of it lives in one stream, CONSOLE_STREAM.
 *
 * What always holds: a link opens at most one session, and none once it has expired.
 */
import type { CommandHandler, Content, Decision, DomainArea, EventHandler, StateKey } from '../decider.ts';
import { rejection } from '../errors.ts';
import { fieldsOf, parsed, partsAre, sha256Hex, whole } from '../fields.ts';
import { CONSOLE_STREAM } from '../streams.ts';
import { sessionKey, type SessionSlice } from './evolve.ts';
import { expiryFault, hashInUse, SESSION_DAYS_MAX, sessionEnded } from './sessions.ts';

/** A printed link is forgotten in a terminal's history: it lasts a week at most. */
const LINK_DAYS_MAX = 7;

type IssueLink = { readonly linkHash: string; readonly expiresAt: number };
type OpenSession = { readonly linkHash: string; readonly sessionHash: string; readonly expiresAt: number };
type CloseSession = { readonly sessionHash: string };

export type LinkIssued = {
  readonly type: 'console.LinkIssued';
  readonly version: 1;
  readonly data: IssueLink;
};
export type ConsoleSessionOpened = {
  readonly type: 'console.SessionOpened';
  readonly version: 1;
  readonly data: OpenSession;
};
export type ConsoleSessionClosed = {
  readonly type: 'console.SessionClosed';
  readonly version: 1;
  readonly data: CloseSession;
};
export type ConsoleEvent = LinkIssued | ConsoleSessionOpened | ConsoleSessionClosed;

type LinkSlice = { readonly expiresAt: number; readonly spent: boolean };
const linkKey = (linkHash: string): StateKey => `link/${linkHash}`;

export function createConsole(): DomainArea {
  return {
    commands: {
      'console.IssueLink': issueLink,
      'console.OpenSession': openSession,
      'console.CloseSession': closeSession,
    },
    events: consoleEvents,
  };
}

const issueLink: CommandHandler<IssueLink> = {
  parse: (data, content) =>
    parsed(() => {
      const { linkHash, expiresAt } = fieldsOf(data, ['linkHash', 'expiresAt']);
      partsAre(content);
      return { linkHash: sha256Hex(linkHash, 'linkHash'), expiresAt: expiry(expiresAt) };
    }),
  reads: ({ linkHash }) => [linkKey(linkHash)],
  decide(data, slices, { stream, time }) {
    if (stream !== CONSOLE_STREAM) return { rejection: wrongStream };
    const fault = expiryFault(data.expiresAt, time, LINK_DAYS_MAX);
    if (fault) return { rejection: fault };
    if (slices(linkKey(data.linkHash)) !== undefined) return { rejection: hashInUse('linkHash') };
    return happened({ type: 'console.LinkIssued', version: 1, data });
  },
};

const openSession: CommandHandler<OpenSession> = {
  parse: (data, content) =>
    parsed(() => {
      const { linkHash, sessionHash, expiresAt } = fieldsOf(data, ['linkHash', 'sessionHash', 'expiresAt']);
      partsAre(content);
      return {
        linkHash: sha256Hex(linkHash, 'linkHash'),
        sessionHash: sha256Hex(sessionHash, 'sessionHash'),
        expiresAt: expiry(expiresAt),
      };
    }),
  reads: ({ linkHash, sessionHash }) => [linkKey(linkHash), sessionKey(sessionHash)],
  decide(data, slices, { stream, time }) {
    if (stream !== CONSOLE_STREAM) return { rejection: wrongStream };
    const link = slices(linkKey(data.linkHash)) as LinkSlice | undefined;
    if (link === undefined || link.spent || link.expiresAt <= time) return { rejection: linkSpent };
    const fault = expiryFault(data.expiresAt, time, SESSION_DAYS_MAX);
    if (fault) return { rejection: fault };
    if (slices(sessionKey(data.sessionHash)) !== undefined) return { rejection: hashInUse('sessionHash') };
    return happened({ type: 'console.SessionOpened', version: 1, data });
  },
};

const closeSession: CommandHandler<CloseSession> = {
  parse: (data: unknown, content: Content) =>
    parsed(() => {
      const { sessionHash } = fieldsOf(data, ['sessionHash']);
      partsAre(content);
      return { sessionHash: sha256Hex(sessionHash, 'sessionHash') };
    }),
  reads: ({ sessionHash }) => [sessionKey(sessionHash)],
  decide(data, slices, { stream }) {
    if (stream !== CONSOLE_STREAM) return { rejection: wrongStream };
    if (slices(sessionKey(data.sessionHash)) === undefined) return { rejection: sessionEnded };
    return happened({ type: 'console.SessionClosed', version: 1, data });
  },
};

const consoleEvents: { readonly [Type in ConsoleEvent['type']]: EventHandler } = {
  'console.LinkIssued': {
    touches: (event: LinkIssued) => [linkKey(event.data.linkHash)],
    evolve: (_key, _slice, event: LinkIssued): LinkSlice => ({
      expiresAt: event.data.expiresAt,
      spent: false,
    }),
  },
  'console.SessionOpened': {
    touches: (event: ConsoleSessionOpened) => [
      linkKey(event.data.linkHash),
      sessionKey(event.data.sessionHash),
    ],
    evolve(key, slice, event: ConsoleSessionOpened): LinkSlice | SessionSlice {
      if (key === linkKey(event.data.linkHash)) return { ...(slice as LinkSlice), spent: true };
      return { expiresAt: event.data.expiresAt };
    },
  },
  'console.SessionClosed': {
    touches: (event: ConsoleSessionClosed) => [sessionKey(event.data.sessionHash)],
    evolve: () => undefined,
  },
};

function expiry(value: unknown): number {
  return whole(value, 'expiresAt', 0, Number.MAX_SAFE_INTEGER);
}

const wrongStream = rejection('Malformed', `Console commands belong to the stream ${CONSOLE_STREAM}.`, {
  field: 'stream',
});

const linkSpent = rejection(
  'LinkSpent',
  'This link has been used or has expired: start PennCloud again for a new one.',
  {
    field: 'linkHash',
  },
);

function happened(event: ConsoleEvent): Decision {
  return { events: [event] };
}
