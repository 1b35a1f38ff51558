/**
 * The setting for while one is away is changed as a whole. The command brings the setting that its sender saw, so
 * that nothing is overwritten unseen, and so that the event can be undone: its parts turned round.
 */
import { ACCOUNT_KEY, accountFault } from '../../account/evolve.ts';
import type { CommandHandler, EventHandler } from '../../decider.ts';
import { fieldsOf, parsed, partAtMost, partsAre, refuse } from '../../fields.ts';
import { happenedWith, nothing, refused } from '../decisions.ts';
import type { VacationChanged } from '../events.ts';
import { checkedVacation, decodeVacation, VACATION_BYTES_MAX } from './vacation-settings.ts';
import { LETTER_KEY, VACATION_KEY, type VacationSlice } from './vacation.ts';

/** Parts: the setting as it shall be, and as it was (vacation-settings.ts); empty: none. */
export const changeVacation: CommandHandler<object> = {
  parse: (data, content) =>
    parsed(() => {
      fieldsOf(data, []);
      partsAre(content, 'settings', 'settings before');
      partAtMost(content, 0, 'settings', VACATION_BYTES_MAX);
      partAtMost(content, 1, 'settings before', VACATION_BYTES_MAX);
      const settings = content.bytes(0);
      if (settings === undefined) refuse('Malformed', 'The settings are missing.', { field: 'settings' });
      if (settings.length > 0) checkedVacation(settings);
      return {};
    }),
  reads: () => [ACCOUNT_KEY, VACATION_KEY, LETTER_KEY],
  decide(_data, slices, { stream, content }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const slice = slices(VACATION_KEY) as VacationSlice | undefined;
    const isSeen =
      slice === undefined
        ? content.length(1) === 0
        : slice.settings === content.digest(1) || slice.settings === '';
    if (!isSeen) {
      const message = 'This was changed elsewhere meanwhile: look at it as it is now, and save again.';
      return refused('ChangedSince', message, 'settings');
    }
    if (content.digest(0) === content.digest(1)) return nothing;
    const settings = decodeVacation(content.bytes(0));
    const before = decodeVacation(content.bytes(1));
    const { on = false, from = null, until = null } = settings ?? {};
    const isSameText = settings?.text === before?.text && settings?.subject === before?.subject;
    return happenedWith(
      { changed: true },
      { type: 'mail.VacationChanged', version: 1, data: { on, from, until, startsOver: !isSameText } },
    );
  },
};

export const vacationChanged: EventHandler = {
  touches: () => [VACATION_KEY, LETTER_KEY],
  evolve(key, slice, event, content, time) {
    const settings = decodeVacation(content.bytes(0));
    if (key === LETTER_KEY) {
      if (settings === undefined) return undefined;
      const { subject, text, name, address, words } = settings;
      return { subject, text, name, address, words };
    }
    const { on, from, until, startsOver } = (event as VacationChanged).data;
    const before = slice as VacationSlice | undefined;
    return {
      // Of an erased setting nobody knows the digest, and any may follow it.
      settings: content.digest(0) ?? '',
      on: on && settings !== undefined,
      from,
      until,
      everyDays: settings?.everyDays ?? 7,
      contactsOnly: settings?.contactsOnly ?? false,
      since: startsOver ? time : (before?.since ?? 0),
    } satisfies VacationSlice;
  },
};
