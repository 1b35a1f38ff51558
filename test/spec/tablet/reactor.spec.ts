/** Reactions: in effect once, in order, settled with their outcome, carried out by nobody but the primary. */
import pino from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { accountStream } from '../../../domain/streams.ts';
import { Rejected, type Accepted, type CommandRequest } from '../../../storage-nodes/client/client.ts';
import { Fault } from '../../../storage-nodes/faults.ts';
import { Reactor } from '../../../storage-nodes/tablet/reactor.ts';
import type { Settlement } from '../../../storage-nodes/tablet/settlement.ts';
import { APPLICATION, command, memoryCells, Primary, TABLET } from './log-of-entries.ts';
import { realTimers } from '../../../storage-nodes/timers.ts';

const reactors: Reactor[] = [];
afterEach(() => {
  for (const reactor of reactors.splice(0)) reactor.stop();
});

const id = (n: number) =>
  'abcdefghijklmnopqrstuvwx' + 'abcdefghij'[n % 10]! + 'abcdefghij'[Math.trunc(n / 10)]!;
const summary = Buffer.from(
  JSON.stringify({
    from: { name: '', address: 'a@b' },
    to: [],
    cc: [],
    subject: '',
    date: null,
    snippet: '',
    attachments: [],
  }),
);

/** A sender's tablet with mail to these recipients, each message's bytes as long as said. */
async function aTablet(messages: { to: string[]; bytes?: number }[]): Promise<Primary> {
  const primary = new Primary(await memoryCells());
  const sender = accountStream('sender');
  const credentials = [Buffer.from('$argon2id$x'), Buffer.from('S')];
  await primary.decide(command('account.SignUp', sender, { name: 'sender', admin: false }, credentials));
  for (const [n, { to, bytes = 10 }] of messages.entries()) {
    const parts = [Buffer.alloc(bytes, n + 1), summary, summary];
    const outcome = await primary.decide(
      command('mail.SendMessage', sender, { messageId: id(n), recipients: to }, parts),
    );
    expect(outcome.kind).toBe('entry');
  }
  await primary.apply();
  return primary;
}

function react(primary: Primary, execute: (command: CommandRequest) => Promise<void>): Reactor {
  const reactor = new Reactor({
    tablet: TABLET,
    cells: primary.cells,
    log: primary.reader(),
    application: APPLICATION,
    logger: pino({ level: 'silent' }),
    clock: () => primary.time,
    timers: realTimers,
    execute: async (asked): Promise<Accepted> => {
      await execute(asked);
      return { tablet: TABLET, seq: 1, time: 1, reply: null };
    },
  });
  reactors.push(reactor);
  void reactor.start();
  return reactor;
}
/** Without the hash at the end. */
const placeOf = (id: string): string => id.slice(0, id.lastIndexOf(':'));
const isSettlement = ({ type }: CommandRequest) => type === 'platform.SettleReaction';
/** Settles in the sender's own tablet, as a node would. */
async function settleIn(primary: Primary, asked: CommandRequest): Promise<void> {
  await primary.decide(asked);
  await primary.apply();
}

