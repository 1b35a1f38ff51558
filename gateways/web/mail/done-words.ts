/**
 * What was done, as the page that a form leads to says it: `?done=archived&n=3&undo=t-05:1234`. The address is
 * only a hint for words; what `undo` names is checked when it is asked for.
 */
import type { Accepted } from '../../../storage-nodes/client/client.ts';
import { counted } from '../../pages/wording.ts';
import { entryOf } from './actions.ts';

const WORDS: Readonly<Record<string, (n: number) => string>> = {
  sent: () => 'Your message is sent.',
  scheduled: () => 'Your message will be sent at its time. Until then it is in the outbox.',
  onItsWay: () => 'Your message is on its way.',
  back: () => 'Your message was not sent. It is a draft again.',
  draft: () => 'Your draft is kept.',
  discarded: () => 'The draft is discarded.',
  inbox: (n) => `${conversations(n)} moved to the inbox.`,
  archive: (n) => `${conversations(n)} archived.`,
  spam: (n) => `${conversations(n)} moved to spam.`,
  trash: (n) => `${conversations(n)} moved to the trash.`,
  move: (n) => `${conversations(n)} moved.`,
  gone: (n) => `${conversations(n)} deleted for good.`,
  snooze: (n) => `${conversations(n)} snoozed.`,
  read: (n) => `${conversations(n)} marked as read.`,
  unread: (n) => `${conversations(n)} marked as unread.`,
  star: (n) => `${conversations(n)} starred.`,
  unstar: (n) => `${conversations(n)}: star removed.`,
  bulk: (n) => `${conversations(n)}: being changed, page by page.`,
  undone: () => 'Undone.',
  folder: () => 'The folder is made.',
  renamed: () => 'The folder is changed.',
  rules: () => 'Your rules are changed.',
  awayOn: () => 'Your out-of-office reply is saved.',
  awayOff: () => 'Out-of-office replies are off.',
  blocked: () => 'Sender blocked: their mail goes to the trash.',
  contact: () => 'The sender is in your contacts now.',
  known: () => 'The sender is in your contacts already.',
  removed: () => 'The folder is deleted; what lay in it is in the trash.',
};

export function doneWords(query: Readonly<Record<string, unknown>>): {
  done?: string;
  undo?: string;
} {
  const { done, n, undo } = query;
  const words = typeof done === 'string' && Object.hasOwn(WORDS, done) ? WORDS[done] : undefined;
  if (words === undefined) return {};
  const count = typeof n === 'string' && /^\d{1,9}$/.test(n) ? Number(n) : 1;
  return {
    done: words(count),
    ...(typeof undo === 'string' && /^[A-Za-z0-9-]{1,40}:\d{1,15}$/.test(undo) && { undo }),
  };
}

/** What the next page's address says; only of what did change there is something to undo. */
export function saidOf(done: string, accepted: Accepted): string {
  const hasChanged = (accepted.reply as { changed?: boolean } | null | undefined)?.changed === true;
  return new URLSearchParams({ done, ...(hasChanged && { undo: entryOf(accepted) }) }).toString();
}

function conversations(n: number): string {
  return counted(n, 'conversation');
}
