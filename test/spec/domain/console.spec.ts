import { describe, it } from 'vitest';
import { CONSOLE_STREAM } from '../../../domain/streams.ts';
import { ALICE, domain, given, hash, type Said } from '../given.ts';
import { START } from '../in-memory-shell.ts';

const DAY = 24 * 60 * 60 * 1000;
const stream = CONSOLE_STREAM;
const link = { linkHash: hash('1'), expiresAt: START + DAY };
const session = { linkHash: hash('1'), sessionHash: hash('a'), expiresAt: START + DAY };
const issued: Said = { type: 'console.LinkIssued', data: link, stream };
const opened: Said = { type: 'console.SessionOpened', data: session, stream };
const closed: Said = { type: 'console.SessionClosed', data: { sessionHash: hash('a') }, stream };

describe('issuing a console link', () => {
  const issue = (more: object = {}) => ({ type: 'console.IssueLink', data: { ...link, ...more }, stream });

  it('makes a link for at most a week', () => {
    given(domain, []).when(issue()).then([issued]);
    given(domain, [])
      .when(issue({ expiresAt: START + 7 * DAY + 1 }))
      .thenRejected('Malformed', { field: 'expiresAt', limit: '7 days' });
    given(domain, [])
      .when(issue({ expiresAt: START }))
      .thenRejected('Malformed', { field: 'expiresAt' });
  });

  it('is refused with a secret that is in use, used up or not', () => {
    given(domain, [issued]).when(issue()).thenRejected('Malformed', { field: 'linkHash' });
    given(domain, [issued, opened]).when(issue()).thenRejected('Malformed', { field: 'linkHash' });
  });

  it('is refused in any other stream, and with wrong fields', () => {
    given(domain, [])
      .when({ ...issue(), stream: ALICE })
      .thenRejected('Malformed', { field: 'stream' });
    given(domain, [])
      .when(issue({ linkHash: 'x' }))
      .thenRejected('Malformed', { field: 'linkHash' });
    given(domain, [])
      .when(issue({ admin: true }))
      .thenRejected('Malformed', { field: 'admin' });
  });
});

describe('opening a console session', () => {
  const open = (more: object = {}) => ({
    type: 'console.OpenSession',
    data: { ...session, ...more },
    stream,
  });

  it('spends the link', () => {
    given(domain, [issued]).when(open()).then([opened]);
    given(domain, [issued, opened])
      .when(open({ sessionHash: hash('b') }))
      .thenRejected('LinkSpent', { field: 'linkHash' });
  });

  it('is refused with a link that is unknown or has expired', () => {
    given(domain, []).when(open()).thenRejected('LinkSpent');
    given(domain, [issued])
      .when({ ...open({ expiresAt: START + 2 * DAY }), time: START + DAY })
      .thenRejected('LinkSpent');
  });

  it('is refused for over 90 days, with a secret that is in use, and with wrong fields', () => {
    given(domain, [issued])
      .when(open({ expiresAt: START + 91 * DAY }))
      .thenRejected('Malformed', { field: 'expiresAt', limit: '90 days' });
    const second: Said = { ...issued, data: { ...link, linkHash: hash('2') } };
    given(domain, [issued, opened, second])
      .when(open({ linkHash: hash('2') }))
      .thenRejected('Malformed', { field: 'sessionHash' });
    given(domain, [issued])
      .when(open({ sessionHash: null }))
      .thenRejected('Malformed', { field: 'sessionHash' });
    given(domain, [issued])
      .when({ ...open(), stream: ALICE })
      .thenRejected('Malformed', { field: 'stream' });
  });
});

describe('closing a console session', () => {
  const close = { type: 'console.CloseSession', data: { sessionHash: hash('a') }, stream };

  it('ends it', () => {
    given(domain, [issued, opened]).when(close).then([closed]);
  });

  it('is refused for one that is unknown or closed', () => {
    given(domain, []).when(close).thenRejected('SessionEnded');
    given(domain, [issued, opened, closed]).when(close).thenRejected('SessionEnded');
  });

  it('is refused in any other stream', () => {
    given(domain, [])
      .when({ ...close, stream: ALICE })
      .thenRejected('Malformed', { field: 'stream' });
  });
});
