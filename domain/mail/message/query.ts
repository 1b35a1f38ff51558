/**
 * What is looked for, in the form that search and rules share: clauses that must all hold. A clause is a word,
 * the beginning of one, or words one behind another, in one field or in any. The words are folded as those of
 * messages are.
 */
import { WORD_FIELDS, type WordField, type Words } from './words.ts';

export type WordTerm = {
  readonly text: string;
  /** Longer words that begin so match too. */
  readonly prefix: boolean;
};
export type Clause = {
  /** More than one: they must stand one behind another, in this order. */
  readonly terms: readonly WordTerm[];
  /** Absent: any. */
  readonly field?: WordField;
  /** No such word must be there. */
  readonly not?: true;
};

/** Whether the clause holds for these words. */
export function holds(clause: Clause, words: Words): boolean {
  const fields = clause.field === undefined ? WORD_FIELDS : [clause.field];
  return fields.some((field) => standsIn(clause.terms, words[field])) !== (clause.not === true);
}

function standsIn(terms: readonly WordTerm[], words: readonly string[]): boolean {
  const [first] = terms;
  if (first === undefined) return false;
  return words.some((_word, at) => terms.every((term, i) => isMatch(term, words[at + i])));
}

function isMatch({ text, prefix }: WordTerm, word: string | undefined): boolean {
  return word !== undefined && (prefix ? word.startsWith(text) : word === text);
}
