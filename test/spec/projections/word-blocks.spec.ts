/** The blocks of the search index against plain maps. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addBlock,
  byPartition,
  encodeBlock,
  lookUp,
  partitionOf,
  postingsOf,
  prefixLettersMin,
  withoutDoc,
  type Postings,
} from '../../../projections/word-blocks.ts';
import { NO_WORDS, type Words } from '../../../domain/mail/message/words.ts';

const word = fc.stringMatching(/^[a-cäß日本ก😀]{1,4}$/u);
const words = fc.record<Words>({
  from: fc.array(word, { maxLength: 3 }),
  to: fc.array(word, { maxLength: 3 }),
  subject: fc.array(word, { maxLength: 5 }),
  names: fc.array(word, { maxLength: 2 }),
  body: fc.array(word, { maxLength: 20 }),
});
const segment = fc.array(words, { minLength: 1, maxLength: 12 });

/** One block of all these messages, numbered from 0. */
function blockOf(messages: readonly Words[]): Postings {
  const postings: Postings = new Map();
  for (const [doc, message] of messages.entries()) addBlock(postings, encodeBlock(postingsOf(message, doc)));
  return postings;
}

function found(block: Uint8Array, text: string, prefix = false, fields = 31): number[] {
  const docs = new Set<number>();
  lookUp(block, new TextEncoder().encode(text), { prefix, fields }, (doc) => docs.add(doc));
  return [...docs].sort((a, b) => a - b);
}

const having = (messages: readonly Words[], is: (word: string) => boolean): number[] =>
  messages.flatMap((message, doc) => (Object.values(message).flat().some(is) ? [doc] : []));

describe('a block', () => {
  it('finds each word, and each beginning of one, in exactly the messages that have it', () => {
    fc.assert(
      fc.property(segment, word, (messages, text) => {
        const block = encodeBlock(blockOf(messages));
        expect(found(block, text)).toEqual(having(messages, (one) => one === text));
        expect(found(block, text, true)).toEqual(having(messages, (one) => one.startsWith(text)));
      }),
    );
  });

  it('tells the fields that a word stands in', () => {
    const block = encodeBlock(blockOf([{ ...NO_WORDS, from: ['ann'], body: ['bob'] }]));
    expect([found(block, 'ann', false, 1), found(block, 'ann', false, 16)]).toEqual([[0], []]);
    expect([found(block, 'bob', false, 1), found(block, 'bob', false, 16)]).toEqual([[], [0]]);
  });

  it('is the same bytes in whatever order its messages were added', () => {
    fc.assert(
      fc.property(segment, (messages) => {
        const forth = blockOf(messages);
        const back: Postings = new Map();
        for (const [doc, message] of [...messages.entries()].reverse()) {
          addBlock(back, encodeBlock(postingsOf(message, doc)));
        }
        expect(encodeBlock(back)).toEqual(encodeBlock(forth));
      }),
    );
  });

  it('has no word left of a message that is taken out', () => {
    fc.assert(
      fc.property(segment, fc.nat({ max: 11 }), (messages, doc) => {
        const left = withoutDoc(encodeBlock(blockOf(messages)), doc);
        const expected = blockOf(messages.map((message, i) => (i === doc ? NO_WORDS : message)));
        expect(left ?? new Uint8Array(0)).toEqual(encodeBlock(expected));
      }),
    );
  });

  it('that is cut off is not read', () => {
    const block = encodeBlock(blockOf([{ ...NO_WORDS, body: ['word'] }]));
    expect(() => addBlock(new Map(), block.subarray(0, -1))).toThrow(/cut off/);
  });
});

describe('partitions', () => {
  it('hold all words with one beginning together, and lose none', () => {
    fc.assert(
      fc.property(segment, word, (messages, text) => {
        const all = blockOf(messages);
        const parts = byPartition(all);
        expect([...parts.values()].reduce((sum, part) => sum + part.size, 0)).toBe(all.size);
        if ([...text].length < prefixLettersMin(text)) return;
        for (const one of all.keys())
          if (one.startsWith(text)) expect(partitionOf(one)).toBe(partitionOf(text));
      }),
    );
  });
});
