/**
 * What an account has taught of spam: in how many reported and in how many kept messages a word stood. Words are
 * known by hashes of 13 bits alone, so that what is kept is small, and no word can be read from it.
 *
 * A message is judged by Fisher's way of combining probabilities (G. Robinson, "A Statistical Approach to the Spam
 * Problem", 2003): its most telling words speak for spam and against it; where both speak, it is left in the inbox.
 * Counts are halved when one of them gets large, so that what was taught long ago weighs less.
 */
import type { Json, StateKey } from '../../decider.ts';
import { WORD_FIELDS, type Words } from '../message/words.ts';

export const SPAM_KEY: StateKey = 'spam';

export const BUCKETS = 8192;
/** Of one message. */
export const FEATURES_MAX = 400;
const COUNT_MAX = 2000;
/** Before so many messages of each kind were taught, nothing is judged. */
const TAUGHT_MIN = 10;
const TELLING_MAX = 120;
/** How far from even a word must be to tell anything. */
const TELLING_MIN = 0.1;
/** What a word that was never seen is taken for, and how many sightings that guess weighs. */
const PRIOR = 0.5;
const PRIOR_WEIGHT = 0.45;
export const SPAM_SCORE_FROM = 95;

export type Taught = 'spam' | 'ham';
/** Counts as text: one character for each bucket, '0' and on. */
export type SpamSlice = {
  readonly spam: number;
  readonly ham: number;
  readonly spamCounts: string;
  readonly hamCounts: string;
};

const UNTAUGHT: SpamSlice = {
  spam: 0,
  ham: 0,
  spamCounts: '0'.repeat(BUCKETS),
  hamCounts: '0'.repeat(BUCKETS),
};

/** The buckets of a message's words, each once; of a long message, those of its beginning. */
export function featuresOf(words: Words): number[] {
  const found = new Set<number>();
  for (const field of WORD_FIELDS) {
    for (const word of words[field]) {
      if (found.size >= FEATURES_MAX) return [...found];
      found.add(bucketOf(`${field}:${word}`));
    }
  }
  return [...found];
}

/** The slice with these messages in it, or (`by` -1) without them again. */
export function taught(
  slice: Json | undefined,
  as: Taught,
  messages: readonly (readonly number[])[],
  by: 1 | -1,
): SpamSlice {
  const before = (slice as SpamSlice | undefined) ?? UNTAUGHT;
  let total = before[as];
  let counts = [...before[`${as}Counts`]].map((character) => character.charCodeAt(0) - ZERO);
  for (const features of messages) {
    total = Math.max(0, total + by);
    for (const feature of features) counts[feature] = Math.max(0, (counts[feature] ?? 0) + by);
    if (total > COUNT_MAX) {
      total >>= 1;
      counts = counts.map((count) => count >> 1);
    }
  }
  const text = String.fromCharCode(...counts.map((count) => Math.min(count, COUNT_MAX) + ZERO));
  return { ...before, [as]: total, [`${as}Counts`]: text };
}

/**
 * What was taught says of these words: 0 (wanted) to 100; from SPAM_SCORE_FROM on it is spam. Undefined before enough
 * was taught, and for words that tell nothing.
 */
export function spamScore(slice: Json | undefined, words: Words): number | undefined {
  const known = slice as SpamSlice | undefined;
  if (known === undefined || known.spam < TAUGHT_MIN || known.ham < TAUGHT_MIN) return undefined;
  const telling = featuresOf(words)
    .map((feature) => probability(known, feature))
    .filter((p) => Math.abs(p - 0.5) >= TELLING_MIN)
    .sort((a, b) => Math.abs(b - 0.5) - Math.abs(a - 0.5))
    .slice(0, TELLING_MAX);
  if (telling.length === 0) return undefined;
  const against = chiSquareTail(-2 * sum(telling.map((p) => Math.log(p))), telling.length);
  const speaksFor = chiSquareTail(-2 * sum(telling.map((p) => Math.log(1 - p))), telling.length);
  return Math.max(0, Math.floor(50 * (1 + against - speaksFor)));
}

const ZERO = 48;

/** FNV-1a, 32 bits, folded. */
function bucketOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return ((hash >>> 13) ^ hash) & (BUCKETS - 1);
}

function probability({ spam, ham, spamCounts, hamCounts }: SpamSlice, feature: number): number {
  const inSpam = spamCounts.charCodeAt(feature) - ZERO;
  const inHam = hamCounts.charCodeAt(feature) - ZERO;
  const seen = inSpam + inHam;
  if (seen === 0) return PRIOR;
  const share = inSpam / spam / (inSpam / spam + inHam / ham);
  return (PRIOR_WEIGHT * PRIOR + seen * share) / (PRIOR_WEIGHT + seen);
}

/** How likely a sum of `pairs` squared pairs of normal variables is to be at least `value`. */
function chiSquareTail(value: number, pairs: number): number {
  const half = value / 2;
  let term = Math.exp(-half);
  let tail = term;
  for (let i = 1; i < pairs; i++) {
    term *= half / i;
    tail += term;
  }
  return Math.min(1, tail);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
