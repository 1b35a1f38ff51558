/** What has happened to a message since it came, or since it was sent, in words. */
import { GONE } from '../../../../domain/mail/folders.ts';
import type { Happening } from '../../../../projections/message-history.ts';
import type { MessageMeta } from '../../../../projections/message.ts';
import { deliveryWords, NOT_FORWARDED, outsideLine } from '../reading/delivery-view.ts';
import { listed, type Names, type Told } from './arrival.ts';

export function happeningTold(happening: Happening, names: Names): Told {
  const { what, until } = happening;
  switch (what) {
    case 'sent':
      return { icon: 'sent', words: 'You wrote and sent it', by: 'by you', notes: [] };
    case 'scheduled':
      return { icon: 'pen', words: 'You wrote it, to be sent at', ...endOf(until), by: 'by you', notes: [] };
    case 'released':
      return { icon: 'sent', words: 'Sent', by: 'when its time came', notes: [] };
    case 'delivered': {
      const { words, failed } = deliveryWords(happening.code ?? 'delivered');
      const to = happening.to ?? '';
      return failed
        ? { icon: 'spam', words: `Could not be delivered to ${to}`, by: '', notes: [`${capital(words)}.`] }
        : { icon: 'opened', words: `Delivered to ${to}`, by: '', notes: [] };
    }
    case 'unsubscribed':
      return {
        icon: 'close',
        words: 'You asked to leave its mailing list',
        by: 'by you',
        notes: happening.outcome ? [happening.outcome] : [],
      };
    case 'changed':
      return changeTold(happening, names);
  }
}

/** How its deliveries to other systems stand now. */
export function outsideNotes({ delivery = {}, outside = [], notForwarded }: MessageMeta): string[] {
  const earlier = Object.entries(delivery).flatMap(([to, state]) => (state === 'queued' ? [to] : []));
  return [
    ...(earlier.length === 0 ? [] : [`For ${listed(earlier)}: ${deliveryWords('queued').words}.`]),
    ...(notForwarded === undefined ? [] : [NOT_FORWARDED[notForwarded]]),
    ...outside.map((one) => {
      const { name, words, rest } = outsideLine(one);
      return `${OUTSIDE[one.origin]} ${name}: ${words}${rest === '' ? '' : ` (${rest})`}.`;
    }),
  ];
}

const OUTSIDE = {
  sent: 'To',
  forward: 'Forwarded by a rule of yours to',
  answer: 'Your out-of-office reply to',
} as const;

function changeTold(happening: Happening, names: Names): Told {
  const { how, read, starred } = happening;
  const moved = moveTold(happening, names);
  const marks = [
    ...(starred === undefined ? [] : [starred ? 'starred' : 'its star removed']),
    ...(read === undefined ? [] : [read ? 'read' : 'marked as unread']),
  ];
  // A time ends the sentence.
  const words = listed([...marks, ...(moved === undefined ? [] : [moved.words])]) || 'changed';
  return {
    icon: moved?.icon ?? (starred === undefined ? (read === true ? 'opened' : 'unread') : 'star'),
    words: `${how === 'undo' ? 'Undone: ' : ''}${how === 'undo' ? words : capital(words)}`,
    ...endOf(moved?.until),
    by: BY[how],
    notes: [],
  };
}

const BY: Readonly<Record<Happening['how'], string>> = {
  hand: 'by you',
  bulk: 'by you, with many others at once',
  undo: 'by you',
  time: 'when its time came',
};

/** Undefined: it stayed where it was. */
function moveTold(
  { from = '', folder = '', until, how }: Happening,
  names: Names,
): { words: string; icon: string; until?: number } | undefined {
  const end = typeof until === 'number' ? { until } : {};
  const snoozed = { words: 'snoozed until', icon: 'snoozed', ...end };
  if (folder === from) return typeof until === 'number' ? snoozed : undefined;
  const to = names.folder(folder);
  if (folder === GONE) return { words: 'deleted for good, which can be undone until', icon: 'trash', ...end };
  if (from === GONE) return { words: `brought back to ${to}`, icon: 'inbox' };
  if (folder === 'snoozed') return snoozed;
  if (from === 'snoozed' && how === 'time') return { words: `came back to ${to}`, icon: 'inbox' };
  const icon = ['inbox', 'archive', 'spam', 'trash', 'sent'].includes(folder) ? folder : 'folder';
  return { words: `moved from ${names.folder(from)} to ${to}`, icon };
}

function endOf(time: number | null | undefined): { ends?: number } {
  return typeof time === 'number' ? { ends: time } : {};
}

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
