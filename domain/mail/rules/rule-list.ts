/**
 * The list of rules as bytes: JSON, written in one way only (properties in a fixed order, no spaces), so that a
 * list can be told from another by its digest. Reading it checks everything, because it comes from outside.
 */
import { checkAccountName } from '../../account/names.ts';
import { decodeText, fieldsOf, flag, listOf, parsed, randomId, refuse } from '../../fields.ts';
import type { Rejection } from '../../errors.ts';
import { isMailAddress } from '../../outbound/envelope.ts';
import { targetFolder } from '../fields.ts';
import type { Clause, WordTerm } from '../message/query.ts';
import type { Rule, RuleActions } from './rules.ts';
import { WORD_FIELDS, type WordField } from '../message/words.ts';

export const RULES_MAX = 100;
export const RULES_BYTES_MAX = 64 * 1024;
/** Of all rules together: what it costs to look at a message. */
export const RULE_CLAUSES_MAX = 200;
export const RULE_NAME_BYTES_MAX = 200;
export const RULE_TYPED_BYTES_MAX = 500;
export const FORWARDS_MAX = 5;
/** Accounts and addresses that all rules together forward to: so many copies can come of one message. */
export const FORWARDED_TO_MAX = 20;
const TERMS_MAX = 50;
const TERM_BYTES_MAX = 400;

const TYPED_FIELDS = [...WORD_FIELDS, 'any'] as const;

export function encodeRules(rules: readonly Rule[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(rules.map(inOrder)));
}

/** The list, or why it is none; `bytes` undefined: it was erased, and no rule is left. */
export function decodeRules(
  bytes: Uint8Array | undefined,
): { readonly data: readonly Rule[] } | { readonly rejection: Rejection } {
  return parsed(() => (bytes === undefined ? [] : checkedRules(bytes)));
}

/** Ends the surrounding `parsed` for bytes that `encodeRules` cannot have written. */
export function checkedRules(bytes: Uint8Array): readonly Rule[] {
  const text = decodeText(bytes) ?? '';
  const rules = listOf(json(text), 'rules', 0, RULES_MAX, 'rules').map(ruleField);
  if (new Set(rules.map(({ id }) => id)).size < rules.length) {
    refuse('Malformed', 'Rules must have an id each.', { field: 'rules' });
  }
  const clauses = rules.reduce((sum, rule) => sum + rule.clauses.length, 0);
  if (clauses > RULE_CLAUSES_MAX) {
    const message = `All rules together look for at most ${RULE_CLAUSES_MAX} words; these look for ${clauses}.`;
    refuse('TooMany', message, { field: 'rules', limit: RULE_CLAUSES_MAX });
  }
  const forwardedTo = new Set(
    rules.flatMap(({ actions: { forward = [], outside = [] } }) => [...forward, ...outside]),
  ).size;
  if (forwardedTo > FORWARDED_TO_MAX) {
    const message = `All rules together forward to at most ${FORWARDED_TO_MAX} addresses; these forward to ${forwardedTo}.`;
    refuse('TooMany', message, { field: 'forward', limit: FORWARDED_TO_MAX });
  }
  if (JSON.stringify(rules) !== text) {
    refuse('Malformed', 'Rules must be written in their one order, without spaces.', { field: 'rules' });
  }
  return rules;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return refuse('Malformed', 'Rules must be a list in JSON.', { field: 'rules' });
  }
}

function ruleField(value: unknown): Rule {
  const { id, name, on, typed, clauses, actions } = fieldsOf(value, [
    'id',
    'name',
    'on',
    'typed',
    'clauses',
    'actions',
  ]);
  const given = fieldsOf(typed, TYPED_FIELDS);
  return inOrder({
    id: randomId(id, 'rules'),
    name: textField(name, 'The name of a rule', RULE_NAME_BYTES_MAX),
    on: flag(on, 'on'),
    typed: Object.fromEntries(
      TYPED_FIELDS.flatMap((field) =>
        given[field] === undefined
          ? []
          : [[field, textField(given[field], 'What a rule looks for', RULE_TYPED_BYTES_MAX)]],
      ),
    ),
    clauses: listOf(clauses, 'clauses', 1, RULE_CLAUSES_MAX, 'clauses of a rule').map(clauseField),
    actions: actionsField(actions),
  });
}

