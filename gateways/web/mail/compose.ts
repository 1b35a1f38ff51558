/**
 * Writing a message. The recipients are checked before anything is sent: every one must be an account
 * here, and a refusal names the address and keeps what was typed. One command stores the sender's copy;
 * the copies of the recipients follow from it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RECIPIENTS_MAX } from '../../../domain/mail/fields.ts';
import { encodeSummary } from '../../../domain/mail/summary.ts';
import { accountStream } from '../../../domain/streams.ts';
import { profileCell } from '../../../projections/keys.ts';
import { isServed, parseAddressList, recipientAccount, type Address } from '../../message/addresses.ts';
import { composeMessage, UncomposableMessage } from '../../message/compose.ts';
import { digestOf } from '../../message/digest.ts';
import { readMessage } from '../../message/read-message.ts';
import type { Accepted } from '../../../storage-nodes/client/client.ts';
import { idFrom } from '../../pages/command-ids.ts';
import { field, typed, type Fields } from '../../pages/form.ts';
import type { Pages } from '../../pages/pages.ts';
import { badField, PageRefusal } from '../../pages/refusals.ts';
import type { Visit } from '../../pages/visit.ts';
import { entryOf } from './actions.ts';
import { forwardOf, replyTo, threadOf, type Prefill } from './answers.ts';
import { openMessage, rawBytes } from './open-message.ts';
import { mailboxFrom, mailboxQueries, sidebar } from './sidebar.ts';

const ADDRESSES_BYTES_MAX = 32 * 1024;
const SUBJECT_BYTES_MAX = 998;
const TEXT_BYTES_MAX = 2 * 1024 * 1024;
const FIELDS = ['to', 'cc', 'bcc', 'subject', 'text', 'answers'] as const;

export function registerCompose(app: FastifyInstance, pages: Pages): void {
  app.get<{ Querystring: Record<string, unknown> }>('/mail/compose', async (request, reply) => {
    const prefill = await prefilled(pages, request);
    return show(pages, request, reply, { data: prefill });
  });

  app.post('/mail/compose', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    let accepted: Accepted;
    try {
      accepted = await send(pages, request, visit, fields, commandId);
    } catch (error) {
      const refusal = error instanceof UncomposableMessage ? badField(error.message) : error;
      if (!(refusal instanceof PageRefusal)) throw refusal;
      return show(pages, request, reply, {
        status: refusal.status,
        alert: refusal.message,
        data: typed(fields, FIELDS),
      });
    }
    return reply.redirect(`/mail/inbox?done=sent&undo=${entryOf(accepted)}`, 303);
  });
}

type View = {
  status?: number;
  alert?: string;
  data: Partial<Record<(typeof FIELDS)[number] | 'note', string>>;
};

async function show(
  pages: Pages,
  request: FastifyRequest,
  reply: FastifyReply,
  view: View,
): Promise<FastifyReply> {
  const visit = await pages.visits.require(request, mailboxQueries);
  const { name, displayName } = visit.account;
  return pages.show(request, reply, {
    title: 'New message',
    template: 'web/mail/compose.hbs',
    section: 'mail',
    ...view,
    data: {
      ...view.data,
      from: `${displayName} <${name}@${pages.deps.domains[0]}>`,
      folders: sidebar(mailboxFrom(visit.results), undefined),
    },
  });
}

/** An empty message, one to an address, or an answer to another message. */
async function prefilled(
  pages: Pages,
  request: FastifyRequest<{ Querystring: Record<string, unknown> }>,
): Promise<Prefill> {
  const { to, subject, reply, replyAll, forward } = request.query;
  const answered = [reply, replyAll, forward].find((id): id is string => typeof id === 'string');
  if (answered === undefined) {
    const given = (value: unknown) => (typeof value === 'string' ? value.slice(0, 400) : '');
    return { to: given(to), subject: given(subject) };
  }
  const { raw, visit } = await openMessage(pages, request, answered);
  const message = await readMessage(await rawBytes(pages, raw));
  if (forward !== undefined) return forwardOf(message);
  const own = (address: string) => recipientAccount(address, pages.deps.domains) === visit.account.name;
  return { ...replyTo(message, { all: replyAll !== undefined, own }), answers: answered };
}

