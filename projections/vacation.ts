/** What an account has set for while its owner is away, as the page shows it: the bytes of the last change. */
import {
  checkedVacation,
  decodeVacation,
  type VacationSettings,
} from '../domain/mail/vacation/vacation-settings.ts';
import { parsed } from '../domain/fields.ts';
import { vacationCell } from './keys.ts';
import type { Projection } from './projection.ts';

/** Throws on bytes that this projection cannot have written. */
export function readVacation(bytes: Uint8Array): VacationSettings {
  const read = parsed(() => checkedVacation(bytes));
  if ('rejection' in read) {
    throw new Error(`the cell of the vacation setting is damaged: ${read.rejection.message}`);
  }
  return read.data;
}

export const vacationProjection: Projection = {
  name: 'vacation',
  listensTo: new Set(['mail.VacationChanged']),
  priors: () => [],
  project(_event, entry, content) {
    const cell = vacationCell(entry.stream);
    const bytes = content.bytes(0);
    return decodeVacation(bytes) === undefined
      ? [{ delete: cell }]
      : [{ put: cell, value: { bytes: bytes! } }];
  },
};
