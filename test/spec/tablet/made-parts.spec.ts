/** Content that a decision makes itself: parts of its entry, behind those that came with the command. */
import { describe, expect, it } from 'vitest';
import type { CommandHandler, EventHandler } from '../../../domain/decider.ts';
import { encodeAnswerable } from '../../../domain/mail/message/answerable.ts';
import { accountStream } from '../../../domain/streams.ts';
import { SPACE } from '../../../storage-nodes/cells/cells.ts';
import { commitmentTo, decodeHead, sha256Hex } from '../../../storage-nodes/log/entry.ts';
import type { Application } from '../../../storage-nodes/tablet/application.ts';
import { id, summary } from '../given.ts';
import { AWAY } from '../mailbox.ts';
import { command, memoryCells, Primary, TABLET } from './log-of-entries.ts';

const echo: CommandHandler<object> = {
  parse: () => ({ data: {} }),
  reads: () => ['digests'],
  decide: (_data, _slices, { content }) => ({
    events: [{ type: 'Echoed', version: 1, data: {} }],
    parts: [new TextEncoder().encode(`echo of ${content.digest(0)!.slice(0, 4)}`), new Uint8Array()],
  }),
};
const echoed: EventHandler = {
  touches: () => ['digests'],
  evolve: (_key, _slice, _event, content) =>
    Array.from({ length: content.count }, (_, part) => content.digest(part) ?? null),
};
const ECHO: Application = {
  commands: { Echo: echo } as Application['commands'],
  events: { Echoed: echoed },
  projections: [],
};

async function stateOf(primary: Primary, row: string, column: string): Promise<unknown> {
  const [cell] = await primary.cells.get(TABLET, [{ space: SPACE.state, row, column }]);
  const { bytes } = cell!.content as { bytes: Uint8Array };
  return JSON.parse(Buffer.from(bytes).toString()) as unknown;
}

describe('parts that a decision makes', () => {
  it('stand in the entry behind those of the command, each with its commitment, and its events see them', async () => {
    const primary = new Primary(await memoryCells(), ECHO);
    await primary.decide(command('Echo', 'row', {}, [Buffer.from('hello')]));
    await primary.apply();
    const { head, parts } = primary.log[0]!;
    const digests = parts.map((part) => sha256Hex(part!));
    expect(parts.map((part) => Buffer.from(part!).toString())).toEqual([
      'hello',
      `echo of ${digests[0]!.slice(0, 4)}`,
      '',
    ]);
    for (const [i, { length, salt, commitment }] of decodeHead(head).parts.entries()) {
      expect([length, Buffer.from(commitment)]).toEqual([
        parts[i]!.length,
        Buffer.from(commitmentTo(salt, digests[i]!)),
      ]);
    }
    expect(await stateOf(primary, 'row', 'digests')).toEqual(digests);
  });
});

describe('twenty letters of one sender at once, to somebody who is away', () => {
  it('are answered once, though none of them is applied yet', async () => {
    const primary = new Primary(await memoryCells());
    const alice = accountStream('alice');
    await primary.decide(
      command('account.SignUp', alice, { name: 'alice', admin: false }, [
        Buffer.from('$argon2id$x'),
        Buffer.from('A'),
      ]),
    );
    const settings = [Buffer.from(JSON.stringify(AWAY)), Buffer.alloc(0)];
    await primary.decide(command('mail.ChangeVacation', alice, {}, settings));
    await primary.apply();
    primary.holdBack = true;
    const how = encodeAnswerable({ address: 'bob@penncloud.test', messageId: '', references: [] });
    const parts = [Buffer.from('x'), Buffer.from(summary()), Buffer.alloc(0), Buffer.from(how)];
    const answer = { sender: 'b'.repeat(22), account: 'bob' };
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const data = { messageId: id(i + 1), via: 'smtp', ids: [], answer };
        return primary.decide(command('mail.ReceiveMessage', alice, data, parts));
      }),
    );
    expect(outcomes.every(({ kind }) => kind === 'entry')).toBe(true);
    primary.holdBack = false;
    await primary.apply();
    const events = primary.log.flatMap(({ head }) => decodeHead(head).events.map(({ type }) => type));
    expect(events.filter((type) => type === 'mail.MessageReceived')).toHaveLength(20);
    expect(events.filter((type) => type === 'mail.VacationReplied')).toHaveLength(1);
  });
});
