/**
 * Finding messages: the blocks of the index are read a stretch of segments at a time, newest first; what they
 * leave is looked at until a page is full. A page costs what lies between its first and its last message, and
 * ends after a bounded amount of work, with the place to go on from.
 */
import { holds } from '../../../../domain/mail/message/query.ts';
import { decodeWords } from '../../../../domain/mail/message/words.ts';
import {
  countedDown,
  docCell,
  docStatesRow,
  freshWordsRow,
  parseCountedDown,
  threadCell,
  wordBlocksRow,
  wordsCell,
} from '../../../../projections/keys.ts';
import { firstAt } from '../../../../projections/doc-states.ts';
import {
  readConversation,
  type Conversation,
  type ConversationMessage,
} from '../../../../projections/mailbox-cells.ts';
import { readIndexedMessage, type IndexedMessage } from '../../../../projections/search.ts';
import { partitionOf, SEGMENT_DOCS } from '../../../../projections/word-blocks.ts';
import type { ReadCell, StoreClient } from '../../../../storage-nodes/client/client.ts';
import { rowScan } from '../../../pages/paging.ts';
import { cellOf } from '../../../pages/visit.ts';
import { candidates, planFor, type Plan, type Segment } from './candidates.ts';
import type { SearchQuery } from './query.ts';

export type FoundMessage = {
  readonly doc: number;
  readonly thread: string;
  readonly subject: string;
  readonly message: ConversationMessage;
};
export type FoundPage = {
  readonly messages: readonly FoundMessage[];
  /** The page goes on below this number; undefined: that was all. */
  readonly next: number | undefined;
  /** There may be more, but looking for it took long enough: it is to be asked for. */
  readonly isPartial: boolean;
};

/** 131,072 messages: one read for most mailboxes. */
const SEGMENTS_AT_ONCE = 512;
const LOOKED_AT_ONCE = 50;
/** Messages that are opened for one page. */
const LOOKED_AT_MAX = 2000;

/** `below`: messages with smaller numbers; undefined: all. */
export async function findMessages(
  store: StoreClient,
  owner: string,
  query: SearchQuery,
  { below, size }: { below: number | undefined; size: number },
): Promise<FoundPage> {
  const plan = planFor(query, partitionOf);
  const found: FoundMessage[] = [];
  let lookedAt = 0;
  let from = below === undefined ? undefined : Math.floor((below - 1) / SEGMENT_DOCS);
  if (below === 0) return { messages: [], next: undefined, isPartial: false };
  for (;;) {
    const segments = await readSegments(store, owner, plan, from);
    for (const [i, segment] of segments.entries()) {
      const newer = segments[i - 1];
      const all = candidates(plan, segment, newer && firstAt(newer.states));
      const wanted = all.filter((doc) => below === undefined || doc < below);
      for (let at = 0; at < wanted.length; at += LOOKED_AT_ONCE) {
        const some = wanted.slice(at, at + LOOKED_AT_ONCE);
        found.push(...(await lookAt(store, owner, query, some)));
        lookedAt += some.length;
        if (found.length > size) {
          const messages = found.slice(0, size);
          return { messages, next: messages.at(-1)!.doc, isPartial: false };
        }
        if (lookedAt >= LOOKED_AT_MAX) return { messages: found, next: some.at(-1)!, isPartial: true };
      }
    }
    const last = segments.at(-1);
    if (segments.length < SEGMENTS_AT_ONCE || last === undefined || last.number === 0) break;
    from = last.number - 1;
  }
  return { messages: found, next: undefined, isPartial: false };
}

