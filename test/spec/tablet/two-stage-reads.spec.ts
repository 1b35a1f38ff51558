/**
 * Commands whose second reads are named by their first: what they see is of one state, whatever else is decided
 * in the same round, and each is answered. The domain here is as small as that: pointers, and what they lead to.
 */
import { describe, expect, it } from 'vitest';
import type { CommandHandler, DomainEvent, EventHandler } from '../../../domain/decider.ts';
import { accountStream } from '../../../domain/streams.ts';
import { decodeHead } from '../../../storage-nodes/log/entry.ts';
import type { Application } from '../../../storage-nodes/tablet/application.ts';
import { id, summary } from '../given.ts';
import { command, memoryCells, Primary, TABLET } from './log-of-entries.ts';
import { SPACE } from '../../../storage-nodes/cells/cells.ts';

type Point = { readonly to: string };
type Write = { readonly key: string; readonly value: string };

const happened = (type: string, data: DomainEvent['data']) => ({ events: [{ type, version: 1, data }] });
const point: CommandHandler<Point> = {
  parse: (data) => ({ data: data as Point }),
  reads: () => ['pointer'],
  decide: ({ to }) => happened('Pointed', { to }),
};
const write: CommandHandler<Write> = {
  parse: (data) => ({ data: data as Write }),
  reads: ({ key }) => [key],
  decide: (data) => happened('Written', data),
};
/** Answers with what lies where the pointer leads, and writes it down. */
const follow: CommandHandler<object> = {
  parse: (data) => ({ data: data as object }),
  reads: () => ['pointer', 'found'],
  readsNext: (_data, slices) => [String(slices('pointer'))],
  decide(_data, slices) {
    const found = slices(String(slices('pointer'))) ?? null;
    return { ...happened('Followed', { found }), reply: found };
  },
};
const setTo = (key: (event: DomainEvent) => string, value: string): EventHandler => ({
  touches: (event) => [key(event)],
  evolve: (_key, _slice, { data }) => data[value],
});
const POINTERS: Application = {
  commands: { Point: point, Write: write, Follow: follow } as Application['commands'],
  events: {
    Pointed: setTo(() => 'pointer', 'to'),
    Written: setTo(({ data }) => String(data['key']), 'value'),
    Followed: setTo(() => 'found', 'found'),
  },
  projections: [],
};

/** With the values a, b, … z at their keys, and the pointer at a. */
async function aPrimary(): Promise<Primary> {
  const primary = new Primary(await memoryCells(), POINTERS);
  const values = [...'abcdefghijklmnopqrstuvwxyz'];
  await Promise.all(
    values.map((key) => primary.decide(command('Write', 'row', { key, value: `at ${key}` }))),
  );
  await primary.decide(command('Point', 'row', { to: 'a' }));
  await primary.apply();
  return primary;
}
const to = (primary: Primary, key: string) => primary.decide(command('Point', 'row', { to: key }));
const followed = (primary: Primary) => primary.decide(command('Follow', 'row', {}));
const types = (primary: Primary, count: number) =>
  primary.log.slice(-count).map(({ head }) => (decodeHead(head).events as DomainEvent[])[0]?.type);

