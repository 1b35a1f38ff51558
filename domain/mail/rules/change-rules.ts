/**
 * The list of rules is changed as a whole. The command brings the list that its sender saw, so that two who change
 * it at once do not undo each other's work, and so that the event can be undone: its parts turned round.
 */
import { ACCOUNT_KEY, accountFault } from '../../account/evolve.ts';
import type { CommandHandler, EventHandler } from '../../decider.ts';
import { fieldsOf, parsed, partAtMost, partsAre, refuse } from '../../fields.ts';
import { happenedWith, nothing, refused } from '../decisions.ts';
import { checkedRules, decodeRules, RULES_BYTES_MAX } from './rule-list.ts';
import { RULES_KEY, type RulesSlice } from './rules.ts';

/** The bytes of a list without rules. */
const EMPTY_LIST_BYTES = 2;

/** Parts: the list as it shall be, and as it was (rule-list.ts). */
export const changeRules: CommandHandler<object> = {
  parse: (data, content) =>
    parsed(() => {
      fieldsOf(data, []);
      partsAre(content, 'rules', 'rules before');
      partAtMost(content, 0, 'rules', RULES_BYTES_MAX);
      partAtMost(content, 1, 'rules before', RULES_BYTES_MAX);
      const rules = content.bytes(0);
      if (rules === undefined) refuse('Malformed', 'The rules are missing.', { field: 'rules' });
      checkedRules(rules);
      return {};
    }),
  reads: () => [ACCOUNT_KEY, RULES_KEY],
  decide(_data, slices, { stream, content }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const slice = slices(RULES_KEY) as RulesSlice | undefined;
    const isSeen =
      slice === undefined
        ? content.length(1) === EMPTY_LIST_BYTES
        : slice.list === content.digest(1) || slice.list === '';
    if (!isSeen) {
      const message = 'Your rules have been changed elsewhere meanwhile: please look at them again.';
      return refused('ChangedSince', message, 'rules');
    }
    if (content.digest(0) === content.digest(1)) return nothing;
    return happenedWith({ changed: true }, { type: 'mail.RulesChanged', version: 1, data: {} });
  },
};

export const rulesChanged: EventHandler = {
  touches: () => [RULES_KEY],
  isBlind: () => true,
  evolve(_key, _slice, _event, content) {
    const read = decodeRules(content.bytes(0));
    const rules = 'data' in read ? read.data : [];
    return {
      // Of an erased list nobody knows the digest, and any list may follow it.
      list: content.digest(0) ?? '',
      rules: rules.filter(({ on }) => on).map(({ id, clauses, actions }) => ({ id, clauses, actions })),
    } satisfies RulesSlice;
  },
};
