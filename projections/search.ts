/**
 * The search index: which words stand in which messages, and where those lie. A projection like any other,
 * rebuilt from the log. What always holds:
 *
 *   every message with a number is found by each of its words, from the entry on that brought it
 *   applying one entry costs a bounded number of cells: a message is a block of its own until its segment of
 *     256 is full; then the words of all of them become one block for each partition
 *   what is deleted for good leaves no word behind
 */
import type { Content, DomainEvent, Time } from '../domain/decider.ts';
import { threadOfArrival } from '../domain/mail/arrival.ts';
import { asToday, EARLIER_TYPES, type EarlierEvent } from '../domain/mail/earlier-events.ts';
import type {
  MemberChange,
  MessageReceived,
  MessageReleased,
  MessagesChanged,
  MessageScheduled,
  MessagesDeleted,
  MessageSent,
  SendingCancelled,
} from '../domain/mail/events.ts';
import { decodeSummary } from '../domain/mail/message/summary.ts';
import { decodeWords } from '../domain/mail/message/words.ts';
import { cellFormat, natural, record, text } from './cell-format.ts';
import { DOC, folderHash, newStates, stateAt, withState, type DocState } from './doc-states.ts';
import { docCell, docStatesCell, freshWordsCell, wordBlockCell, wordsCell } from './keys.ts';
import type { CellKey, EntryFacts, Mutation, PriorCells, Projection } from './projection.ts';
import {
  addBlock,
  byPartition,
  encodeBlock,
  PARTITIONS,
  postingsOf,
  SEGMENT_DOCS,
  withoutDoc,
  type Postings,
} from './word-blocks.ts';

/** Which message a number stands for. */
export type IndexedMessage = { readonly id: string; readonly thread: string; readonly at: number };

const indexed = cellFormat<IndexedMessage>(
  'an indexed message',
  record({ id: text, thread: text, at: natural }),
);

/** Throws on bytes that this projection cannot have written. */
export const readIndexedMessage = (bytes: Uint8Array): IndexedMessage => indexed.read(bytes);

type Arriving = MessageReceived | MessageSent | MessageScheduled;
type Heard = Arriving | MessageReleased | SendingCancelled | MessagesChanged | MessagesDeleted;
const types: readonly (Heard['type'] | EarlierEvent['type'])[] = [
  'mail.MessageReceived',
  'mail.MessageSent',
  'mail.MessageScheduled',
  'mail.MessageReleased',
  'mail.SendingCancelled',
  'mail.MessagesChanged',
  'mail.MessagesDeleted',
  ...EARLIER_TYPES,
];

export const searchProjection: Projection = {
  name: 'search',
  listensTo: new Set(types),

  priors(given: DomainEvent, entry): CellKey[] {
    const event = heard(given);
    const owner = entry.stream;
    switch (event.type) {
      case 'mail.MessageReceived':
      case 'mail.MessageSent':
      case 'mail.MessageScheduled':
        return event.data.doc === undefined ? [] : arrivalPriors(owner, event.data.doc);
      case 'mail.MessageReleased':
        return statePriors(owner, [event.data.doc]);
      case 'mail.MessagesChanged':
        return statePriors(owner, docsOf(event.data.members));
      case 'mail.SendingCancelled':
        return removalPriors(owner, [event.data.doc]);
      case 'mail.MessagesDeleted':
        return removalPriors(owner, docsOf(event.data.members));
    }
  },

  project(given: DomainEvent, entry, content, prior): Mutation[] {
    const event = heard(given);
    const states = new States(entry.stream, prior);
    switch (event.type) {
      case 'mail.MessageReceived':
      case 'mail.MessageSent':
      case 'mail.MessageScheduled':
        return arrived(event, entry, content, prior, states);
      case 'mail.MessageReleased':
        states.change(event.data.doc, (state) => ({ ...state, folder: folderHash('sent') }));
        return states.mutations();
      case 'mail.MessagesChanged':
        for (const member of event.data.members) states.change(member.doc, (state) => marked(state, member));
        return states.mutations();
      case 'mail.SendingCancelled':
        return removed([event.data.doc], entry.stream, prior, states, [event.data.messageId]);
      case 'mail.MessagesDeleted': {
        const { members } = event.data;
        return removed(
          docsOf(members),
          entry.stream,
          prior,
          states,
          members.map(({ id }) => id),
        );
      }
    }
  },
};