function clauseField(value: unknown): Clause {
  const { terms, field, not } = fieldsOf(value, ['terms', 'field', 'not']);
  if (field !== undefined && !(WORD_FIELDS as readonly unknown[]).includes(field)) {
    refuse('Malformed', `A clause must look at one of ${WORD_FIELDS.join(', ')}.`, { field: 'clauses' });
  }
  if (not !== undefined && not !== true) {
    refuse('Malformed', 'Not must be true or absent.', { field: 'clauses' });
  }
  return {
    terms: listOf(terms, 'terms', 1, TERMS_MAX, 'words of a clause').map(termField),
    ...(field !== undefined && { field: field as WordField }),
    ...(not === true && { not }),
  };
}

function termField(value: unknown): WordTerm {
  const { text, prefix } = fieldsOf(value, ['text', 'prefix']);
  const word = textField(text, 'A word of a rule', TERM_BYTES_MAX);
  if (word === '') refuse('Malformed', 'A word of a rule must not be empty.', { field: 'terms' });
  return { text: word, prefix: flag(prefix, 'prefix') };
}

function actionsField(value: unknown): RuleActions {
  const names = ['folder', 'starred', 'read', 'forward', 'outside', 'as', 'stop'] as const;
  const { folder, starred, read, forward, outside, as, stop } = fieldsOf(value, names);
  const marks = { starred, read, stop };
  for (const [name, mark] of Object.entries(marks)) {
    if (mark !== undefined && mark !== true) {
      refuse('Malformed', `The action ${name} must be true or absent.`, { field: name });
    }
  }
  const actions: RuleActions = {
    ...(folder !== undefined && { folder: targetFolder(folder) }),
    ...(starred === true && { starred }),
    ...(read === true && { read }),
    ...(forward !== undefined && {
      forward: listOf(forward, 'forward', 1, FORWARDS_MAX, 'account names').map((name) =>
        checkAccountName(name, 'recipients'),
      ),
    }),
    ...(outside !== undefined && {
      outside: listOf(outside, 'forward', 1, FORWARDS_MAX, 'addresses').map(addressField),
      as: addressField(as),
    }),
    ...(stop === true && { stop }),
  };
  if (outside === undefined && as !== undefined)
    refuse('Malformed', 'Only a rule that forwards to other systems has an own address.', { field: 'as' });
  if (Object.keys(actions).length === 0) {
    refuse('Malformed', 'A rule must do something with the messages it finds.', { field: 'actions' });
  }
  return actions;
}

function addressField(value: unknown): string {
  if (!isMailAddress(value)) {
    refuse('Malformed', 'A rule forwards to addresses name@domain, and as one.', { field: 'forward' });
  }
  return value;
}

/** Bounds are of UTF-8 bytes; lone surrogates are refused, because they have none. */
function textField(value: unknown, what: string, bytesMax: number): string {
  const isText = typeof value === 'string' && value.length <= bytesMax && !/[\ud800-\udfff]/u.test(value);
  if (!isText || new TextEncoder().encode(value).length > bytesMax) {
    refuse('Malformed', `${what} must be text of at most ${bytesMax} bytes.`, {
      field: 'rules',
      limit: bytesMax,
    });
  }
  return value;
}

/** The one order of properties. */
function inOrder({ id, name, on, typed, clauses, actions }: Rule): Rule {
  const { folder, starred, read, forward, outside, as, stop } = actions;
  return {
    id,
    name,
    on,
    typed: Object.fromEntries(
      TYPED_FIELDS.flatMap((field) => (typed[field] === undefined ? [] : [[field, typed[field]]])),
    ),
    clauses: clauses.map(({ terms, field, not }) => ({
      terms: terms.map(({ text, prefix }) => ({ text, prefix })),
      ...(field && { field }),
      ...(not && { not }),
    })),
    actions: {
      ...(folder !== undefined && { folder }),
      ...(starred && { starred }),
      ...(read && { read }),
      ...(forward && { forward }),
      ...(outside && { outside }),
      ...(as !== undefined && { as }),
      ...(stop && { stop }),
    },
  };
}
