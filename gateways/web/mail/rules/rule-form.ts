/**
 * The form of a rule: what was typed becomes a rule, and a rule becomes what is shown. Every refusal names the
 * field; what was typed is kept by whoever shows the form again.
 */
import type { Clause } from '../../../../domain/mail/message/query.ts';
import {
  FORWARDS_MAX,
  RULE_NAME_BYTES_MAX,
  RULE_TYPED_BYTES_MAX,
} from '../../../../domain/mail/rules/rule-list.ts';
import type { Rule, RuleActions } from '../../../../domain/mail/rules/rules.ts';
import { isMailAddress } from '../../../../domain/outbound/envelope.ts';
import { accountStream } from '../../../../domain/streams.ts';
import { profileCell } from '../../../../projections/keys.ts';
import { isServed, parseAddressList, recipientAccount } from '../../../message/addresses.ts';
import { field, typed, type Fields } from '../../../pages/form.ts';
import type { Pages } from '../../../pages/pages.ts';
import { badField } from '../../../pages/refusals.ts';
import type { Visit } from '../../../pages/visit.ts';
import { fieldClauses } from '../search/query.ts';
import { folderName, moveTargets, type Mailbox } from '../folders/sidebar.ts';

type TypedField = keyof Rule['typed'];
const LOOKED_AT: readonly { readonly name: TypedField; readonly label: string; readonly hint?: string }[] = [
  { name: 'from', label: 'From', hint: 'An address, a name, or a domain' },
  { name: 'to', label: 'To or Cc' },
  { name: 'subject', label: 'Subject' },
  { name: 'names', label: 'Attachment names' },
  { name: 'any', label: 'Words anywhere' },
];

/** A new rule's id, and whether it is on, come from outside. */
export async function ruleFrom(
  pages: Pages,
  visit: Visit,
  mailbox: Mailbox,
  fields: Fields,
  kept: Pick<Rule, 'id' | 'on'>,
): Promise<Rule> {
  const looks = LOOKED_AT.map(({ name, label }) => ({
    name,
    text: field(fields, name, { label, bytesMax: RULE_TYPED_BYTES_MAX }).trim(),
  })).filter(({ text }) => text !== '');
  const clauses = looks.flatMap(({ name, text }): Clause[] =>
    fieldClauses(text, name === 'any' ? undefined : name),
  );
  if (clauses.length === 0)
    throw badField('Say what the rule looks for: fill in at least one of its fields.');
  if (clauses.every(({ not }) => not === true)) {
    throw badField('Say what the rule looks for, not only what must not be there.');
  }
  const actions: RuleActions = {
    ...folderOf(fields, mailbox),
    ...(fields['starred'] === 'yes' && { starred: true }),
    ...(fields['read'] === 'yes' && { read: true }),
    ...(await forwardOf(pages, visit, fields)),
    ...(fields['stop'] === 'yes' && { stop: true }),
  };
  if (Object.keys(actions).length === 0)
    throw badField('Choose what the rule does with the messages it finds.');
  const name = field(fields, 'name', { label: 'Name', bytesMax: RULE_NAME_BYTES_MAX }).trim();
  return {
    ...kept,
    name:
      name === ''
        ? looks
            .map(({ text }) => text)
            .join(', ')
            .slice(0, 50)
        : name,
    typed: Object.fromEntries(looks.map(({ name: looked, text }) => [looked, text])),
    clauses,
    actions,
  };
}

/** The fields of the form as the template shows them. */
export function formView(values: Readonly<Record<string, string>>, mailbox: Mailbox) {
  return {
    name: values['name'] ?? '',
    looks: LOOKED_AT.map((one) => ({ ...one, value: values[one.name] ?? '' })),
    targets: moveTargets(mailbox, 'inbox').map((target) => ({
      ...target,
      chosen: target.folder === values['folder'],
    })),
    starred: values['starred'] === 'yes',
    read: values['read'] === 'yes',
    stop: values['stop'] === 'yes',
    forward: values['forward'] ?? '',
  };
}

export function valuesTyped(fields: Fields): Record<string, string> {
  const looks = LOOKED_AT.map(({ name }) => name);
  return typed(fields, ['name', ...looks, 'folder', 'starred', 'read', 'stop', 'forward']);
}

export function valuesOf({ name, typed: looks, actions }: Rule, domain: string): Record<string, string> {
  const { folder = '', starred, read, stop, forward = [], outside = [] } = actions;
  return {
    ...looks,
    name,
    folder,
    ...(starred && { starred: 'yes' }),
    ...(read && { read: 'yes' }),
    ...(stop && { stop: 'yes' }),
    forward: [...forward.map((account) => `${account}@${domain}`), ...outside].join(', '),
  };
}

/** "From bob, subject weekly" and "move to Archive, star". */
export function inWords({ typed: looks, actions }: Rule, mailbox: Mailbox): { when: string; then: string } {
  const { folder, starred, read, forward, outside, stop } = actions;
  const when = LOOKED_AT.flatMap(({ name, label }) =>
    looks[name] === undefined ? [] : [`${label.toLowerCase()}: ${looks[name]}`],
  );
  const then = [
    ...(folder === undefined ? [] : [`move to ${folderName(mailbox, folder)}`]),
    ...(starred ? ['star'] : []),
    ...(read ? ['mark as read'] : []),
    ...(forward ? [`forward to ${forward.join(', ')}`] : []),
    ...(outside ? [`send a copy to ${outside.join(', ')}, at another system`] : []),
    ...(stop ? ['stop here'] : []),
  ];
  return { when: capital(when.join(', ')), then: capital(then.join(', ')) };
}

function folderOf(fields: Fields, mailbox: Mailbox): { folder?: string } {
  const { folder = '' } = fields;
  if (folder === '') return {};
  const target = moveTargets(mailbox, 'inbox').find((one) => one.folder === folder);
  if (target === undefined) throw badField('The folder to move to is not there: it may have been deleted.');
  return { folder: target.folder };
}

/** Accounts here, and addresses at other systems. Throws PageRefusal naming the first address that is none. */
async function forwardOf(
  pages: Pages,
  visit: Visit,
  fields: Fields,
): Promise<Pick<RuleActions, 'forward' | 'outside' | 'as'>> {
  const { store, domains } = pages.deps;
  const { ok, bad } = parseAddressList(field(fields, 'forward', { label: 'Forward to', bytesMax: 2000 }));
  if (bad.length > 0) throw badField(`Forward to holds “${bad[0]}”, which is not a mail address.`);
  if (ok.length > FORWARDS_MAX) throw badField(`A rule forwards to at most ${FORWARDS_MAX} addresses.`);
  const forward = new Set<string>();
  const outside = new Map<string, string>();
  for (const { address } of ok) {
    const account = recipientAccount(address, domains);
    if (!isServed(address, domains)) {
      if (!isMailAddress(address))
        throw badField(`Forward to holds “${address}”, which mail cannot be sent to.`);
      outside.set(address.toLowerCase(), address);
      continue;
    }
    if (account === visit.account.name) throw badField('A rule cannot forward your mail to yourself.');
    const owner = account === undefined ? undefined : accountStream(account);
    const profile = owner && (await store.read(owner, [{ get: profileCell(owner) }])).results[0]?.[0];
    if (account === undefined || profile === undefined) throw badField(`There is nobody at ${address} here.`);
    forward.add(account);
  }
  return {
    ...(forward.size > 0 && { forward: [...forward] }),
    ...(outside.size > 0 && {
      outside: [...outside.values()],
      as: `${visit.account.name}@${domains[0] ?? 'localhost'}`,
    }),
  };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