function heard(event: DomainEvent): Heard {
  return asToday<DomainEvent>(event) as Heard;
}

function docsOf(members: readonly { readonly doc: number | null }[]): (number | null)[] {
  return members.map(({ doc }) => doc);
}

const segmentOf = (doc: number): number => Math.floor(doc / SEGMENT_DOCS);
const isLastOfSegment = (doc: number): boolean => doc % SEGMENT_DOCS === SEGMENT_DOCS - 1;

function arrivalPriors(owner: string, doc: number): CellKey[] {
  const states = docStatesCell(owner, segmentOf(doc));
  if (!isLastOfSegment(doc)) return [states];
  const first = doc - SEGMENT_DOCS + 1;
  return [states, ...Array.from({ length: SEGMENT_DOCS - 1 }, (_, i) => freshWordsCell(owner, first + i))];
}

function statePriors(owner: string, docs: readonly (number | null)[]): CellKey[] {
  const segments = new Set(docs.flatMap((doc) => (doc === null ? [] : [segmentOf(doc)])));
  return [...segments].map((segment) => docStatesCell(owner, segment));
}

function removalPriors(owner: string, docs: readonly (number | null)[]): CellKey[] {
  const known = docs.filter((doc) => doc !== null);
  const segments = [...new Set(known.map(segmentOf))];
  return [
    ...statePriors(owner, docs),
    ...known.map((doc) => freshWordsCell(owner, doc)),
    ...segments.flatMap((segment) =>
      Array.from({ length: PARTITIONS }, (_, partition) => wordBlockCell(owner, partition, segment)),
    ),
  ];
}

function arrived(
  event: Arriving,
  entry: EntryFacts,
  content: Content,
  prior: PriorCells,
  states: States,
): Mutation[] {
  const { messageId: id, doc } = event.data;
  if (doc === undefined) return [];
  const owner = entry.stream;
  const part = event.type === 'mail.MessageReceived' ? 2 : 3;
  states.add(doc, entry.time, stateOf(event, content));
  const postings = postingsOf(decodeWords(content.bytes(part)), doc);
  const message = { id, thread: threadOfArrival(event.data), at: datedOf(event) ?? entry.time };
  return [
    { put: docCell(owner, doc), value: { bytes: indexed.write(message) } },
    { put: wordsCell(owner, id), value: { part } },
    ...states.mutations(),
    ...(isLastOfSegment(doc) ? merged(owner, doc, postings, prior) : [fresh(owner, doc, postings)]),
  ];
}

function stateOf(event: Arriving, content: Content): DocState {
  const attachments = decodeSummary(content.bytes(1)).attachments.length > 0 ? DOC.attachment : 0;
  switch (event.type) {
    case 'mail.MessageReceived': {
      const { folder, read, starred } = event.data;
      const marks = (read === true ? DOC.read : 0) | (starred === true ? DOC.starred : 0);
      const dated = datedOf(event) === undefined ? 0 : DOC.dated;
      return { flags: DOC.present | attachments | marks | dated, folder: folderHash(folder) };
    }
    case 'mail.MessageSent':
      return { flags: DOC.present | DOC.read | attachments, folder: folderHash('sent') };
    case 'mail.MessageScheduled':
      return { flags: DOC.present | DOC.read | attachments, folder: folderHash('outbox') };
  }
}

function datedOf(event: Arriving): Time | undefined {
  return event.type === 'mail.MessageReceived' ? event.data.dated : undefined;
}

