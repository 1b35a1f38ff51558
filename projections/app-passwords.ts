/** The app passwords of an account, each a cell of one row: what it is called, and what is checked when a mail client shows it. */
import type { AppPasswordEvent } from '../domain/account/events.ts';
import { decodeText } from '../domain/fields.ts';
import { cellFormat, natural, record, text } from './cell-format.ts';
import { appPasswordCell } from './keys.ts';
import type { Mutation, Projection } from './projection.ts';

export type AppPassword = {
  readonly id: string;
  /** Empty once it was erased. */
  readonly name: string;
  /** sha256, in hexadecimal digits. */
  readonly hash: string;
  /** It works as long as the account's password has this version. */
  readonly passwordVersion: number;
  readonly at: number;
};

const appPassword = cellFormat<AppPassword>(
  'an app password',
  record({ id: text, name: text, hash: text, passwordVersion: natural, at: natural }),
);

/** Throws on bytes that this projection cannot have written. */
export const readAppPassword = (bytes: Uint8Array): AppPassword => appPassword.read(bytes);

const types: readonly AppPasswordEvent['type'][] = ['account.AppPasswordAdded', 'account.AppPasswordRemoved'];

export const appPasswordsProjection: Projection = {
  name: 'app passwords',
  listensTo: new Set(types),
  priors: () => [],
  project(event: AppPasswordEvent, { stream, time: at }, content): Mutation[] {
    const cell = appPasswordCell(stream, event.data.appPasswordId);
    if (event.type === 'account.AppPasswordRemoved') return [{ delete: cell }];
    const { appPasswordId: id, hash, passwordVersion } = event.data;
    // The part of the name stands first, also behind removals in the same entry: they have none.
    const model = { id, name: decodeText(content.bytes(0)) ?? '', hash, passwordVersion, at };
    return [{ put: cell, value: { bytes: appPassword.write(model) } }];
  },
};
