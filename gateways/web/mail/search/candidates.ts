/**
 * Which messages a query may mean, newest first, out of the blocks of the search index: a bit for each message
 * of a segment, and-ed over the clauses. Exact for single words and marks; what only the words in their order
 * or the folder's name can tell is for whoever looks at the messages themselves.
 */
import type { Clause, WordTerm } from '../../../../domain/mail/message/query.ts';
import { WORD_FIELDS } from '../../../../domain/mail/message/words.ts';
import { DOC, firstAt, folderHash, stateAt } from '../../../../projections/doc-states.ts';
import { fieldBit, lookUp, SEGMENT_DOCS } from '../../../../projections/word-blocks.ts';
import type { SearchQuery } from './query.ts';

/** The cells of one segment. */
export type Segment = {
  readonly number: number;
  readonly states: Uint8Array;
  /** By partition; of a segment that is not full, the messages' own blocks instead. */
  readonly blocks: ReadonlyMap<number, Uint8Array> | { readonly fresh: readonly Uint8Array[] };
};

const ALL_FIELDS = WORD_FIELDS.reduce((bits, field) => bits | fieldBit(field), 0);

export type Plan = {
  readonly query: SearchQuery;
  readonly terms: readonly PlannedTerm[];
};
type PlannedTerm = {
  readonly clause: number;
  readonly word: Uint8Array;
  readonly prefix: boolean;
  readonly fields: number;
  readonly partition: number;
};

/** `partitionOf`: where a word's blocks are. */
export function planFor(query: SearchQuery, partitionOf: (word: string) => number): Plan {
  const terms = query.clauses.flatMap((clause, i) =>
    // Words one behind another that must not be there: only the words in their order can tell.
    clause.not === true && clause.terms.length > 1
      ? []
      : clause.terms.map((term) => planned(term, clause, i, partitionOf)),
  );
  return { query, terms };
}

function planned(
  { text, prefix }: WordTerm,
  { field }: Clause,
  clause: number,
  partitionOf: (word: string) => number,
): PlannedTerm {
  return {
    clause,
    word: new TextEncoder().encode(text),
    prefix,
    fields: field === undefined ? ALL_FIELDS : fieldBit(field),
    partition: partitionOf(text),
  };
}

/** Numbers of messages of this segment, the highest first. `nextFirstAt`: when the next segment began. */
export function candidates(plan: Plan, segment: Segment, nextFirstAt: number | undefined): number[] {
  const { query } = plan;
  const isBeforeAll = query.after !== undefined && nextFirstAt !== undefined && nextFirstAt < query.after;
  const isAfterAll =
    query.before !== undefined && firstAt(segment.states) >= query.before && !holdsDated(segment.states);
  if (isBeforeAll || isAfterAll) return [];
  const left = markedDocs(query, segment.states);
  for (const term of plan.terms) {
    const isNot = query.clauses[term.clause]?.not === true;
    const hits = new Uint8Array(SEGMENT_DOCS);
    for (const block of blocksFor(term, segment)) lookUp(block, term.word, term, (doc) => (hits[doc] = 1));
    for (let doc = 0; doc < SEGMENT_DOCS; doc++) if ((hits[doc] === 1) === isNot) left[doc] = 0;
  }
  const found: number[] = [];
  for (let doc = SEGMENT_DOCS - 1; doc >= 0; doc--) {
    if (left[doc] === 1) found.push(segment.number * SEGMENT_DOCS + doc);
  }
  return found;
}

/** Imported mail is older than the segment that it came into. */
function holdsDated(states: Uint8Array): boolean {
  for (let doc = 0; doc < SEGMENT_DOCS; doc++)
    if ((stateAt(states, doc).flags & DOC.dated) !== 0) return true;
  return false;
}

function blocksFor({ partition }: PlannedTerm, { blocks }: Segment): readonly Uint8Array[] {
  if ('fresh' in blocks) return blocks.fresh;
  const block = blocks.get(partition);
  return block === undefined ? [] : [block];
}

const TRASH = folderHash('trash');
const SPAM = folderHash('spam');
const GONE_HASH = folderHash('gone');

/** 1 for each message that lies where it should and is marked as it should be. */
function markedDocs(query: SearchQuery, states: Uint8Array): Uint8Array {
  const place = query.in === undefined || query.in === 'anywhere' ? undefined : folderHash(query.in);
  const docs = new Uint8Array(SEGMENT_DOCS);
  for (let doc = 0; doc < SEGMENT_DOCS; doc++) {
    const { flags, folder } = stateAt(states, doc);
    if ((flags & DOC.present) === 0 || folder === GONE_HASH) continue;
    if (
      place === undefined ? query.in === undefined && (folder === TRASH || folder === SPAM) : folder !== place
    ) {
      continue;
    }
    if (query.unread !== undefined && query.unread !== ((flags & DOC.read) === 0)) continue;
    if (query.starred === true && (flags & DOC.starred) === 0) continue;
    if (query.attachment === true && (flags & DOC.attachment) === 0) continue;
    docs[doc] = 1;
  }
  return docs;
}
