/**
 * The log is stopped at a random file operation, again and again: by killing the process, or by
 * cutting the power, which loses what no fsync covered. Whatever it had acknowledged must be there when
 * it is opened again; what was under way may be there or not, but never in part, out of order or damaged.
 */
import fc from 'fast-check';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DiskLog } from '../../storage-nodes/log/disk-log.ts';
import type { LogRecord } from '../../storage-nodes/log/entry.ts';
import { LogFiles } from '../../storage-nodes/log/log-files.ts';
import { realTimers, type Timers } from '../../storage-nodes/timers.ts';
import { seq } from '../../storage-nodes/words.ts';
import type { TabletId } from '../../storage-nodes/words.ts';
import { EntryChain, SMALL, T1, T2, openLog, plain, withFolder } from './log-history.ts';
import { FailingDisk } from './log-power-cut.ts';
import type { Failure } from './log-power-cut.ts';

type Step = {
  readonly tablet: TabletId;
  readonly act: 'append' | 'truncate' | 'commit' | 'drop' | 'settle';
  readonly amount: number;
};

/** What one tablet's log may hold: its state after each change asked for, in order. */
class Expected {
  /** states[0] is what was found at the last opening. */
  states: LogRecord[][] = [[]];
  acknowledged = 0;
  /** Durable and not truncated since, as far as the callers know. */
  durable = 0;
  commitAsked = 0;
  commitDone = 0;
  pending: Promise<unknown>[] = [];

  get now(): LogRecord[] {
    return this.states.at(-1)!;
  }

  /** Whether these records are one of the states, or on the way from one to the next by an append. */
  allows(found: readonly LogRecord[]): boolean {
    const text = JSON.stringify(found.map(plain));
    return this.states.some((state, i) => {
      if (i < this.acknowledged) return false;
      if (JSON.stringify(state.map(plain)) === text) return true;
      const next = this.states[i + 1];
      return (
        next !== undefined &&
        found.length > state.length &&
        JSON.stringify(next.slice(0, found.length).map(plain)) === text
      );
    });
  }

  restart(found: LogRecord[], committed: number): void {
    this.states = [found];
    this.acknowledged = 0;
    this.durable = found.length;
    this.commitAsked = this.commitDone = committed;
    this.pending = [];
  }
}

function perform(
  log: DiskLog,
  { tablet, act, amount }: Step,
  expected: Expected,
  round: number,
): Promise<unknown> {
  const change = (state: LogRecord[], done: Promise<void>, after: () => void): void => {
    expected.states.push(state);
    const index = expected.states.length - 1;
    expected.pending.push(
      done.then(() => {
        expected.acknowledged = Math.max(expected.acknowledged, index);
        after();
      }),
    );
  };
  if (act === 'append') {
    const chain = new EntryChain(expected.now.at(-1));
    const parts = amount % 7 === 0 ? [80_000, 100] : [amount * 13];
    const records = chain.many(1 + (amount % 6), { epoch: round, parts, text: `${tablet} ${round}` });
    const state = [...expected.now, ...records];
    change(
      state,
      log.append(tablet, records),
      () => (expected.durable = Math.max(expected.durable, state.length)),
    );
  } else if (act === 'truncate') {
    const from = expected.commitAsked + 1 + (amount % (expected.now.length - expected.commitAsked + 1));
    // A caller may not commit what it is about to truncate, nor what it has not heard to be durable since.
    const state = expected.now.slice(0, from - 1);
    expected.durable = Math.min(expected.durable, from - 1);
    return Promise.all(expected.pending).then(() => {
      expected.durable = from - 1;
      change(state, log.truncate(tablet, seq(from)), () => undefined);
    });
  } else if (act === 'commit' && expected.durable > expected.commitAsked) {
    const upTo = expected.commitAsked + 1 + (amount % (expected.durable - expected.commitAsked));
    expected.commitAsked = upTo;
    const done = log.commit(tablet, seq(upTo));
    // Copied a moment later, unless somebody wants it now.
    const copied = done.then(() => log.copied(tablet));
    const noted = copied.then(() => void (expected.commitDone = Math.max(expected.commitDone, upTo)));
    expected.pending.push(amount % 2 === 0 ? noted : done);
    noted.catch(() => undefined);
  } else if (act === 'drop') {
    return Promise.all(expected.pending).then(() => {
      expected.durable = expected.commitAsked = expected.commitDone = 0;
      change([], log.drop(tablet), () => undefined);
      return Promise.all(expected.pending);
    });
  } else if (act === 'settle') {
    return Promise.all(expected.pending);
  }
  return Promise.resolve();
}

