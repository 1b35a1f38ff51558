/**
 * What holds for any sequence of commands, whoever sends them: random users do random things, twice
 * when they are impatient, and the read models must agree with each other and with a replay of the log.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FOLDERS } from '../../../domain/mail/events.ts';
import { chunkStream, CONSOLE_STREAM, accountStream } from '../../../domain/streams.ts';
import { EMPTY_FOLDER, readFolderCounts } from '../../../projections/folder.ts';
import { readInboxRow } from '../../../projections/inbox.ts';
import { folderCountsCell, folderRow, inboxCell, metaCell } from '../../../projections/keys.ts';
import { readMessageMeta } from '../../../projections/message.ts';
import { hash, id, PASSWORD_HASH, RAW, summary } from '../given.ts';
import { InMemoryShell, START, type Command, type Part } from '../in-memory-shell.ts';

const DAY = 24 * 60 * 60 * 1000;
const anyName = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{1,31}$/);
const messageId = fc.nat({ max: 6 }).map(id);
const anySummary: fc.Arbitrary<Part> = fc.oneof(
  fc.string({ unit: 'binary' }).map((subject) => summary({ subject })),
  fc.constant('no summary'),
  fc.constant(new Uint8Array([0xff])),
);
const anyMailCommand = fc.oneof(
  fc.record({ messageId, part: anySummary }).map(({ messageId, part }) => ({
    type: 'mail.ReceiveMessage',
    data: { messageId, via: 'smtp' },
    parts: [RAW, part],
  })),
  fc
    .record({ messageId, part: anySummary, others: fc.array(anyName, { maxLength: 3 }) })
    .map(({ messageId, part, others }) => ({
      type: 'mail.SendMessage',
      data: { messageId, recipients: ['me', ...others] },
      parts: [RAW, part, part],
    })),
  fc.record({ messageId, read: fc.boolean(), arrived: fc.boolean() }).map(({ messageId, read, arrived }) => ({
    type: 'mail.MarkMessage',
    data: { messageId: arrived ? `${messageId}-in` : messageId, read },
    parts: [],
  })),
  fc
    .record({ messageId, folder: fc.constantFrom(...FOLDERS) })
    .map((data) => ({ type: 'mail.MoveMessage', data, parts: [] })),
  messageId.map((messageId) => ({ type: 'mail.DeleteMessage', data: { messageId }, parts: [] })),
);

/** Deleting twice means it: the first time to the trash, the second for good. */
const ONCE_ONLY = new Set(['mail.DeleteMessage']);

/** Carries out the commands, each after a pause of 0 to 1 ms, and the reactions that follow. */
function run(shell: InMemoryShell, commands: readonly Command[], repeated: boolean): void {
  commands.forEach((command, number) => {
    const before = shell.log.length;
    shell.execute({ ...command, time: START + Math.floor(number / 2) });
    const after = shell.log.length;
    if (repeated && !ONCE_ONLY.has(command.type)) {
      const again = shell.execute(command);
      if (after > before && 'events' in again) expect(again.events).toEqual([]);
      expect(shell.log.length).toBe(after);
    }
    if (after > before) shell.settleReactions(after);
  });
}

function replay(shell: InMemoryShell): InMemoryShell {
  const copy = new InMemoryShell();
  for (const entry of shell.log) copy.append(structuredClone(entry));
  return copy;
}

function newShell(owner: string): InMemoryShell {
  const shell = new InMemoryShell();
  const events = [{ type: 'account.SignedUp', version: 1, data: { name: 'me', admin: false } }];
  shell.append({ stream: owner, time: START, events, parts: [PASSWORD_HASH, 'Me'] });
  return shell;
}

describe('for any sequence of mail commands', () => {
  const me = accountStream('me');
  const sequences = fc.array(
    anyMailCommand.map((command): Command => ({ ...command, stream: me })),
    { maxLength: 60 },
  );

  it('the counts of each folder equal its rows, and each row equals its message', () => {
    fc.assert(
      fc.property(sequences, fc.boolean(), (commands, repeated) => {
        const shell = newShell(me);
        run(shell, commands, repeated);
        let messages = 0;
        for (const folder of FOLDERS) {
          const orders = shell.columns(folderRow(me, folder));
          const rows = orders.map((order) => {
            const row = readInboxRow(shell.bytes(inboxCell(me, folder, order)) ?? new Uint8Array());
            const meta = readMessageMeta(shell.bytes(metaCell(me, row.id)) ?? new Uint8Array());
            const { read, at, problem, size } = row;
            expect(meta).toMatchObject({ folder, order, read, at, size });
            expect(meta.problem).toBe(problem);
            expect(shell.slice(me, `message/${row.id}`)).toEqual({ folder, read, at });
            return row;
          });
          messages += rows.length;
          expect(rows.map(({ at }) => at)).toEqual(rows.map(({ at }) => at).toSorted((a, b) => b - a));
          const bytes = shell.bytes(folderCountsCell(me, folder));
          const counted = { total: rows.length, unread: rows.filter(({ read }) => !read).length };
          expect(bytes ? readFolderCounts(bytes) : EMPTY_FOLDER).toEqual(counted);
        }
        const metas = shell
          .dump()
          .filter((cell) => cell.includes('/mail/message/') && cell.includes('\0meta = '));
        expect(metas).toHaveLength(messages);
      }),
      { numRuns: 200 },
    );
  });

  it('a replay of the log gives identical cells', () => {
    fc.assert(
      fc.property(sequences, (commands) => {
        const shell = newShell(me);
        run(shell, commands, false);
        expect(replay(shell).dump()).toEqual(shell.dump());
      }),
    );
  });
});

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
            { type: 'mail.MarkMessage', data: { messageId: `${id(number)}-in`, read: true }, stream },
            { type: 'mail.MoveMessage', data: { ...message, folder: 'trash' }, stream },
            { type: 'mail.DeleteMessage', data: message, stream },
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
          run(shell, commands, false);
        });
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
      'mail.MessageDeleted',
      'mail.MessageMarked',
      'mail.MessageMoved',
      'mail.MessageReceived',
      'mail.MessageSent',
      'platform.ReactionSettled',
    ]);
  });

  it('replaying without erased parts reads the same everywhere but in what was erased, and never throws', () => {
    const me = accountStream('me');
    fc.assert(
      fc.property(fc.array(anyMailCommand, { maxLength: 30 }), (commands) => {
        const shell = newShell(me);
        run(
          shell,
          commands.map((command): Command => ({ ...command, stream: me })),
          false,
        );
        const erased = new InMemoryShell();
        for (const entry of shell.log) {
          const parts = entry.parts.map((part) => ({
            erased: part instanceof Uint8Array ? part.length : RAW.length,
          }));
          erased.append({ ...entry, parts });
        }
        const keysOf = (dump: readonly string[]) => dump.map((cell) => cell.slice(0, cell.indexOf(' = ')));
        expect(keysOf(erased.dump())).toEqual(keysOf(shell.dump()));
        const counts = (dump: readonly string[]) => dump.filter((cell) => cell.includes('/mail/folders'));
        expect(counts(erased.dump())).toEqual(counts(shell.dump()));
      }),
    );
  });
});
