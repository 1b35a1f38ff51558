/**
 * What holds of every read model, whatever its area: its cells lie in the stream of their entry, and a replay
 * of the log gives the same ones.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InMemoryShell, START } from '../in-memory-shell.ts';
import { oneOfEvery, run } from '../one-of-every.ts';

const DAY = 24 * 60 * 60 * 1000;
const anyName = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{1,31}$/);

function replay(shell: InMemoryShell): InMemoryShell {
  const copy = new InMemoryShell();
  for (const entry of shell.log) copy.append(structuredClone(entry));
  return copy;
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
        entities.forEach((entity, index) => {
          run(shell, oneOfEvery(entity, index));
        });
        shell.advance(START + DAY);
        for (const entry of shell.log) for (const event of entry.events) types.add(event.type);
        expect(replay(shell).dump()).toEqual(shell.dump());
      }),
    );
    expect([...types].sort()).toEqual([
      'account.AppPasswordAdded',
      'account.AppPasswordRemoved',
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
      'mail.DeliveryRecorded',
      'mail.DraftSaved',
      'mail.FolderCreated',
      'mail.MessageReceived',
      'mail.MessageReleased',
      'mail.MessageScheduled',
      'mail.MessageSent',
      'mail.MessageSentOutside',
      'mail.MessagesChanged',
      'mail.MessagesDeleted',
      'mail.RulesChanged',
      'mail.Unsubscribed',
      'mail.VacationChanged',
      'mail.VacationReplied',
      'outbound.AttemptsRecorded',
      'outbound.ItemChanged',
      'outbound.MessageQueued',
      'outbound.QueueClaimed',
      'outbound.QueueReleased',
      'platform.ReactionSettled',
    ]);
  });
});