async function send(
  pages: Pages,
  request: FastifyRequest,
  visit: Visit,
  fields: Fields,
  commandId: string,
): Promise<Accepted> {
  const { domains, messageBytesMax } = pages.deps;
  const to = addresses(fields, 'to', 'To');
  const cc = addresses(fields, 'cc', 'Cc');
  const bcc = addresses(fields, 'bcc', 'Bcc');
  const subject = field(fields, 'subject', { label: 'Subject', bytesMax: SUBJECT_BYTES_MAX });
  const text = field(fields, 'text', { label: 'Message', bytesMax: TEXT_BYTES_MAX, multiline: true });
  const recipients = await localAccounts(pages, [...to, ...cc, ...bcc]);
  const { name, displayName } = visit.account;
  const messageId = idFrom(name, commandId, 'message');
  const thread =
    typeof fields['answers'] === 'string' ? await threadFor(pages, request, fields['answers']) : {};
  const raw = await composeMessage({
    from: { name: displayName === name ? '' : displayName, address: `${name}@${domains[0]}` },
    to,
    cc,
    bcc,
    subject,
    text,
    date: Date.now(),
    messageIdHeader: `<${messageId}@${domains[0]}>`,
    ...thread,
  });
  if (raw.length > messageBytesMax) {
    throw badField(`Message is too large: at most ${messageBytesMax} bytes, this has ${raw.length}.`);
  }
  const sent = await digestOf(raw, bcc);
  const received = await digestOf(raw);
  return pages.send(
    { actor: name, sessionHash: visit.sessionHash },
    {
      id: commandId,
      stream: visit.stream,
      type: 'mail.SendMessage',
      data: {
        messageId,
        recipients,
        ids: sent.ids,
        dueAt: Date.now() + pages.deps.undoSendMs,
      },
      parts: [raw, encodeSummary(sent.summary), encodeSummary(received.summary), sent.words, received.words],
      action: 'Send message',
    },
  );
}

function addresses(fields: Fields, name: string, label: string): Address[] {
  const text = field(fields, name, { label, bytesMax: ADDRESSES_BYTES_MAX, multiline: true });
  const { ok, bad } = parseAddressList(text);
  if (bad.length > 0)
    throw badField(`${label} holds “${bad[0]}”, which is not a mail address: write it as name@domain.`);
  return ok;
}

/** The account names behind the addresses, each once. Throws PageRefusal naming the first that is none. */
async function localAccounts(pages: Pages, addresses: readonly Address[]): Promise<string[]> {
  const { store, domains } = pages.deps;
  if (addresses.length === 0) throw badField('To is missing: write at least one address.');
  if (addresses.length > RECIPIENTS_MAX) {
    throw badField(
      `There are too many recipients: at most ${RECIPIENTS_MAX}, these are ${addresses.length}.`,
    );
  }
  const accounts = new Map<string, string>();
  for (const { address } of addresses) {
    const account = recipientAccount(address, domains);
    if (account !== undefined) accounts.set(account, address);
    else if (isServed(address, domains)) throw nobodyAt(address);
    else
      throw badField(
        `${address} is outside: this system delivers only to addresses at ${placesServed(domains)}.`,
      );
  }
  const known = await Promise.all(
    [...accounts].map(async ([account, address]) => {
      const owner = accountStream(account);
      const answer = await store.read(owner, [{ get: profileCell(owner) }]);
      return { account, address, exists: answer.results[0]?.[0] !== undefined };
    }),
  );
  const missing = known.find(({ exists }) => !exists);
  if (missing !== undefined) throw nobodyAt(missing.address);
  return known.map(({ account }) => account);
}

function nobodyAt(address: string): PageRefusal {
  return badField(`There is nobody at ${address}: check the address. Nothing was sent.`);
}

function placesServed(domains: readonly string[]): string {
  return [...new Set([...domains, 'localhost'])].join(' or ');
}

/** In-Reply-To and References; none if the message answered is gone meanwhile. */
async function threadFor(pages: Pages, request: FastifyRequest, answered: string) {
  try {
    const { raw } = await openMessage(pages, request, answered);
    return threadOf(await readMessage(await rawBytes(pages, raw)));
  } catch (error) {
    if (error instanceof PageRefusal) return {};
    throw error;
  }
}
