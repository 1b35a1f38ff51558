/**
 * A worker reports what came of its tries, up to a hundred of one queue in one entry. What always holds:
 *
 *   a delivery counts, also of a recipient that was cancelled, held or given up meanwhile, and also if the queue has
 *   changed hands since: a server took it, and whoever has the queue now need not send it once more
 *   anything else is heard only from the worker that has the queue
 *   any other outcome counts for a recipient that waits; else it is left out, and reporting it twice is harmless
 *   each account hears of its own items alone; nothing is told to a sender that there is none of
 */
import type { CommandHandler, Content, EventHandler, Reaction, Slices } from '../decider.ts';
import { idFrom } from '../derived-id.ts';
import {
  fieldsOf,
  flag,
  listOf,
  matching,
  namedIds,
  parsed,
  partAtMost,
  partsAre,
  refuse,
  whole,
} from '../fields.ts';
import { accountStream, OUTBOUND_STREAMS } from '../streams.ts';
import {
  claimFault,
  hadQueue,
  LEASE_KEY,
  notAQueue,
  tokenField,
  workerField,
  type Holder,
} from './claims.ts';
import { ENVELOPE_RECIPIENTS_MAX } from './envelope.ts';
import type { AttemptsRecorded, ItemAttempts } from './events.ts';
import {
  itemIdField,
  itemKey,
  itemOf,
  withChanges,
  type ItemSlice,
  type Recipient,
  type RecipientChange,
} from './item.ts';
import { nothing } from './outcomes.ts';
import { checkedSaid, encodeSaid, SAID_BYTES_MAX, type Said } from './said.ts';
import { toldOf } from './told.ts';

export const TRIES_MAX = 100;
export const NOTICES_MAX = 100;
const TRIED_MAX = 1_000_000;
const TIME_MAX = 99_999_999_999_999;
const NOTICE_PARTS = ['message', 'summary', 'words'] as const;
const NOTICE_BESIDE_BYTES_MAX = 256 * 1024;

export type Try = {
  readonly id: string;
  /** The recipient's place in the envelope. */
  readonly to: number;
  readonly outcome: 'delivered' | 'deferred' | 'failed';
  /** Of the server's answer (RFC 5321 §4.2); null: there was none. */
  readonly code: number | null;
  /** Deferred: when it is tried next. */
  readonly retryAt: number | null;
  readonly isDelayTold: boolean;
};
/** `ids`: hashes of the Message-IDs that it names, by which it joins the conversation of what it tells of. */
type Notice = { readonly id: string; readonly part: number; readonly ids: readonly string[] };
export type RecordAttempts = Holder & {
  readonly tries: readonly Try[];
  readonly notices: readonly Notice[];
  /** As many as tries. */
  readonly said: readonly Said[];
};

/** Parts: what servers said of each try (said.ts), then message, summary and words of each notice. */
export const recordAttempts = (messageBytesMax: number): CommandHandler<RecordAttempts> => ({
  parse: (data, content) =>
    parsed((): RecordAttempts => {
      const fields = fieldsOf(data, ['worker', 'token', 'tries', 'notices']);
      const tries = listOf(fields.tries, 'tries', 1, TRIES_MAX, 'tries').map(tryField);
      const notices = listOf(fields.notices ?? [], 'notices', 0, NOTICES_MAX, 'notices').map(noticeField);
      partsAre(content, 'said', ...notices.flatMap(() => NOTICE_PARTS));
      partAtMost(content, 0, 'said', SAID_BYTES_MAX);
      notices.forEach(({ part }, i) => checkNotice(content, part, 1 + 3 * i, messageBytesMax));
      const said = checkedSaid(content.bytes(0));
      if (said.length !== tries.length) {
        refuse('Malformed', `Part 0 must say of each of the ${tries.length} tries what its server said.`, {
          field: 'said',
          limit: tries.length,
        });
      }
      return { worker: workerField(fields.worker), token: tokenField(fields.token), tries, notices, said };
    }),
  reads: ({ tries, notices }) => [LEASE_KEY, ...idsOf([...tries, ...notices]).map(itemKey)],
  decide({ worker, token, tries, notices, said }, slices, { stream, content }) {
    if (!OUTBOUND_STREAMS.includes(stream)) return notAQueue;
    const fault = claimFault(slices, { worker, token });
    const isReplaced = fault !== undefined;
    if (isReplaced && !hadQueue(slices, token)) return fault;
    const heard = isReplaced ? tries.map((one) => (one.outcome === 'delivered' ? one : undefined)) : tries;
    const items: ItemAttempts[] = [];
    const parts: Uint8Array[] = [];
    for (const id of idsOf(tries)) {
      const item = itemOf(slices, id);
      const made = item && changesOf(item, id, heard, said);
      if (item === undefined || made === undefined || made.changes.length === 0) continue;
      const { account, origin, messageId } = item;
      const part = content.count + parts.length;
      items.push({ id, account, origin, messageId, changes: made.changes, part });
      parts.push(encodeSaid(made.said));
    }
    if (items.length === 0) return fault ?? nothing;
    const told = (isReplaced ? [] : notices).flatMap(({ id, part, ids }) => {
      const account = items.some((item) => item.id === id) ? bounceTo(slices, id) : undefined;
      return account === undefined ? [] : [{ account, part, ...(ids.length > 0 && { ids }) }];
    });
    const event: AttemptsRecorded = {
      type: 'outbound.AttemptsRecorded',
      version: 1,
      data: { worker, token, items, notices: told },
    };
    return { events: [event], parts };
  },
});

