/** One of every command that changes something in an account, in an order in which each is accepted. */
import type { Json } from '../../domain/decider.ts';
import { encodeAnswerable } from '../../domain/mail/message/answerable.ts';
import { encodeWords, NO_WORDS } from '../../domain/mail/message/words.ts';
import { encodeRules } from '../../domain/mail/rules/rule-list.ts';
import { encodeVacation } from '../../domain/mail/vacation/vacation-settings.ts';
import { encodeEnvelope } from '../../domain/outbound/envelope.ts';
import { encodeSaid } from '../../domain/outbound/said.ts';
import { accountStream, chunkStream, CONSOLE_STREAM, outboundStream } from '../../domain/streams.ts';
import { hash, id, PASSWORD_HASH, RAW, summary } from './given.ts';
import { START, type Command, type InMemoryShell } from './in-memory-shell.ts';
import { AWAY, named, rule } from './mailbox.ts';

const DAY = 24 * 60 * 60 * 1000;

/** Carries out the commands, two in a millisecond, and what follows from them at once. */
export function run(shell: InMemoryShell, commands: readonly Command[]): void {
  commands.forEach((command, number) => {
    shell.execute({ ...command, time: START + Math.floor(number / 2) });
    shell.settleAll();
  });
}

/** One of every command on an account's settings, after its password was changed once. */
function accountCommands(given: {
  name: string;
  stream: string;
  sessionHash: string;
  identityId: string;
  words: string;
}): Command[] {
  const { name, stream, sessionHash, identityId } = given;
  const words = given.words.replace(/[\0-\x1f\x7f-\x9f]/g, '');
  const codeHashes = Array.from('0123456789', hash);
  const own = [`${name}+x@penncloud.test`, words, words];
  const opened = { expiresAt: START + DAY, passwordVersion: 2 };
  return [
    { type: 'account.ChangeProfile', data: { version: 0 }, stream, parts: [words, `${words}.`, '', ''] },
    { type: 'account.ChangeDates', data: { zone: 'Europe/Berlin', locale: 'de-DE' }, stream },
    { type: 'account.AddIdentity', data: { identityId }, stream, parts: own },
    {
      type: 'account.ChangeIdentity',
      data: { identityId, version: 1 },
      stream,
      parts: [`${name}@penncloud.test`, words, words, ...own],
    },
    {
      type: 'account.AddAppPassword',
      data: { appPasswordId: identityId, hash: hash('9'), passwordVersion: 2 },
      stream,
      parts: [words || 'Phone'],
    },
    { type: 'account.RemoveAppPassword', data: { appPasswordId: identityId }, stream },
    { type: 'account.RemoveIdentity', data: { identityId, version: 2 }, stream, parts: own },
    {
      type: 'account.TurnOnSecondFactor',
      data: { factorVersion: 0, step: 1, passwordVersion: 2, codeHashes },
      stream,
      parts: ['1.sealed'],
    },
    { type: 'account.CountFailures', data: { kind: 'code', failures: 10 }, stream },
    {
      type: 'account.OpenSession',
      data: { ...opened, sessionHash: hash('d'), factorVersion: 1, step: 2 },
      stream,
      parts: [''],
    },
    {
      type: 'account.OpenSession',
      data: { ...opened, sessionHash: hash('e'), codeHash: hash('3'), ends: [hash('d')] },
      stream,
      parts: [words],
    },
    { type: 'account.SeeSession', data: { sessionHash }, stream },
    { type: 'account.EndOtherSessions', data: { keeps: sessionHash }, stream },
    { type: 'account.TurnOffSecondFactor', data: { factorVersion: 1, passwordVersion: 2 }, stream },
    { type: 'account.MakeRecoveryCodes', data: { passwordVersion: 2, codeHashes }, stream },
  ];
}

/** One of every command on a queue; the message is the account's. */
function outboundCommands(given: { account: string; messageId: string; words: string }): Command[] {
  const { account, messageId } = given;
  const stream = outboundStream(messageId);
  const holder = { worker: 'worker-1', token: 1 };
  const item = { id: messageId, account, origin: 'sent', messageId };
  const from = `${account}@penncloud.test`;
  const envelope = encodeEnvelope({ from, to: ['a@far.example', 'b@far.example'], prepend: '' });
  const said = given.words.slice(0, 1000);
  const tried = { id: messageId, code: 250, retryAt: null };
  return [
    {
      type: 'outbound.QueueMessage',
      data: { ...item, recipients: 2 },
      stream,
      parts: [RAW, envelope],
      askedBy: accountStream(account),
    },
    { type: 'outbound.ClaimQueue', data: { worker: 'worker-1', ms: 60_000 }, stream },
    {
      type: 'outbound.RecordAttempts',
      data: {
        ...holder,
        tries: [
          { ...tried, to: 0, outcome: 'delivered' },
          { ...tried, to: 1, outcome: 'deferred', code: 451, retryAt: START + DAY },
        ],
        notices: [{ id: messageId, part: 1 }],
      },
      stream,
      parts: [
        encodeSaid([
          { host: 'mx1.far.example', text: said },
          { host: 'mx2.far.example', text: said },
        ]),
        RAW,
        summary(),
        '',
      ],
    },
    { type: 'outbound.ChangeItem', data: { id: messageId, action: 'hold' }, stream },
    { type: 'outbound.ChangeItem', data: { id: messageId, action: 'cancel' }, stream },
    { type: 'outbound.ReleaseQueue', data: holder, stream },
  ];
}

