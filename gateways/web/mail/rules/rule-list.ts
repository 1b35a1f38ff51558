/** The list of rules: read with the page, and changed by sending it whole, beside the list that was seen. */
import type { Rule } from '../../../../domain/mail/rules/rules.ts';
import { encodeRules } from '../../../../domain/mail/rules/rule-list.ts';
import { rulesCell } from '../../../../projections/keys.ts';
import { readRules } from '../../../../projections/rules.ts';
import {
  Rejected,
  type Accepted,
  type ReadCell,
  type ReadQuery,
} from '../../../../storage-nodes/client/client.ts';
import type { Pages } from '../../../pages/pages.ts';
import { cellOf, type Visit } from '../../../pages/visit.ts';

export function rulesQuery(owner: string): ReadQuery {
  return { get: rulesCell(owner) };
}

export function rulesFrom(cells: readonly ReadCell[] | undefined): readonly Rule[] {
  return cellOf(cells, readRules) ?? [];
}

/** The list may change between the look and the command; then it is looked at again. */
const TRIES = 5;

/** `change` gets the list as it is now. Throws what it throws, and the store's refusals. */
export async function changeRules(
  pages: Pages,
  visit: Visit,
  asked: { readonly commandId: string; readonly action: string },
  change: (rules: readonly Rule[]) => readonly Rule[],
): Promise<Accepted> {
  const { stream, account, sessionHash } = visit;
  for (let attempt = 1; ; attempt++) {
    const { results } = await pages.deps.store.read(stream, [rulesQuery(stream)]);
    const rules = rulesFrom(results[0]);
    try {
      return await pages.send(
        { actor: account.name, sessionHash },
        {
          id: asked.commandId,
          stream,
          type: 'mail.ChangeRules',
          data: {},
          parts: [encodeRules(change(rules)), encodeRules(rules)],
          action: asked.action,
        },
      );
    } catch (error) {
      const isBehind = error instanceof Rejected && error.rejection.code === 'ChangedSince';
      if (!isBehind || attempt === TRIES) throw error;
    }
  }
}