const steps = fc.array(
  fc.record({
    tablet: fc.constantFrom(T1, T2),
    act: fc.oneof(
      { weight: 12, arbitrary: fc.constant('append' as const) },
      { weight: 8, arbitrary: fc.constant('commit' as const) },
      { weight: 6, arbitrary: fc.constant('settle' as const) },
      { weight: 2, arbitrary: fc.constant('truncate' as const) },
      { weight: 1, arbitrary: fc.constant('drop' as const) },
    ),
    amount: fc.nat(60),
  }),
  { minLength: 30, maxLength: 120 },
);

type Round = { readonly failure: Failure; readonly failAt: number; readonly steps: readonly Step[] };

const roundsOf = (failures: readonly Failure[]): fc.Arbitrary<Round[]> =>
  fc.array(
    fc.record({ failure: fc.constantFrom(...failures), failAt: fc.integer({ min: 1, max: 220 }), steps }),
    { minLength: 2, maxLength: 5 },
  );

/** Opens the log as it is found after a crash and compares; leaves it closed. */
async function inspect(
  folder: string,
  expected: ReadonlyMap<TabletId, Expected>,
  disk: FailingDisk,
  failures: readonly Failure[],
) {
  const { log, tablets } = await openLog(folder, { ...SMALL, files: disk.run('kill') });
  try {
    for (const [tablet, model] of expected) {
      const found = tablets.get(tablet);
      expect(found?.damage ?? []).toEqual([]);
      const committed = await log.read(tablet, seq(1), 1e9);
      expect(committed.length).toBe(found?.committed ?? 0);
      const all = [...committed, ...(found?.prepared ?? [])];
      const shown = all.map((record) => `${record.seq}/${record.epoch}`).join(' ');
      expect(model.allows(all), `${tablet} holds ${shown}, acknowledged: change ${model.acknowledged}`).toBe(
        true,
      );
      // What another process could read is gone after a power cut at worst; and of a dropped tablet.
      const dropped = model.states.slice(1).some((state) => state.length === 0);
      if (!dropped) expect(committed.length).toBeLessThanOrEqual(model.commitAsked);
      if (!dropped && !failures.includes('power'))
        expect(committed.length).toBeGreaterThanOrEqual(model.commitDone);
      expect(await log.scrub(tablet)).toEqual([]);
      const outside: LogRecord[] = [];
      for await (const record of new LogFiles(folder).entries(tablet)) outside.push(record);
      expect(outside.map(plain)).toEqual(committed.map(plain));
      model.restart(all, committed.length);
    }
  } finally {
    await log.close();
  }
}

test.each<[string, Failure[]]>([
  ['the process is killed', ['kill']],
  ['the power is cut', ['power']],
  ['now the one, now the other', ['kill', 'power']],
])(
  'what was acknowledged survives, at whatever file operation it happens: %s',
  async (_what, failures) => {
    await fc.assert(
      fc.asyncProperty(
        roundsOf(failures),
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        async (rounds, numbers) => {
          await withFolder(async (base) => {
            const folder = join(base, 'log');
            const expected = new Map([T1, T2].map((tablet) => [tablet, new Expected()]));
            const disk = new FailingDisk(() => numbers.next().value as number, join(base, 'trash'));
            for (const [index, { failure, failAt, steps: program }] of rounds.entries()) {
              const life = disk.run(failure, failAt);
              const log = new DiskLog({ folder, ...SMALL, files: life });
              const run = async (): Promise<void> => {
                await log.open();
                for (const step of program) await perform(log, step, expected.get(step.tablet)!, index + 1);
                await log.close();
              };
              await Promise.race([run(), life.ended]);
              await life.bury(folder);
              await inspect(folder, expected, disk, failures);
            }
          });
        },
      ),
      { numRuns: 20, endOnFailure: true },
    );
  },
  120_000,
);

