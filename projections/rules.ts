/** The rules of a mailbox, as the page shows them: the list of the last change, byte for byte. */
import { decodeRules, encodeRules } from '../domain/mail/rules/rule-list.ts';
import type { Rule } from '../domain/mail/rules/rules.ts';
import { rulesCell } from './keys.ts';
import type { Projection } from './projection.ts';

/** Throws on bytes that this projection cannot have written. */
export function readRules(bytes: Uint8Array): readonly Rule[] {
  const read = decodeRules(bytes);
  if ('rejection' in read) throw new Error(`the cell of the rules is damaged: ${read.rejection.message}`);
  return read.data;
}

export const rulesProjection: Projection = {
  name: 'rules',
  listensTo: new Set(['mail.RulesChanged']),
  priors: () => [],
  project(_event, entry, content) {
    const read = decodeRules(content.bytes(0));
    const bytes = encodeRules('data' in read ? read.data : []);
    return [{ put: rulesCell(entry.stream), value: { bytes } }];
  },
};