describe('reactions', () => {
  it('are delivered in order per stream, with the parts they name, and settled', async () => {
    const primary = await aTablet([{ to: ['bob', 'carol'] }, { to: ['bob'] }, { to: ['bob'] }]);
    const delivered: CommandRequest[] = [];
    react(primary, async (asked) => {
      if (isSettlement(asked)) return settleIn(primary, asked);
      await new Promise((resolve) => setTimeout(resolve, asked.id.includes(':2:0:') ? 20 : 0));
      delivered.push(asked);
    });
    await vi.waitUntil(async () => (await pending(primary)) === 0);
    const toBob = delivered.filter(({ stream }) => stream === accountStream('bob'));
    expect(toBob.map(({ parts }) => parts[0]![0])).toEqual([1, 2, 3]);
    expect(delivered.map((asked) => placeOf(asked.id))).toContain('reaction:t-01:2:1');
    expect(
      delivered.every(({ expiresAt, causation }) => expiresAt === 0 && causation?.tablet === 't-01'),
    ).toBe(true);
  });

  it('of an entry that took the place of a lost one are not taken for what that one delivered', async () => {
    // Rule 10: a forced recovery loses entries, and their seqs are given again; who got the mail remembers.
    const delivered: string[] = [];
    for (let lineage = 1; lineage <= 2; lineage++) {
      const primary = await aTablet([{ to: ['bob'] }]);
      react(primary, async (asked) => {
        if (isSettlement(asked)) return settleIn(primary, asked);
        delivered.push(asked.id);
      });
      await vi.waitUntil(async () => (await pending(primary)) === 0);
    }
    expect(delivered.map(placeOf)).toEqual(['reaction:t-01:2:0', 'reaction:t-01:2:0']);
    expect(new Set(delivered).size).toBe(2);
  });

  it('are settled with the code when they are refused', async () => {
    const primary = await aTablet([{ to: ['nobody'] }]);
    const settlements: unknown[] = [];
    react(primary, async (asked) => {
      if (!isSettlement(asked)) throw new Rejected({ code: 'NoSuchAccount', message: 'no' });
      settlements.push(asked.data);
      await settleIn(primary, asked);
    });
    await vi.waitUntil(async () => (await pending(primary)) === 0);
    expect(settlements).toMatchObject([
      { outcome: 'refused', code: 'NoSuchAccount' } satisfies Partial<Settlement>,
    ]);
  });

  it('are tried again with the same id after a fault, and hold up no other stream', async () => {
    const streams = Array.from({ length: 12 }, (_, i) => `away-${i}`);
    const primary = await aTablet([{ to: streams }, { to: ['bob'] }]);
    const tried = new Map<string, number>();
    let away = true;
    react(primary, async (asked) => {
      if (isSettlement(asked)) return settleIn(primary, asked);
      tried.set(asked.id, (tried.get(asked.id) ?? 0) + 1);
      if (away && asked.stream !== accountStream('bob')) throw new Fault('Unavailable', 'away');
    });
    await vi.waitUntil(async () => (await pending(primary)) === 12);
    away = false;
    await vi.waitUntil(async () => (await pending(primary)) === 0, { timeout: 5000 });
    expect(tried.size).toBe(13);
    expect(Math.max(...tried.values())).toBeGreaterThan(1);
  });

  it('left pending by an earlier primary are picked up, before those that come later', async () => {
    const primary = await aTablet([{ to: ['bob'] }, { to: ['bob'] }]);
    const delivered: string[] = [];
    let reactor = react(primary, () => new Promise(() => {}));
    reactor.stop();
    reactor = react(primary, async (asked) => {
      if (isSettlement(asked)) return settleIn(primary, asked);
      delivered.push(asked.id);
    });
    const late = {
      stream: accountStream('bob'),
      command: 'mail.ReceiveMessage',
      data: {},
      parts: [],
      origin: accountStream('sender'),
    };
    reactor.add({ seq: 3 as never, n: 0, reaction: late });
    await vi.waitUntil(async () => (await pending(primary)) === 0);
    expect(delivered.slice(0, 2).map(placeOf)).toEqual(['reaction:t-01:2:0', 'reaction:t-01:3:0']);
  });

  it('are given up when the copy loses its place: nothing is settled after that', async () => {
    const primary = await aTablet([{ to: ['bob'] }]);
    const asked: string[] = [];
    let deliver = (): void => {};
    const reactor = react(primary, (one) => {
      asked.push(one.id);
      return new Promise((resolve) => (deliver = resolve));
    });
    await vi.waitUntil(() => asked.length === 1);
    reactor.stop();
    deliver();
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(asked.map(placeOf)).toEqual(['reaction:t-01:2:0']);
    expect(await pending(primary)).toBe(1);
  });

  it('with large parts are not all in memory at once', async () => {
    const messages = Array.from({ length: 8 }, (_, i) => ({ to: [`user-${i}`], bytes: 5 * 1024 * 1024 }));
    const primary = await aTablet(messages);
    let now = 0;
    let most = 0;
    react(primary, async (asked) => {
      if (isSettlement(asked)) return settleIn(primary, asked);
      most = Math.max(most, (now += asked.parts[0]!.length));
      await new Promise((resolve) => setTimeout(resolve, 1));
      now -= asked.parts[0]!.length;
    });
    await vi.waitUntil(async () => (await pending(primary)) === 0);
    expect(most).toBeLessThanOrEqual(16 * 1024 * 1024);
  });
});

async function pending(primary: Primary): Promise<number> {
  const all = { space: 4, from: { row: '', column: '' }, to: null, limit: 1000 } as const;
  return (await primary.cells.scan(TABLET, all)).length;
}