describe('a command that reads in two stages', () => {
  it('sees what its first reads lead to', async () => {
    expect(await followed(await aPrimary())).toMatchObject({ kind: 'entry', reply: 'at a' });
  });

  it('sees what was decided and is not applied yet', async () => {
    const primary = await aPrimary();
    primary.holdBack = true;
    await to(primary, 'b');
    expect(await followed(primary)).toMatchObject({ reply: 'at b' });
    await primary.decide(command('Write', 'row', { key: 'b', value: 'anew' }));
    expect(await followed(primary)).toMatchObject({ reply: 'anew' });
  });

  it('is decided in the next round when one of its own round changed where they lead', async () => {
    const primary = await aPrimary();
    const [, first, , plain] = await Promise.all([
      to(primary, 'b'),
      followed(primary),
      primary.decide(command('Write', 'row', { key: 'y', value: 'else' })),
      primary.decide(command('Write', 'row', { key: 'z', value: 'plain' })),
    ]);
    expect(first).toMatchObject({ kind: 'entry', reply: 'at b' });
    expect(plain.kind).toBe('entry');
    expect(types(primary, 4)).toEqual(['Pointed', 'Written', 'Written', 'Followed']);
  });

  it('keeps its turn otherwise: commands are decided in the order in which they came', async () => {
    const primary = await aPrimary();
    const all = await Promise.all([
      followed(primary),
      to(primary, 'b'),
      followed(primary),
      followed(primary),
    ]);
    expect(all.map((outcome) => ('reply' in outcome ? outcome.reply : outcome.kind))).toEqual([
      'at a',
      null,
      'at b',
      'at b',
    ]);
    expect(types(primary, 4)).toEqual(['Followed', 'Pointed', 'Followed', 'Followed']);
  });

  it('is answered once, however often the pointer goes on, and none is lost', async () => {
    const primary = await aPrimary();
    const keys = [...'bcdefghijklmnopqrstuvwxyz'];
    const before = primary.log.length;
    const asked = Array.from({ length: 600 }, (_, i) =>
      i % 3 === 0 ? to(primary, keys[i % keys.length]!) : followed(primary),
    );
    const outcomes = await Promise.all(asked);
    expect(outcomes.every(({ kind }) => kind === 'entry')).toBe(true);
    expect(primary.log).toHaveLength(before + 600);
    const ids = primary.log.map(({ head }) => decodeHead(head).commandId);
    expect(new Set(ids).size).toBe(ids.length);
    // What each of them saw is what the log says that there was.
    let pointer = 'a';
    for (const { head } of primary.log.slice(before)) {
      const { events, reply } = decodeHead(head);
      if (events[0]?.type === 'Pointed') pointer = String(events[0].data['to']);
      else expect(reply).toBe(`at ${pointer}`);
    }
  });

  it('hears "ask again" when the primary’s place is lost before its turn comes', async () => {
    const primary = await aPrimary();
    const before = primary.log.length;
    const asked = [to(primary, 'b'), ...Array.from({ length: 5 }, () => followed(primary))];
    void asked[0]!.then(() => primary.decisions.close());
    const ends = await Promise.allSettled(asked);
    const decided = ends.filter(({ status }) => status === 'fulfilled').length;
    for (const end of ends.slice(decided)) {
      expect(end).toMatchObject({ status: 'rejected', reason: { code: 'NotServing', retry: true } });
    }
    expect(primary.log).toHaveLength(before + decided);
  });

  it('gets its first answer when it is asked for twice in one round', async () => {
    const primary = await aPrimary();
    const twice = () => primary.decide(command('Follow', 'row', {}, [], { id: 'the-same' }));
    const outcomes = await Promise.all([to(primary, 'c'), twice(), twice()]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['entry', 'entry', 'earlier']);
  });
});

describe('mail that comes all at once', () => {
  it('finds its conversation, though none of it is applied yet', async () => {
    const primary = new Primary(await memoryCells());
    const alice = accountStream('alice');
    const parts = [Buffer.from('$argon2id$x'), Buffer.from('A')];
    await primary.decide(command('account.SignUp', alice, { name: 'alice', admin: false }, parts));
    await primary.apply();
    primary.holdBack = true;
    const hash = (n: number) => `${n}`.padEnd(22, '_');
    const mail = Array.from({ length: 150 }, (_, i) => {
      const data = { messageId: id(i + 1), via: 'smtp', ids: [hash(i), hash(500)] };
      return primary.decide(
        command('mail.ReceiveMessage', alice, data, [Buffer.from('x'), Buffer.from(summary())]),
      );
    });
    const outcomes = await Promise.all(mail);
    expect(outcomes.every(({ kind }) => kind === 'entry')).toBe(true);
    primary.holdBack = false;
    await primary.apply();
    const [cell] = await primary.cells.get(TABLET, [
      { space: SPACE.state, row: alice, column: `thread/${id(1)}` },
    ]);
    const { bytes } = cell!.content as { bytes: Uint8Array };
    const slice = JSON.parse(Buffer.from(bytes).toString()) as { messages: unknown[] };
    expect(slice.messages).toHaveLength(100);
  });
});
