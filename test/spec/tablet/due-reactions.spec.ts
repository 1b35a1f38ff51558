/**
 * Reactions that wait for a time, on a clock that the test drives: carried out once, at their time, by whoever
 * is the primary then; and lanes, so that long work holds up nothing else.
 */
import pino from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Json } from '../../../domain/decider.ts';
import { accountStream } from '../../../domain/streams.ts';
import { Rejected, type Accepted, type CommandRequest } from '../../../storage-nodes/client/client.ts';
import { Reactor } from '../../../storage-nodes/tablet/reactor.ts';
import { SETTLE_REACTION } from '../../../storage-nodes/tablet/settlement.ts';
import type { Timers } from '../../../storage-nodes/timers.ts';
import { SPACE } from '../../../storage-nodes/cells/cells.ts';
import { id, summary } from '../given.ts';
import { APPLICATION, command, memoryCells, Primary, TABLET } from './log-of-entries.ts';

const ALICE = accountStream('alice');
const BOB = accountStream('bob');
const MINUTE = 60_000;

/** Timers of a clock that stands still until it is told to go on. */
class DrivenTimers implements Timers {
  readonly #primary: Primary;
  #waiting: { readonly at: number; readonly run: () => void }[] = [];

  constructor(primary: Primary) {
    this.#primary = primary;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#primary.time + ms, run };
    this.#waiting.push(timer);
    return () => (this.#waiting = this.#waiting.filter((other) => other !== timer));
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  /** Goes on to that time, and stops at each timer on the way until all that it set off is done. */
  async goTo(time: number): Promise<void> {
    for (;;) {
      const [next] = this.#waiting.filter(({ at }) => at <= time).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#primary.time = Math.max(this.#primary.time, next.at);
      this.#waiting = this.#waiting.filter((timer) => timer !== next);
      next.run();
      await quiet();
    }
    this.#primary.time = Math.max(this.#primary.time, time);
    await quiet();
  }
}

/** Until what is under way in memory is done. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const reactors: Reactor[] = [];
afterEach(() => {
  for (const reactor of reactors.splice(0)) reactor.stop();
});

async function aTablet(): Promise<Primary> {
  const primary = new Primary(await memoryCells());
  for (const name of ['alice', 'bob']) {
    const parts = [Buffer.from('$argon2id$x'), Buffer.from(name)];
    await primary.decide(command('account.SignUp', accountStream(name), { name, admin: false }, parts));
  }
  await primary.apply();
  return primary;
}

type Serving = {
  readonly timers: DrivenTimers;
  readonly reactor: Reactor;
  /** What was carried out, settlements left out, and when. */
  readonly done: { readonly asked: CommandRequest; readonly at: number }[];
};

/** A primary with its reactor: what it carries out is decided by the same tablet. */
function serve(primary: Primary, before: (asked: CommandRequest) => Promise<void> = async () => {}): Serving {
  const timers = new DrivenTimers(primary);
  const done: Serving['done'] = [];
  const reactor = new Reactor({
    tablet: TABLET,
    cells: primary.cells,
    log: primary.reader(),
    application: APPLICATION,
    logger: pino({ level: 'silent' }),
    clock: () => primary.time,
    timers,
    execute: async (asked): Promise<Accepted> => {
      await before(asked);
      if (asked.type !== SETTLE_REACTION) done.push({ asked, at: primary.time });
      const outcome = await primary.decide(asked);
      await primary.apply();
      if (outcome.kind === 'rejected') throw new Rejected(outcome.rejection);
      return { tablet: TABLET, seq: 1, time: primary.time, reply: null };
    },
  });
  reactors.push(reactor);
  primary.onReaction = (asked) => reactor.add(asked);
  void reactor.start();
  return { timers, reactor, done };
}

async function ask(primary: Primary, type: string, data: object, parts: (string | Uint8Array)[] = []) {
  const bytes = parts.map((part) => Buffer.from(part as string));
  const outcome = await primary.decide(command(`mail.${type}`, ALICE, data, bytes));
  await primary.apply();
  return outcome;
}
const schedule = (primary: Primary, number: number, dueAt: number) =>
  ask(primary, 'SendMessage', { messageId: id(number), recipients: ['bob'], dueAt }, [
    `message ${number}`,
    summary(),
    summary(),
  ]);
const named = ({ done }: Serving, type: string) => done.filter(({ asked }) => asked.type === `mail.${type}`);
async function pending(primary: Primary): Promise<number> {
  const all = { space: SPACE.reactions, from: { row: '', column: '' }, to: null, limit: 10_000 } as const;
  return (await primary.cells.scan(TABLET, all)).length;
}
async function slice(primary: Primary, stream: string, key: string): Promise<Json | undefined> {
  const [cell] = await primary.cells.get(TABLET, [{ space: SPACE.state, row: stream, column: key }]);
  return cell && 'bytes' in cell.content
    ? (JSON.parse(Buffer.from(cell.content.bytes).toString()) as Json)
    : undefined;
}

describe('a reaction that is due at a time', () => {
  it.each([
    ['ten seconds', 10_000],
    ['one minute', MINUTE],
    ['a minute and a millisecond', MINUTE + 1],
    ['three hours', 180 * MINUTE],
  ])('in %s is carried out then, not before, and once', async (_what, ahead) => {
    const primary = await aTablet();
    const serving = serve(primary);
    await quiet();
    const dueAt = primary.time + ahead;
    await schedule(primary, 1, dueAt);
    await serving.timers.goTo(dueAt - 1);
    expect(serving.done).toEqual([]);
    await serving.timers.goTo(dueAt + 5 * MINUTE);
    expect(named(serving, 'ReleaseMessage').map(({ at }) => at)).toEqual([dueAt]);
    expect(named(serving, 'ReceiveMessage')).toHaveLength(1);
    expect(await slice(primary, BOB, `message/${id(1)}-in`)).toEqual({ thread: `${id(1)}-in` });
    expect(await pending(primary)).toBe(0);
  });

  it('is carried out at once when its time is over already, also when nobody served meanwhile', async () => {
    const primary = await aTablet();
    await schedule(primary, 1, primary.time + MINUTE);
    primary.time += 500 * MINUTE;
    const serving = serve(primary);
    await quiet();
    await serving.timers.goTo(primary.time);
    expect(named(serving, 'ReleaseMessage')).toHaveLength(1);
    await schedule(primary, 2, primary.time - MINUTE);
    await serving.timers.goTo(primary.time);
    expect(named(serving, 'ReleaseMessage')).toHaveLength(2);
  });

  it('is kept by the next primary, and carried out by that one alone', async () => {
    const primary = await aTablet();
    const first = serve(primary);
    await quiet();
    const dueAt = primary.time + 30_000;
    await schedule(primary, 1, dueAt);
    await first.timers.goTo(dueAt - 1000);
    first.reactor.stop();
    const second = serve(primary);
    await quiet();
    await first.timers.goTo(dueAt - 1);
    await second.timers.goTo(dueAt + MINUTE);
    await first.timers.goTo(dueAt + MINUTE);
    expect(first.done).toEqual([]);
    expect(named(second, 'ReleaseMessage').map(({ at }) => at)).toEqual([dueAt]);
    expect(named(second, 'ReceiveMessage')).toHaveLength(1);
  });

  it('that was carried out and not settled is carried out again under the same id, in effect once', async () => {
    const primary = await aTablet();
    let isLost = true;
    const first = serve(primary, async ({ type }) => {
      if (type === SETTLE_REACTION && isLost) await new Promise(() => {});
    });
    await quiet();
    const dueAt = primary.time + 1000;
    await schedule(primary, 1, dueAt);
    await first.timers.goTo(dueAt);
    expect(named(first, 'ReleaseMessage')).toHaveLength(1);
    first.reactor.stop();
    isLost = false;
    const second = serve(primary);
    await quiet();
    await second.timers.goTo(dueAt + MINUTE);
    const ids = [...named(first, 'ReleaseMessage'), ...named(second, 'ReleaseMessage')].map(
      ({ asked }) => asked.id,
    );
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
    expect(await pending(primary)).toBe(0);
    const inBob = (
      await primary.cells.scan(TABLET, {
        space: SPACE.state,
        from: { row: BOB, column: 'message/' },
        to: { row: BOB, column: 'message/~' },
        limit: 10,
      })
    ).length;
    expect(inBob).toBe(1);
  });

  it('does nothing when what it was for was taken back, and is settled', async () => {
    const primary = await aTablet();
    const serving = serve(primary);
    await quiet();
    const dueAt = primary.time + 10_000;
    await schedule(primary, 1, dueAt);
    await ask(primary, 'CancelSending', { messageId: id(1) });
    await serving.timers.goTo(dueAt + MINUTE);
    expect(named(serving, 'ReleaseMessage')).toHaveLength(1);
    expect(named(serving, 'ReceiveMessage')).toEqual([]);
    expect(await pending(primary)).toBe(0);
  });

  it('waits for no other one: a hundred with times of their own each have theirs', async () => {
    const primary = await aTablet();
    const serving = serve(primary);
    await quiet();
    const start = primary.time;
    for (let n = 1; n <= 100; n++) await schedule(primary, n, start + ((n * 37) % 101) * 1000);
    await serving.timers.goTo(start + 200_000);
    const times = named(serving, 'ReleaseMessage').map(({ asked, at }) => {
      const { messageId } = asked.data as { messageId: string };
      return [messageId, at];
    });
    const expected = Array.from({ length: 100 }, (_, i) => [
      id(i + 1),
      start + (((i + 1) * 37) % 101) * 1000,
    ]);
    expect(new Map(times as [string, number][])).toEqual(new Map(expected as [string, number][]));
  });
});

describe('parts of an earlier entry', () => {
  it('go along, those that are named and no others', async () => {
    const primary = await aTablet();
    const serving = serve(primary);
    await quiet();
    await ask(primary, 'SendMessage', { messageId: id(1), recipients: ['bob'], dueAt: primary.time + 1000 }, [
      'the message',
      summary(),
      summary({ subject: 'no Bcc' }),
      'words with Bcc',
      'words',
      '[]',
    ]);
    await serving.timers.goTo(primary.time + 1000);
    const [delivery] = named(serving, 'ReceiveMessage');
    expect(delivery?.asked.parts.map((part) => Buffer.from(part).toString())).toEqual([
      'the message',
      Buffer.from(summary({ subject: 'no Bcc' })).toString(),
      'words',
    ]);
  });

  it('that were erased meanwhile are empty, and the delivery is made', async () => {
    const primary = await aTablet();
    const serving = serve(primary);
    await quiet();
    const dueAt = primary.time + 1000;
    await schedule(primary, 1, dueAt);
    const at = primary.log.length - 1;
    primary.log[at] = { ...primary.log[at]!, parts: [undefined, undefined, undefined] as never };
    await serving.timers.goTo(dueAt);
    expect(
      named(serving, 'ReceiveMessage').map(({ asked }) => asked.parts.map(({ length }) => length)),
    ).toEqual([[0, 0]]);
    expect(await slice(primary, BOB, `message/${id(1)}-in`)).toBeDefined();
  });
});

describe('work in many steps', () => {
  const receive = (primary: Primary, number: number) =>
    ask(primary, 'ReceiveMessage', { messageId: id(number), via: 'smtp' }, ['x', summary()]);

  it('has a lane of its own: a delivery to the same account does not wait for it', async () => {
    const primary = await aTablet();
    let stepsMayGo = (): void => {};
    const gate = new Promise<void>((resolve) => (stepsMayGo = resolve));
    const serving = serve(primary, async ({ type }) => {
      if (type === 'mail.CarryOutBulk') await gate;
    });
    for (const n of [1, 2, 3]) await receive(primary, n);
    await ask(primary, 'StartBulk', { bulkId: id(9), in: ['inbox'], to: { folder: 'archive' } }, [
      id(1),
      id(2),
    ]);
    const parts = ['to myself', summary(), summary()];
    await ask(primary, 'SendMessage', { messageId: id(4), recipients: ['alice'] }, parts);
    await quiet();
    expect(named(serving, 'ReceiveMessage')).toHaveLength(1);
    expect(named(serving, 'CarryOutBulk')).toEqual([]);
    stepsMayGo();
    await vi.waitUntil(async () => (await pending(primary)) === 0);
    expect(named(serving, 'CarryOutBulk').map(({ asked }) => asked.data)).toMatchObject([
      { bulkId: id(9), page: 0 },
      { bulkId: id(9), page: 1 },
    ]);
  });

  it(
    'is carried out to the end, one step after another: a thousand of them',
    { timeout: 60_000 },
    async () => {
      const primary = await aTablet();
      for (let n = 1; n <= 1000; n++) await receive(primary, n);
      let now = 0;
      let most = 0;
      const serving = serve(primary, async ({ type }) => {
        if (type === 'mail.CarryOutBulk') most = Math.max(most, ++now);
        if (type === SETTLE_REACTION) now = 0;
      });
      const pages = Array.from({ length: 1000 }, (_, n) => id(n + 1));
      await ask(primary, 'StartBulk', { bulkId: id(5000), in: ['inbox'], to: { folder: 'archive' } }, pages);
      await vi.waitUntil(async () => (await pending(primary)) === 0, { timeout: 50_000 });
      expect(
        named(serving, 'CarryOutBulk').map(({ asked }) => (asked.data as { page: number }).page),
      ).toEqual(pages.map((_, n) => n));
      expect(most).toBe(1);
      expect(await slice(primary, ALICE, `thread/${id(1000)}`)).toMatchObject({
        messages: [{ folder: 'archive' }],
      });
    },
  );
});
