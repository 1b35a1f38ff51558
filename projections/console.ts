/** The sessions of the admin console that were opened with a one-time link. */
import type { ConsoleEvent } from '../domain/account/console.ts';
import { cellFormat, natural, record } from './cell-format.ts';
import { consoleSessionCell } from './keys.ts';
import type { Mutation, Projection } from './projection.ts';

export type ConsoleSession = {
  readonly openedAt: number;
  /** The session is over at this time, closed or not. */
  readonly expiresAt: number;
};

const session = cellFormat<ConsoleSession>(
  'a console session',
  record({ openedAt: natural, expiresAt: natural }),
);

/** Throws on bytes that this projection cannot have written. */
export const readConsoleSession = (bytes: Uint8Array): ConsoleSession => session.read(bytes);

type Heard = Exclude<ConsoleEvent, { readonly type: 'console.LinkIssued' }>;
const types: readonly Heard['type'][] = ['console.SessionOpened', 'console.SessionClosed'];

export const consoleProjection: Projection = {
  name: 'console',
  listensTo: new Set(types),
  priors: () => [],
  project(event: Heard, entry): Mutation[] {
    const cell = consoleSessionCell(event.data.sessionHash);
    switch (event.type) {
      case 'console.SessionOpened': {
        const row = { openedAt: entry.time, expiresAt: event.data.expiresAt };
        return [{ put: cell, value: { bytes: session.write(row) } }];
      }
      case 'console.SessionClosed':
        return [{ delete: cell }];
    }
  },
};