export const attemptsRecorded: EventHandler = {
  touches: (event) => (event as AttemptsRecorded).data.items.map(({ id }) => itemKey(id)),
  evolve(key, slice, event) {
    const item = (event as AttemptsRecorded).data.items.find(({ id }) => itemKey(id) === key);
    return withChanges(slice, item?.changes ?? []);
  },
  reactions(event, _stream, content) {
    const { items, notices } = (event as AttemptsRecorded).data;
    const bounces = notices.map(({ account, part, ids = [] }): Reaction => {
      const messageId = idFrom(content.digest(part));
      return {
        stream: accountStream(account),
        command: 'mail.ReceiveMessage',
        data: { messageId, via: 'local', ids, nullSender: true },
        parts: [part, part + 1, part + 2],
      };
    });
    return [...items.map((item) => toldOf(item, item.changes, [item.part])), ...bounces];
  },
};

/** Of an item's tries those that count, and what was said of them; undefined: one that is not heard. */
function changesOf(
  item: ItemSlice,
  itemId: string,
  tries: readonly (Try | undefined)[],
  said: readonly Said[],
): { readonly changes: RecipientChange[]; readonly said: Said[] } {
  const recipients: Recipient[] = [...item.recipients];
  const made = { changes: [] as RecipientChange[], said: [] as Said[] };
  tries.forEach((tried, i) => {
    const before = tried?.id === itemId ? recipients[tried.to] : undefined;
    if (tried === undefined || before === undefined || !counts(tried, before)) return;
    const after = tried.outcome === 'deferred' ? putOff(before, tried) : over(before, tried.outcome);
    recipients[tried.to] = after;
    made.changes.push({ ...after, to: tried.to, before: before.state, code: tried.code });
    made.said.push(said[i]!);
  });
  return made;
}

function counts({ outcome }: Try, { state }: Recipient): boolean {
  return outcome === 'delivered' ? state !== 'delivered' : state === 'waiting';
}

function putOff({ tries, isDelayTold }: Recipient, tried: Try): Recipient {
  const isTold = isDelayTold === true || tried.isDelayTold;
  return {
    state: 'waiting',
    tries: tries + 1,
    retryAt: tried.retryAt,
    ...(isTold && { isDelayTold: true as const }),
  };
}

function over({ tries, isDelayTold }: Recipient, state: 'delivered' | 'failed'): Recipient {
  return { state, tries: tries + 1, retryAt: null, ...(isDelayTold && { isDelayTold }) };
}

function bounceTo(slices: Slices, itemId: string): string | undefined {
  const item = itemOf(slices, itemId);
  return item?.bounces === true ? item.account : undefined;
}

function tryField(value: unknown): Try {
  const fields = fieldsOf(value, ['id', 'to', 'outcome', 'code', 'retryAt', 'isDelayTold']);
  const rule = '"delivered", "deferred" or "failed"';
  const outcome = matching(fields.outcome, 'outcome', /^(delivered|deferred|failed)$/, rule);
  const { code, retryAt, isDelayTold } = fields;
  return {
    id: itemIdField(fields.id),
    to: whole(fields.to, 'to', 0, ENVELOPE_RECIPIENTS_MAX - 1),
    outcome: outcome as Try['outcome'],
    code: code === null ? null : whole(code, 'code', 200, 599),
    retryAt: outcome === 'deferred' ? whole(retryAt, 'retryAt', 0, TIME_MAX) : null,
    isDelayTold: isDelayTold !== undefined && flag(isDelayTold, 'isDelayTold'),
  };
}

function noticeField(value: unknown): Notice {
  const { id, part, ids } = fieldsOf(value, ['id', 'part', 'ids']);
  return { id: itemIdField(id), part: whole(part, 'part', 1, TRIED_MAX), ids: namedIds(ids) };
}

function checkNotice(content: Content, part: number, expected: number, messageBytesMax: number): void {
  if (part !== expected) {
    refuse('Malformed', `The notices’ parts must stand in their order: expected ${expected}.`, {
      field: 'notices',
      limit: expected,
    });
  }
  partAtMost(content, part, 'message', messageBytesMax);
  partAtMost(content, part + 1, 'summary', NOTICE_BESIDE_BYTES_MAX);
  partAtMost(content, part + 2, 'words', NOTICE_BESIDE_BYTES_MAX);
}

function idsOf(named: readonly { readonly id: string }[]): string[] {
  return [...new Set(named.map(({ id }) => id))];
}
