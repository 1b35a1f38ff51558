/**
 * Rules: what an account wants done with messages as they come in. A rule holds when all its clauses hold for the
 * words of the message. What always holds:
 *
 *   a message that no rule moves lies in the inbox; one that is moved lies in exactly one folder
 *   the first rule that moves it decides where; marks and forwards of all that hold add up
 *   a rule whose folder is not there any more moves nothing
 *
 * Left out: how people write rules (the gateways fold words into clauses), and what comes of a forward.
 */
import type { Json, StateKey } from '../../decider.ts';
import { isOwnFolder, isThere, type Folder, type FoldersSlice } from '../folders.ts';
import { holds, type Clause } from '../message/query.ts';
import type { WordField, Words } from '../message/words.ts';

export type RuleActions = {
  readonly folder?: Folder;
  readonly starred?: true;
  readonly read?: true;
  /** Names of accounts here. */
  readonly forward?: readonly string[];
  /** Addresses at other systems. */
  readonly outside?: readonly string[];
  /** With `outside`: the own address that it is forwarded as. */
  readonly as?: string;
  /** No later rule is looked at. */
  readonly stop?: true;
};

export type Rule = {
  readonly id: string;
  readonly name: string;
  readonly on: boolean;
  /** As it was typed, by field; `any`: words that may stand anywhere. */
  readonly typed: { readonly [Field in WordField | 'any']?: string };
  /** What was typed, folded: all of these must hold. */
  readonly clauses: readonly Clause[];
  readonly actions: RuleActions;
};

/** What decisions need of the list: the rules that are on, in their order, and which list it is. */
export type RulesSlice = {
  /** sha256 of the list's bytes. */
  readonly list: string;
  readonly rules: readonly Pick<Rule, 'id' | 'clauses' | 'actions'>[];
};

export const RULES_KEY: StateKey = 'rules';

export function activeRules(slice: Json | undefined): RulesSlice['rules'] {
  return (slice as RulesSlice | undefined)?.rules ?? [];
}

/** Whether a rule moves messages to a folder that may have been deleted. */
export function needsFolders(slice: Json | undefined): boolean {
  return activeRules(slice).some(({ actions }) => isOwnFolder(actions.folder ?? 'inbox'));
}

/** Whether a rule forwards to addresses at other systems. */
export function forwardsOutside(slice: Json | undefined): boolean {
  return activeRules(slice).some(({ actions }) => actions.outside !== undefined);
}

/** What the rules make of a message; `rules`: the ids of those that held. */
export type Ruling = {
  readonly folder?: Folder;
  readonly starred?: true;
  readonly read?: true;
  readonly forward?: readonly string[];
  readonly outside?: readonly string[];
  /** As the first rule that forwards outside has it. */
  readonly as?: string;
  readonly rules?: readonly string[];
};

export function rulingOn(words: Words, rules: RulesSlice['rules'], folders: FoldersSlice): Ruling {
  const held: RulesSlice['rules'][number][] = [];
  for (const rule of rules) {
    if (!rule.clauses.every((clause) => holds(clause, words))) continue;
    held.push(rule);
    if (rule.actions.stop === true) break;
  }
  if (held.length === 0) return {};
  const folder = held
    .map(({ actions }) => actions.folder)
    .find((place) => place !== undefined && isThere(folders, place));
  const forward = [...new Set(held.flatMap(({ actions }) => actions.forward ?? []))];
  const outside = [...new Set(held.flatMap(({ actions }) => actions.outside ?? []))];
  const as = held.find(({ actions }) => actions.outside !== undefined)?.actions.as;
  return {
    ...(folder !== undefined && { folder }),
    ...(held.some(({ actions }) => actions.starred) && { starred: true }),
    ...(held.some(({ actions }) => actions.read) && { read: true }),
    ...(forward.length > 0 && { forward }),
    ...(as !== undefined && { outside, as }),
    rules: held.map(({ id }) => id),
  };
}
