/**
 * What holds of every read model, whatever its area: its cells lie in the stream of their entry, and a replay
 * of the log gives the same ones.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunkStream, CONSOLE_STREAM, accountStream } from '../../../domain/streams.ts';
import { hash, id, PASSWORD_HASH, RAW, summary } from '../given.ts';
import { InMemoryShell, START, type Command } from '../in-memory-shell.ts';

const DAY = 24 * 60 * 60 * 1000;
const anyName = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{1,31}$/);

/** Carries out the commands, two in a millisecond, and what follows from them at once. */
function run(shell: InMemoryShell, commands: readonly Command[]): void {
  commands.forEach((command, number) => {
    shell.execute({ ...command, time: START + Math.floor(number / 2) });
    shell.settleAll();
  });
}

function replay(shell: InMemoryShell): InMemoryShell {
  const copy = new InMemoryShell();
  for (const entry of shell.log) copy.append(structuredClone(entry));
  return copy;
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

describe('for any account', () => {
  const anyEntity = fc.record({
    name: anyName,
    text: fc.string({ unit: 'binary' }),
    number: fc.nat({ max: 1000 }),
    fileName: fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
  });

  /** One of every command that changes something; the shell throws when a cell lies outside its stream. */
  it('every cell of every read model lies in the stream of its entry, and a replay gives the same cells', () => {
    const types = new Set<string>();
    fc.assert(
      fc.property(fc.array(anyEntity, { minLength: 1, maxLength: 5 }), (entities) => {
        const shell = new InMemoryShell();
        entities.forEach(({ name, text, number, fileName }, index) => {
          const stream = accountStream(name);
          const sessionHash = hash(index.toString(16));
          const chunk = chunkStream(id(number), index);
          const file = { fileId: id(number), folderId: 'root', size: 0, chunks: 0, sha256: hash('a') };
          const message = { messageId: id(number) };
          const one = { messages: [id(number)] };
          const expiresAt = START + DAY;
          const commands: Command[] = [
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
            { type: 'mail.DeleteMessages', data: one, stream },
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
          run(shell, commands);
        });
        shell.advance(START + DAY);
        for (const entry of shell.log) for (const event of entry.events) types.add(event.type);
        expect(replay(shell).dump()).toEqual(shell.dump());
      }),
    );
    expect([...types].sort()).toEqual([
      'account.DatesChanged',
      'account.Deleted',
      'account.FailuresForgiven',
      'account.IdentityAdded',
      'account.IdentityChanged',
      'account.IdentityRemoved',
      'account.LogInsFailed',
      'account.OneTimeCodeUsed',
      'account.OtherSessionsEnded',
      'account.PasswordChanged',
      'account.ProfileChanged',
      'account.RecoveryCodeUsed',
      'account.RecoveryCodesMade',
      'account.SecondFactorTurnedOff',
      'account.SecondFactorTurnedOn',
      'account.SessionClosed',
      'account.SessionOpened',
      'account.SessionSeen',
      'account.SignedUp',
      'console.LinkIssued',
      'console.SessionClosed',
      'console.SessionOpened',
      'drive.ChunkStored',
      'drive.FileAdded',
      'kv.CellDeleted',
      'kv.CellPut',
      'mail.BulkStarted',
      'mail.DraftSaved',
      'mail.FolderCreated',
      'mail.MessageReceived',
      'mail.MessageSent',
      'mail.MessagesChanged',
      'mail.MessagesDeleted',
      'platform.ReactionSettled',
    ]);
  });
});
