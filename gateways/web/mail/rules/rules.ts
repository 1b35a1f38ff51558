/**
 * The pages of the rules: the list, with its order and a switch for each, and the form of one. "Try it" shows
 * which messages of the past a rule would have found, before it is saved: it is a search with the rule's clauses,
 * and changes nothing.
 *
 *   GET  /mail/rules              POST /mail/rules/<id>/{on,off,up,down,delete}
 *   GET  /mail/rules/<id or new>  POST /mail/rules/<id or new>    action=save or try
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Rule } from '../../../../domain/mail/rules/rules.ts';
import { Rejected } from '../../../../storage-nodes/client/client.ts';
import { idFrom } from '../../../pages/command-ids.ts';
import type { Pages } from '../../../pages/pages.ts';
import { notFound, PageRefusal } from '../../../pages/refusals.ts';
import type { Visit } from '../../../pages/visit.ts';
import { doneWords, saidOf } from '../done-words.ts';
import { findMessages } from '../search/find.ts';
import { foundView } from '../search/search.ts';
import { mailboxFrom, mailboxQueries, MAILBOX_QUERIES, sidebar, type Mailbox } from '../folders/sidebar.ts';
import { formView, inWords, ruleFrom, valuesOf, valuesTyped } from './rule-form.ts';
import { changeRules, rulesFrom, rulesQuery } from './rule-list.ts';

type RuleRoute = { Params: { rule: string }; Querystring: Record<string, unknown> };
type ChangeRoute = { Params: { rule: string; change: string } };
type Opened = { readonly visit: Visit; readonly mailbox: Mailbox; readonly rules: readonly Rule[] };

const SHOWN_MAX = 50;
/** More than these are not counted: each is opened to see where it lies. */
const COUNTED_MAX = 200;

