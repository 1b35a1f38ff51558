/** Every field of a message's header, decoded and fit to be shown, in the order in which they stand. */
import { decodeWords } from './encoded-words.ts';
import { readHeaderBlock } from './header-block.ts';
import { oneLine } from './readable-text.ts';

export type HeaderLine = { readonly name: string; readonly value: string };

const VALUE_CHARS_MAX = 4_000;

export function readHeaderLines(raw: Buffer): HeaderLine[] {
  return readHeaderBlock(raw)
    .list()
    .map(({ name, value }) => ({
      name,
      value: oneLine(decodeWords(value.slice(0, 2 * VALUE_CHARS_MAX)), VALUE_CHARS_MAX),
    }));
}
