/**
 * The words of a message, as search and rules look at them: folded to one spelling by the gateway that took the
 * message in, because only there may a Unicode table be asked. They travel as a part of the command and are
 * content like the message itself.
 *
 *   five lines of UTF-8, one for each field in the order of WORD_FIELDS; words in the order of the text, with a
 *   space between them
 *
 * `decodeWords` never throws: what is gone or unreadable has no words.
 */
import { decodeText } from '../../fields.ts';

export const WORD_FIELDS = ['from', 'to', 'subject', 'names', 'body'] as const;
/** `names`: of attachments. `to`: all recipients. */
export type WordField = (typeof WORD_FIELDS)[number];
export type Words = { readonly [Field in WordField]: readonly string[] };

export const NO_WORDS: Words = { from: [], to: [], subject: [], names: [], body: [] };

/** UTF-16 units; longer runs are no words that anybody looks for. */
export const WORD_CHARACTERS_MAX = 48;
/** Of each field; the text behind them is not found by its words. */
const WORDS_MAX: Readonly<Record<WordField, number>> = {
  from: 200,
  to: 2000,
  subject: 500,
  names: 1000,
  body: 12_000,
};

/**
 * Always fits WORDS_BYTES_MAX: of too many words those of the text's end are left out, and only if there is no text
 * left those at the ends of the other fields.
 */
export function encodeWords(words: Words): Uint8Array {
  const max = { ...WORDS_MAX };
  for (;;) {
    const lines = WORD_FIELDS.map((field) =>
      words[field]
        .slice(0, max[field])
        .filter((word) => word.length <= WORD_CHARACTERS_MAX)
        .join(' '),
    );
    const bytes = new TextEncoder().encode(lines.join('\n'));
    if (bytes.length <= ENCODED_MAX) return bytes;
    const shortened = max.body > 0 ? (['body'] as const) : WORD_FIELDS;
    for (const field of shortened) max[field] = Math.min(max[field], words[field].length) >> 1;
  }
}

const ENCODED_MAX = 200 * 1024;

/** `bytes` undefined: the part was erased, or there was none. */
export function decodeWords(bytes: Uint8Array | undefined): Words {
  const text = decodeText(bytes);
  if (text === undefined) return NO_WORDS;
  const lines = text.split('\n');
  const wordsOf = (line: string | undefined) => (line === undefined || line === '' ? [] : line.split(' '));
  const [from, to, subject, names, body] = lines.map(wordsOf);
  return { from: from ?? [], to: to ?? [], subject: subject ?? [], names: names ?? [], body: body ?? [] };
}
