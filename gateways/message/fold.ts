/**
 * Words out of text, in the one spelling in which they are compared: without case, accents and compatibility
 * forms. What is written without spaces between words (Chinese, Japanese, Thai and their like) is taken in
 * overlapping pairs of characters, so that any two neighbouring ones are found.
 *
 * The spelling is part of the log: what is changed here holds for messages to come, and makes older ones harder
 * to find until their words are taken anew.
 */
import { WORD_CHARACTERS_MAX } from '../../domain/mail/message/words.ts';

const RUN = /[\p{L}\p{N}\p{M}]+/gu;
const UNSPACED =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]+/u;
/** Splits at them, and keeps them. Made once: making it took most of the time that words take. */
const PIECES = new RegExp(`(${UNSPACED.source})`, 'u');
const MARKS = /[\u0300-\u036f]/g;

/** One spelling for all that reads the same. */
export function folded(text: string): string {
  return text
    .normalize('NFKD')
    .replace(MARKS, '')
    .toUpperCase()
    .toLowerCase()
    .replaceAll('ς', 'σ')
    .normalize('NFC');
}

/** The words in their order, at most `max`. */
export function wordsOf(text: string, max: number): string[] {
  const words: string[] = [];
  for (const [run] of folded(text).matchAll(RUN)) {
    for (const piece of UNSPACED.test(run) ? run.split(PIECES) : [run]) {
      if (piece === '') continue;
      if (UNSPACED.test(piece)) words.push(...pairs(piece));
      else if (piece.length <= WORD_CHARACTERS_MAX) words.push(piece);
      if (words.length >= max) return words.slice(0, max);
    }
  }
  return words;
}

/** "日本語" -> 日本, 本語, 語. */
export function pairs(run: string): string[] {
  const characters = [...run];
  return characters.map((character, i) => character + (characters[i + 1] ?? ''));
}

/** Whether the word is a pair of `pairs`, or one character of such a script. */
export function isUnspaced(word: string): boolean {
  return UNSPACED.test(word);
}
