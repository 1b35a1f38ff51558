/** "Block this sender" on a message's page: a rule like any other, made by one button and undone by one. */
import type { FastifyInstance } from 'fastify';
import type { Rule } from '../../../../domain/mail/rules/rules.ts';
import { folded } from '../../../message/fold.ts';
import { idFrom } from '../../../pages/command-ids.ts';
import type { Pages } from '../../../pages/pages.ts';
import { badField } from '../../../pages/refusals.ts';
import { openMessage, type MessageRoute } from '../reading/open-message.ts';
import { fieldClauses } from '../search/query.ts';
import { changeRules } from './rule-list.ts';
import { saidOf } from '../done-words.ts';

export function registerBlockSender(app: FastifyInstance, pages: Pages): void {
  app.post<MessageRoute>('/mail/:folder/:message/block', async (request, reply) => {
    const { commandId } = pages.form(request);
    const { meta, visit } = await openMessage(pages, request, request.params.message);
    const { address } = meta.from;
    const clauses = fieldClauses(`"${address.replaceAll('"', '')}"`, 'from');
    if (meta.via === 'sent' || !address.includes('@') || clauses.length === 0) {
      throw badField('This message does not say who sent it: there is no address to block.');
    }
    const rule: Rule = {
      id: idFrom(visit.account.name, commandId, 'rule'),
      name: `Block ${address.slice(0, 120)}`,
      on: true,
      typed: { from: address },
      clauses,
      actions: { folder: 'trash', stop: true },
    };
    const isThis = (other: Rule) =>
      other.on && other.actions.folder === 'trash' && folded(other.typed.from ?? '') === folded(address);
    const accepted = await changeRules(pages, visit, { commandId, action: 'Block sender' }, (rules) =>
      rules.some(isThis) ? rules : [rule, ...rules],
    );
    return reply.redirect(`/mail/${request.params.folder}/${meta.id}?${saidOf('blocked', accepted)}`, 303);
  });
}