/** Segments from `from` (undefined: the newest) downwards, with the blocks that the plan asks for. */
async function readSegments(
  store: StoreClient,
  owner: string,
  { terms }: Plan,
  from: number | undefined,
): Promise<Segment[]> {
  const partitions = [...new Set(terms.map(({ partition }) => partition))];
  const range = {
    reverse: false,
    limit: SEGMENTS_AT_ONCE,
    // Exclusive, and so the name in front of it.
    ...(from !== undefined && { after: countedDown(from + 1) }),
  };
  const { results } = await store.read(owner, [
    rowScan(docStatesRow(owner), range),
    rowScan(freshWordsRow(owner), { reverse: false, limit: SEGMENT_DOCS }),
    ...partitions.map((partition) => rowScan(wordBlocksRow(owner, partition), range)),
  ]);
  const [states = [], fresh = [], ...blocks] = results;
  const freshOf = new Map<number, Uint8Array[]>();
  for (const { column, bytes } of fresh) {
    const segment = Math.floor(parseCountedDown(column) / SEGMENT_DOCS);
    if (bytes !== undefined) freshOf.set(segment, [...(freshOf.get(segment) ?? []), bytes]);
  }
  const blocksOf = new Map<number, Map<number, Uint8Array>>();
  for (const [i, cells] of blocks.entries()) {
    for (const { column, bytes } of cells) {
      const segment = parseCountedDown(column);
      const own = blocksOf.get(segment) ?? new Map<number, Uint8Array>();
      if (bytes !== undefined) own.set(partitions[i]!, bytes);
      blocksOf.set(segment, own);
    }
  }
  return states.flatMap(({ column, bytes }) => {
    const number = parseCountedDown(column);
    const own = freshOf.get(number);
    if (bytes === undefined) return [];
    return [{ number, states: bytes, blocks: own ? { fresh: own } : (blocksOf.get(number) ?? new Map()) }];
  });
}

/** The messages themselves: those that are as the query says. */
async function lookAt(
  store: StoreClient,
  owner: string,
  query: SearchQuery,
  docs: readonly number[],
): Promise<FoundMessage[]> {
  const named = await store.read(
    owner,
    docs.map((doc) => ({ get: docCell(owner, doc) })),
  );
  const messages = docs.flatMap((doc, i) => {
    const message = cellOf(named.results[i], readIndexedMessage);
    return message === undefined || !isInTime(query, message) ? [] : [{ doc, ...message }];
  });
  const phrases = query.clauses.filter(({ terms }) => terms.length > 1);
  const { results } = await store.read(owner, [
    ...messages.map(({ thread }) => ({ get: threadCell(owner, thread) })),
    ...(phrases.length === 0 ? [] : messages.map(({ id }) => ({ get: wordsCell(owner, id) }))),
  ]);
  const found = await Promise.all(
    messages.map(async ({ doc, id, thread }, i) => {
      const conversation = cellOf(results[i], readConversation);
      const message = placed(conversation, id, query);
      if (conversation === undefined || message === undefined) return [];
      if (phrases.length > 0) {
        const words = decodeWords(await bytesOf(store, results[messages.length + i]?.[0]));
        if (!phrases.every((clause) => holds(clause, words))) return [];
      }
      return [{ doc, thread, subject: message.subject ?? conversation.subject, message }];
    }),
  );
  return found.flat();
}

function isInTime({ before, after }: SearchQuery, { at }: IndexedMessage): boolean {
  return (before === undefined || at < before) && (after === undefined || at >= after);
}

/** The message as it is now, if it lies where it is looked for: two folders may look the same to the index. */
function placed(
  conversation: Conversation | undefined,
  id: string,
  { in: place }: SearchQuery,
): ConversationMessage | undefined {
  const message = conversation?.messages.find((one) => one.id === id);
  if (message === undefined) return undefined;
  if (place === undefined) return ['trash', 'spam', 'gone'].includes(message.folder) ? undefined : message;
  if (place === 'anywhere') return message.folder === 'gone' ? undefined : message;
  return message.folder === place ? message : undefined;
}

async function bytesOf(store: StoreClient, cell: ReadCell | undefined): Promise<Uint8Array | undefined> {
  return cell === undefined ? undefined : (cell.bytes ?? store.bytes(cell));
}
