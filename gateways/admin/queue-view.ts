/** What waits for other systems, in words for an operator. What servers said is shown as text, and cut in lists. */
import type { Origin } from '../../domain/outbound/item.ts';
import { isOver } from '../../domain/outbound/item.ts';
import type { QueuedItem, QueuedRecipient } from '../../projections/outbound.ts';
import { counted } from '../pages/wording.ts';
import type { Count, QueueLeaseRead, QueuesRead } from './queue-reading.ts';

const RECIPIENTS_LISTED_MAX = 5;
const ANSWER_LISTED_CHARACTERS = 200;
/** A worker takes up what is due within seconds: later than this, none does. */
const OVERDUE_MS = 2 * 60_000;

const ORIGIN_WORDS: Readonly<Record<Origin, string>> = {
  sent: 'Sent by',
  forward: 'Forwarded by a rule of',
  answer: 'Out-of-office reply of',
};

/** In a list: the recipients that are not done first, and not all of many. */
export function listedItem(item: QueuedItem) {
  const open = item.recipients.filter(({ state }) => !isOver(state));
  const done = item.recipients.filter(({ state }) => isOver(state));
  const listed = [...open, ...done].slice(0, RECIPIENTS_LISTED_MAX);
  const recipients = listed.map((one) => recipientView(one, ANSWER_LISTED_CHARACTERS));
  return { ...itemView(item), recipients, others: item.recipients.length - listed.length || undefined };
}

/** On its own page: all of them, in the envelope's order, with all that was said. */
export function wholeItem(item: QueuedItem) {
  return { ...itemView(item), recipients: item.recipients.map((one) => recipientView(one, Infinity)) };
}

function itemView({ id, account, origin, queuedAt, size, from, recipients }: QueuedItem) {
  const open = recipients.filter(({ state }) => !isOver(state));
  return {
    id,
    account,
    origin: ORIGIN_WORDS[origin],
    queuedAt,
    bytes: size,
    from,
    /** As the page says "3 recipients". */
    open: counted(open.length, 'recipient'),
    canTry: open.some(({ state }) => state === 'waiting'),
    canRelease: open.some(({ state }) => state === 'held'),
  };
}

function recipientView(recipient: QueuedRecipient, answerCharactersMax: number) {
  const { to, state, tries, retryAt } = recipient;
  const answer = answerOf(recipient);
  const isTriedAgain = state === 'waiting' && tries > 0;
  return {
    to,
    state: isTriedAgain ? 'will retry' : state,
    looks: isTriedAgain ? 'retried' : state,
    tries: tries === 0 ? 'not tried yet' : counted(tries, 'try', 'tries'),
    nextAt: state === 'waiting' && tries > 0 ? retryAt : null,
    answer: answer.length > answerCharactersMax ? `${answer.slice(0, answerCharactersMax)}…` : answer,
  };
}

/** "mx.far.example: 451 4.7.1 Try later"; '' if nobody has said anything yet. */
function answerOf({ host, code, text }: QueuedRecipient): string {
  const said = code === null || text.startsWith(String(code)) ? text : `${code} ${text}`.trim();
  return [host, said].filter((piece) => piece !== '').join(': ');
}

export function countInWords({ atLeast, isMore }: Count): string {
  return `${atLeast.toLocaleString('en')}${isMore ? '+' : ''}`;
}

/** Who works on which queues just now, by name; the queues as their digits. */
export function workersOf(leases: readonly QueueLeaseRead[], now: number) {
  const byWorker = new Map<string, { queues: string[]; until: number }>();
  for (const { queue, lease } of leases) {
    if (lease === undefined || lease.worker === null || lease.until <= now) continue;
    const known = byWorker.get(lease.worker) ?? { queues: [], until: lease.until };
    byWorker.set(lease.worker, {
      queues: [...known.queues, digitOf(queue)],
      until: Math.min(known.until, lease.until),
    });
  }
  return [...byWorker]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([worker, { queues, until }]) => ({
      worker,
      count: counted(queues.length, 'queue'),
      queues: queues.join(' '),
      until,
    }));
}

/** Mail that is due and that nobody takes. Undefined: there is none. */
export function overdueOf({ firstDue, leases }: QueuesRead, now: number) {
  const working = new Set(
    leases.flatMap(({ queue, lease }) =>
      lease !== undefined && lease.worker !== null && lease.until > now ? [queue] : [],
    ),
  );
  const late = firstDue.filter(({ queue, at }) => at < now - OVERDUE_MS && !working.has(queue));
  if (late.length === 0) return undefined;
  return { queues: counted(late.length, 'queue'), since: Math.min(...late.map(({ at }) => at)) };
}

export function digitOf(queue: string): string {
  return queue.slice(queue.lastIndexOf('/') + 1);
}
