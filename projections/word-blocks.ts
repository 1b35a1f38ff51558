/**
 * The blocks of the search index: which words stand in which messages, and in which fields of them. A block
 * holds the words of one partition for the messages of one segment; a message that is not in a segment yet has
 * a block of its own.
 *
 *   message   number (`doc`), counted up from 0 in the order of arrival
 *   segment   256 messages: doc >> 8
 *   partition 256 of them: by a hash of how the word begins, so that all words with one beginning lie together
 *
 *   block = entries in order of the words' UTF-16 units:
 *           u8 length of the word in bytes | the word, UTF-8 | u8 count - 1 | count times: u8 doc & 255, u8 fields
 */
import { WORD_FIELDS, type Words } from '../domain/mail/message/words.ts';

export const SEGMENT_DOCS = 256;
export const PARTITIONS = 256;
/** Different words of one message that are found; the ones that stand first. */
const TERMS_MAX = 3000;

export type Posting = { readonly doc: number; readonly fields: number };
/** By word. `doc`: within its segment. */
export type Postings = Map<string, Posting[]>;

/** Bit i of `fields` stands for WORD_FIELDS[i]. */
export function fieldBit(field: (typeof WORD_FIELDS)[number]): number {
  return 1 << WORD_FIELDS.indexOf(field);
}

/** The different words of a message. */
export function postingsOf(words: Words, doc: number): Postings {
  const fieldsOf = new Map<string, number>();
  for (const field of WORD_FIELDS) {
    for (const word of words[field]) {
      const known = fieldsOf.get(word);
      if (known === undefined && fieldsOf.size >= TERMS_MAX) continue;
      fieldsOf.set(word, (known ?? 0) | fieldBit(field));
    }
  }
  return new Map([...fieldsOf].map(([word, fields]) => [word, [{ doc: doc % SEGMENT_DOCS, fields }]]));
}

/**
 * Words that begin the same lie in one partition: the first two letters decide, of scripts that write without
 * spaces the first one.
 */
export function partitionOf(word: string): number {
  const first = word.codePointAt(0) ?? 0;
  const second = first >= 0x2e80 ? 0 : (word.codePointAt(first > 0xffff ? 2 : 1) ?? 0);
  let hash = 0x811c9dc5;
  for (const unit of [first & 0xffff, first >>> 16, second & 0xffff]) {
    hash = Math.imul(hash ^ unit, 0x01000193) >>> 0;
  }
  return (hash ^ (hash >>> 8) ^ (hash >>> 16) ^ (hash >>> 24)) & 0xff;
}

/** How many letters a beginning must have for all its words to lie in one partition. */
export function prefixLettersMin(text: string): number {
  return (text.codePointAt(0) ?? 0) >= 0x2e80 ? 1 : 2;
}

/** Adds what a block holds. Throws on bytes that `encodeBlock` cannot have written. */
export function addBlock(postings: Postings, block: Uint8Array): void {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  walk(block, (at, length, postingsAt, count) => {
    const word = decoder.decode(block.subarray(at, at + length));
    let list = postings.get(word);
    if (list === undefined) postings.set(word, (list = []));
    for (let i = 0; i < count; i++) {
      list.push({ doc: block[postingsAt + 2 * i]!, fields: block[postingsAt + 2 * i + 1]! });
    }
  });
}

export function encodeBlock(postings: Postings): Uint8Array {
  const words = [...postings.keys()].sort();
  let sizeMax = 0;
  for (const [word, list] of postings) sizeMax += 2 + 3 * word.length + 2 * list.length;
  const block = new Uint8Array(sizeMax);
  let at = 0;
  for (const word of words) {
    const end = putWord(block, at + 1, word);
    block[at] = end - at - 1;
    at = end;
    const list = postings.get(word)!;
    if (list.length > 1) list.sort((a, b) => a.doc - b.doc);
    block[at++] = list.length - 1;
    for (const { doc, fields } of list) {
      block[at++] = doc;
      block[at++] = fields;
    }
  }
  return block.slice(0, at);
}

const ENCODER = new TextEncoder();

/** Most words are ASCII, which needs no encoder. Returns where they end. */
function putWord(block: Uint8Array, from: number, word: string): number {
  for (let i = 0; i < word.length; i++) {
    const unit = word.charCodeAt(i);
    if (unit >= 0x80) return from + ENCODER.encodeInto(word, block.subarray(from)).written;
    block[from + i] = unit;
  }
  return from + word.length;
}

/** The postings by partition; partitions without any are left out. */
export function byPartition(postings: Postings): Map<number, Postings> {
  const parts = new Map<number, Postings>();
  for (const [word, list] of postings) {
    const partition = partitionOf(word);
    let part = parts.get(partition);
    if (part === undefined) parts.set(partition, (part = new Map()));
    part.set(word, list);
  }
  return parts;
}

/** Without the message: undefined if nothing is left, the block itself if it was not in it. */
export function withoutDoc(block: Uint8Array, doc: number): Uint8Array | undefined {
  const postings: Postings = new Map();
  addBlock(postings, block);
  let found = false;
  for (const [word, list] of postings) {
    const rest = list.filter((posting) => posting.doc !== doc % SEGMENT_DOCS);
    if (rest.length === list.length) continue;
    found = true;
    if (rest.length === 0) postings.delete(word);
    else postings.set(word, rest);
  }
  if (!found) return block;
  return postings.size === 0 ? undefined : encodeBlock(postings);
}

/** Calls `found` with the doc (within its segment) of each message that has the word in one of the fields. */
export function lookUp(
  block: Uint8Array,
  word: Uint8Array,
  options: { readonly prefix: boolean; readonly fields: number },
  found: (doc: number) => void,
): void {
  walk(block, (at, length, postingsAt, count) => {
    if (length < word.length || (length > word.length && !options.prefix)) return;
    for (let i = 0; i < word.length; i++) if (block[at + i] !== word[i]) return;
    for (let i = 0; i < count; i++) {
      if ((block[postingsAt + 2 * i + 1]! & options.fields) !== 0) found(block[postingsAt + 2 * i]!);
    }
  });
}

function walk(
  block: Uint8Array,
  entry: (at: number, length: number, postingsAt: number, count: number) => void,
): void {
  let at = 0;
  while (at < block.length) {
    const length = block[at]!;
    const countAt = at + 1 + length;
    const count = (block[countAt] ?? NaN) + 1;
    const next = countAt + 1 + 2 * count;
    if (!(next <= block.length)) {
      throw new Error('a block of the search index is cut off: its projection cannot have written it');
    }
    entry(at + 1, length, countAt + 1, count);
    at = next;
  }
}