/** Loses all that it may. */
const losesAll = (base: string): FailingDisk => new FailingDisk(() => 0.9, join(base, 'trash'));

test('what a killed process had written but not synced is synced by the next one before it relies on it', async () => {
  await withFolder(async (base) => {
    const folder = join(base, 'log');
    const disk = losesAll(base);
    const records = new EntryChain().many(20);
    const first = disk.run('kill');
    const log = new DiskLog({ folder, ...SMALL, files: first });
    await log.open();
    await log.append(T1, records);
    await log.commit(T1, seq(15));
    await log.copied(T1);
    await first.bury(folder);
    const second = disk.run('power');
    await new DiskLog({ folder, ...SMALL, files: second }).open();
    await second.bury(folder);
    const { log: third, tablets } = await openLog(folder);
    const found = tablets.get(T1)!;
    expect(found).toMatchObject({ committed: 15, damage: [] });
    expect([...(await third.read(T1, seq(1), 1e9)), ...found.prepared].map(plain)).toEqual(
      records.map(plain),
    );
    await third.close();
  });
});

test('the mark that says that all was synced may be lost itself: nothing depends on it', async () => {
  await withFolder(async (base) => {
    const folder = join(base, 'log');
    const life = losesAll(base).run('power');
    const log = new DiskLog({ folder, ...SMALL, files: life });
    await log.open();
    const chain = new EntryChain();
    const records = chain.many(10, { parts: [1200] });
    await log.append(T1, records);
    const before = life.operations;
    await expect.poll(() => life.operations).toBe(before + 1);
    // What comes behind the mark goes to the next file, and is synced there.
    const behind = chain.many(1, { parts: [2000] });
    await log.append(T1, behind);
    await life.bury(folder);
    const { log: next, tablets } = await openLog(folder);
    expect(tablets.get(T1)).toMatchObject({ damage: [] });
    expect(tablets.get(T1)!.prepared.map(plain)).toEqual([...records, ...behind].map(plain));
    await next.close();
  });
});

test('openings that are cut off one after another, wherever that is, do not make a torn tail look like damage', async () => {
  // About when an opening writes again what was prepared, and the next one has done so and not noted it.
  for (let first = 13; first <= 21; first++) {
    for (let second = first + 6; second <= first + 12; second++) {
      await withFolder(async (base) => {
        const folder = join(base, 'log');
        const disk = new FailingDisk(() => 0.5, join(base, 'trash'));
        const chain = new EntryChain();
        const records = chain.many(1, { parts: [1200] });
        const life = disk.run('kill', await operationsUntil(base, records));
        const log = new DiskLog({ folder, ...SMALL, files: life });
        await log.open();
        await log.append(T1, records);
        void log.append(T1, chain.many(1, { parts: [1200] }));
        await life.ended;
        await life.bury(folder);
        for (const failAt of [first, second]) {
          const next = disk.run('kill', failAt);
          const opening = new DiskLog({ folder, ...SMALL, files: next, timers: MARKS_AT_ONCE }).open();
          await Promise.race([opening, next.ended]);
          await next.bury(folder);
        }
        const { log: last, tablets } = await openLog(folder);
        const found = tablets.get(T1)!;
        expect({ first, second, damage: found.damage }).toEqual({ first, second, damage: [] });
        expect(found.prepared.map(plain)).toEqual(records.map(plain));
        await last.close();
      });
    }
  }
}, 120_000);

/** The journal's mark is written as soon as nothing else is. */
const MARKS_AT_ONCE: Timers = {
  after: (ms, run) => realTimers.after(ms > 1000 ? ms : 0, run),
  soon: (run) => realTimers.soon(run),
};

/** The number of the write behind these records. */
async function operationsUntil(base: string, records: readonly LogRecord[]): Promise<number> {
  const life = new FailingDisk(() => 0.5, join(base, 'trash of a trial')).run('kill');
  const log = new DiskLog({ folder: join(base, 'trial'), ...SMALL, files: life });
  await log.open();
  await log.append(T1, records);
  const { operations } = life;
  await log.close();
  return operations + 1;
}