/** Messages that a rule sends on, here and elsewhere; one that came back from there, and one that nobody has sent. */
function forwardingCommands(name: string, stream: string): Command[] {
  const words = encodeWords({ ...NO_WORDS, body: ['lunch'] });
  const actions = { forward: ['bob'], outside: ['d@far.example'], as: `${name}@penncloud.test` };
  const rules = encodeRules([rule(2009, { field: 'body', word: 'lunch' }, actions)]);
  const receive = (number: number, more: { readonly [field: string]: Json }): Command => ({
    type: 'mail.ReceiveMessage',
    data: { messageId: id(number), via: 'smtp', ids: [], ...more },
    stream,
    parts: [RAW, summary(), words],
  });
  return [
    { type: 'mail.ChangeRules', data: {}, stream, parts: [rules, '[]'] },
    receive(2010, { nullSender: true, deliveredTo: ['carl'] }),
    receive(2011, { deliveredTo: [name] }),
    receive(2012, { verdict: 'quarantine' }),
    { type: 'mail.ChangeRules', data: {}, stream, parts: ['[]', rules] },
  ];
}

/** `index` tells sessions and chunks of several accounts apart. */
export function oneOfEvery(
  given: { readonly name: string; readonly text: string; readonly number: number; readonly fileName: string },
  index: number,
): Command[] {
  const { name, text, number, fileName } = given;
  const stream = accountStream(name);
  const sessionHash = hash(index.toString(16));
  const chunk = chunkStream(id(number), index);
  const file = { fileId: id(number), folderId: 'root', size: 0, chunks: 0, sha256: hash('a') };
  const message = { messageId: id(number) };
  const one = { messages: [id(number)] };
  const expiresAt = START + DAY;
  const elsewhere = encodeEnvelope({ from: `${name}@penncloud.test`, to: ['c@far.example'], prepend: '' });
  return [
    { type: 'account.SignUp', data: { name, admin: false }, stream, parts: [PASSWORD_HASH, ''] },
    {
      type: 'account.OpenSession',
      data: { sessionHash, expiresAt, passwordVersion: 1 },
      stream,
      parts: [''],
    },
    { type: 'account.ChangePassword', data: { passwordVersion: 1 }, stream, parts: [PASSWORD_HASH] },
    ...accountCommands({ name, stream, sessionHash, identityId: id(number), words: fileName }),
    { type: 'account.CloseSession', data: { sessionHash }, stream },
    {
      type: 'mail.SendMessage',
      data: { ...message, recipients: [name] },
      stream,
      parts: [RAW, text, summary()],
    },
    { type: 'mail.ChangeMessages', data: { messages: [`${id(number)}-in`], read: true }, stream },
    { type: 'mail.ChangeMessages', data: { ...one, folder: 'trash' }, stream },
    {
      type: 'mail.RecordUnsubscribe',
      data: { ...message, accepted: true },
      stream,
      parts: ['It has taken your wish.'],
    },
    ...outboundCommands({ account: name, messageId: id(number), words: fileName }),
    { type: 'mail.DeleteMessages', data: one, stream },
    { type: 'mail.ChangeVacation', data: {}, stream, parts: [encodeVacation(AWAY), ''] },
    {
      type: 'mail.ReceiveMessage',
      data: { messageId: id(2003), via: 'smtp', answer: { sender: named(2003), account: null } },
      stream,
      parts: [RAW, text, '', encodeAnswerable({ address: 'bob@far.example', messageId: '', references: [] })],
    },
    {
      type: 'mail.SendMessage',
      data: { messageId: id(2004), recipients: [name], outside: 1, enveloped: true },
      stream,
      parts: [RAW, text, summary(), '', '', elsewhere],
    },
    {
      type: 'mail.SendMessage',
      data: { messageId: id(2005), recipients: [], outside: 1, enveloped: true, dueAt: START + DAY },
      stream,
      parts: [RAW, text, summary(), '', '', elsewhere],
    },
    {
      type: 'mail.SendMessage',
      data: { messageId: id(2006), recipients: [name], outside: 1 },
      stream,
      parts: [RAW, text, summary(), '', '', '["a@far.example"]'],
    },
    {
      type: 'mail.SendOutside',
      data: { messageId: id(2006), outside: 1 },
      stream,
      parts: [RAW, elsewhere],
    },
    {
      type: 'mail.ImportMessage',
      data: {
        messageId: id(2008),
        ids: [],
        folder: 'archive',
        read: true,
        starred: true,
        dated: START - DAY,
      },
      stream,
      parts: [RAW, text, ''],
    },
    ...forwardingCommands(name, stream),
    { type: 'mail.SaveDraft', data: { draftId: id(2000), revision: 0 }, stream, parts: ['{}', text] },
    {
      type: 'mail.CreateFolder',
      data: { folderId: id(2001), parent: null },
      stream,
      parts: ['Work', 'work'],
    },
    {
      type: 'mail.StartBulk',
      data: { bulkId: id(2002), in: ['drafts'], to: { starred: true } },
      stream,
      parts: [id(2000)],
    },
    {
      type: 'drive.StoreChunk',
      data: { fileId: id(number), chunk: index },
      stream: chunk,
      parts: [`x${text}`],
    },
    { type: 'drive.AddFile', data: file, stream, parts: [fileName, 'text/plain'] },
    { type: 'console.IssueLink', data: { linkHash: sessionHash, expiresAt }, stream: CONSOLE_STREAM },
    {
      type: 'console.OpenSession',
      data: { linkHash: sessionHash, sessionHash, expiresAt },
      stream: CONSOLE_STREAM,
    },
    { type: 'console.CloseSession', data: { sessionHash }, stream: CONSOLE_STREAM },
    { type: 'kv.Put', data: { column: fileName }, stream: `k${text}`, parts: [text] },
    { type: 'kv.Delete', data: { column: fileName }, stream: `k${text}` },
    { type: 'account.Delete', data: { passwordVersion: 2 }, stream },
  ];
}