export function registerRules(app: FastifyInstance, pages: Pages): void {
  app.get<RuleRoute>('/mail/rules', (request, reply) => showList(pages, request, reply));
  app.get<RuleRoute>('/mail/rules/:rule', async (request, reply) => {
    const opened = await open(pages, request);
    const rule = request.params.rule === 'new' ? undefined : known(opened.rules, request.params.rule);
    const values = rule === undefined ? {} : valuesOf(rule, pages.deps.domains[0] ?? 'localhost');
    return showForm(pages, request, reply, { ...opened, values });
  });
  app.post<RuleRoute>('/mail/rules/:rule', (request, reply) => saveOrTry(pages, request, reply));
  app.post<ChangeRoute>('/mail/rules/:rule/:change', async (request, reply) => {
    const { commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    const { rule: id, change } = request.params;
    const made = Object.hasOwn(CHANGES, change) ? CHANGES[change] : undefined;
    if (made === undefined) throw notFound('That cannot be done with a rule.');
    const accepted = await changeRules(pages, visit, { commandId, action: made.action }, (rules) =>
      made.list(rules, rules.indexOf(known(rules, id))),
    );
    return reply.redirect(`/mail/rules?${saidOf('rules', accepted)}`, 303);
  });
}

type ListChange = {
  readonly action: string;
  list(rules: readonly Rule[], at: number): readonly Rule[];
};
const CHANGES: Readonly<Record<string, ListChange>> = {
  on: { action: 'Switch rule on', list: (rules, at) => rules.with(at, { ...rules[at]!, on: true }) },
  off: { action: 'Switch rule off', list: (rules, at) => rules.with(at, { ...rules[at]!, on: false }) },
  up: { action: 'Move rule up', list: (rules, at) => moved(rules, at, at - 1) },
  down: { action: 'Move rule down', list: (rules, at) => moved(rules, at, at + 1) },
  delete: { action: 'Delete rule', list: (rules, at) => rules.toSpliced(at, 1) },
};

function moved(rules: readonly Rule[], from: number, to: number): readonly Rule[] {
  if (to < 0 || to >= rules.length) return rules;
  return rules.toSpliced(from, 1).toSpliced(to, 0, rules[from]!);
}

async function open(pages: Pages, request: FastifyRequest): Promise<Opened> {
  const visit = await pages.visits.require(request, (owner) => [...mailboxQueries(owner), rulesQuery(owner)]);
  return {
    visit,
    mailbox: mailboxFrom(visit.results),
    rules: rulesFrom(visit.results[MAILBOX_QUERIES]),
  };
}

function known(rules: readonly Rule[], id: string): Rule {
  const rule = rules.find((one) => one.id === id);
  if (rule === undefined) throw notFound('There is no such rule: it may have been deleted.');
  return rule;
}

async function showList(pages: Pages, request: FastifyRequest<RuleRoute>, reply: FastifyReply) {
  const { mailbox, rules } = await open(pages, request);
  return pages.show(request, reply, {
    title: 'Rules',
    template: 'web/mail/rules/rules.hbs',
    section: 'mail',
    ...doneWords(request.query),
    data: {
      folders: sidebar(mailbox, undefined),
      rules: rules.map((rule, i) => ({
        id: rule.id,
        name: rule.name,
        on: rule.on,
        canRise: i > 0,
        canSink: i < rules.length - 1,
        ...inWords(rule, mailbox),
      })),
    },
  });
}

async function saveOrTry(pages: Pages, request: FastifyRequest<RuleRoute>, reply: FastifyReply) {
  const { fields, commandId } = pages.form(request);
  const opened = await open(pages, request);
  const { visit, mailbox, rules } = opened;
  const isNew = request.params.rule === 'new';
  const kept = isNew
    ? { id: idFrom(visit.account.name, commandId, 'rule'), on: true }
    : known(rules, request.params.rule);
  const values = valuesTyped(fields);
  try {
    const rule = await ruleFrom(pages, visit, mailbox, fields, { id: kept.id, on: kept.on });
    if (fields['action'] === 'try') {
      return await showForm(pages, request, reply, { ...opened, values, tried: rule });
    }
    const action = isNew ? 'Make rule' : 'Change rule';
    const accepted = await changeRules(pages, visit, { commandId, action }, (list) => {
      if (list.some(({ id }) => id === rule.id)) return list.map((one) => (one.id === rule.id ? rule : one));
      // Deleted meanwhile, in another tab.
      if (!isNew) known(list, rule.id);
      return [...list, rule];
    });
    return await reply.redirect(`/mail/rules?${saidOf('rules', accepted)}`, 303);
  } catch (error) {
    if (error instanceof PageRefusal) {
      const { message: alert, status } = error;
      return showForm(pages, request, reply, { ...opened, values, alert, status });
    }
    if (error instanceof Rejected) {
      return showForm(pages, request, reply, {
        ...opened,
        values,
        alert: error.rejection.message,
        status: 409,
      });
    }
    throw error;
  }
}

async function showForm(
  pages: Pages,
  request: FastifyRequest<RuleRoute>,
  reply: FastifyReply,
  shown: Opened & {
    readonly values: Readonly<Record<string, string>>;
    readonly tried?: Rule;
    readonly alert?: string;
    readonly status?: number;
  },
): Promise<FastifyReply> {
  const { visit, mailbox, values, tried, alert, status } = shown;
  const { rule } = request.params;
  return pages.show(request, reply, {
    title: rule === 'new' ? 'New rule' : 'Change rule',
    template: 'web/mail/rules/rule.hbs',
    section: 'mail',
    status: status ?? 200,
    alert,
    data: {
      folders: sidebar(mailbox, undefined),
      action: `/mail/rules/${rule}`,
      form: formView(values, mailbox),
      found: tried && (await wouldFind(pages, visit, mailbox, tried)),
    },
  });
}

/** What the rule would have found of the mail that came in. */
async function wouldFind(pages: Pages, visit: Visit, mailbox: Mailbox, { clauses }: Rule) {
  const query = { clauses, in: 'anywhere' as const };
  const size = COUNTED_MAX;
  const page = await findMessages(pages.deps.store, visit.stream, query, { below: undefined, size });
  const came = page.messages.filter(({ message }) => !message.own);
  return {
    count: came.length,
    orMore: page.next !== undefined,
    isCut: came.length > SHOWN_MAX,
    shownMax: SHOWN_MAX,
    rows: came.slice(0, SHOWN_MAX).map((one) => foundView(one, mailbox)),
  };
}