function marked({ flags, folder }: DocState, { to }: MemberChange): DocState {
  const set = (bit: number, on: boolean | undefined) => (on === undefined ? flags & bit : on ? bit : 0);
  const others = flags & ~(DOC.read | DOC.starred);
  return {
    flags: others | set(DOC.read, to.read) | set(DOC.starred, to.starred),
    folder: to.folder === undefined ? folder : folderHash(to.folder),
  };
}

function fresh(owner: string, doc: number, postings: Postings): Mutation {
  return { put: freshWordsCell(owner, doc), value: { bytes: encodeBlock(postings) } };
}

/** The segment is full: its messages' own blocks become one for each partition. */
function merged(owner: string, last: number, postings: Postings, prior: PriorCells): Mutation[] {
  const mutations: Mutation[] = [];
  for (let doc = last - SEGMENT_DOCS + 1; doc < last; doc++) {
    const cell = freshWordsCell(owner, doc);
    const block = prior(cell);
    if (block === undefined) continue;
    addBlock(postings, block);
    mutations.push({ delete: cell });
  }
  for (const [partition, part] of byPartition(postings)) {
    const cell = wordBlockCell(owner, partition, segmentOf(last));
    mutations.push({ put: cell, value: { bytes: encodeBlock(part) } });
  }
  return mutations;
}

function removed(
  docs: readonly (number | null)[],
  owner: string,
  prior: PriorCells,
  states: States,
  ids: readonly string[],
): Mutation[] {
  const mutations: Mutation[] = ids.map((id) => ({ delete: wordsCell(owner, id) }));
  const known = docs.filter((doc) => doc !== null);
  const blocks = new Map<string, { cell: CellKey; before: Uint8Array; block: Uint8Array | undefined }>();
  for (const doc of known) {
    states.change(doc, () => ({ flags: 0, folder: 0 }));
    mutations.push({ delete: docCell(owner, doc) });
    const own = freshWordsCell(owner, doc);
    if (prior(own) !== undefined) {
      mutations.push({ delete: own });
      continue;
    }
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const cell = wordBlockCell(owner, partition, segmentOf(doc));
      const name = `${cell.row}\0${cell.column}`;
      const before = prior(cell);
      if (before === undefined) continue;
      const block = blocks.has(name) ? blocks.get(name)!.block : before;
      blocks.set(name, { cell, before, block: block && withoutDoc(block, doc) });
    }
  }
  for (const { cell, before, block } of blocks.values()) {
    if (block === undefined) mutations.push({ delete: cell });
    else if (block !== before) mutations.push({ put: cell, value: { bytes: block } });
  }
  return [...mutations, ...states.mutations()];
}

/** The state cells that an event changes. */
class States {
  readonly #owner: string;
  readonly #prior: PriorCells;
  readonly #cells = new Map<number, Uint8Array>();

  constructor(owner: string, prior: PriorCells) {
    this.#owner = owner;
    this.#prior = prior;
  }

  add(doc: number, at: number, state: DocState): void {
    const segment = segmentOf(doc);
    const cell = this.#prior(docStatesCell(this.#owner, segment)) ?? newStates(at);
    this.#cells.set(segment, withState(cell, doc, state));
  }

  /** A message without a number, or that is gone, has none. */
  change(doc: number | null, change: (before: DocState) => DocState): void {
    if (doc === null) return;
    const segment = segmentOf(doc);
    const cell = this.#cells.get(segment) ?? this.#prior(docStatesCell(this.#owner, segment));
    if (cell === undefined || (stateAt(cell, doc).flags & DOC.present) === 0) return;
    this.#cells.set(segment, withState(cell, doc, change(stateAt(cell, doc))));
  }

  mutations(): Mutation[] {
    return [...this.#cells].map(([segment, bytes]) => ({
      put: docStatesCell(this.#owner, segment),
      value: { bytes },
    }));
  }
}
