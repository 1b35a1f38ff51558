import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Callers } from '../../../ops/bench/load/callers.ts';
import { Histogram } from '../../../ops/bench/load/histogram.ts';
import { keyCount, keyName, Values } from '../../../ops/bench/load/workload.ts';
import { orderOf, planOf } from '../../../ops/bench/plan.ts';
import { goalsOf, ratioTo, runOf, type Run } from '../../../ops/bench/results.ts';
import type { Client } from '../../../ops/bench/systems/system.ts';

const { programsFor } = (await import(new URL('../../../ops/setup/needs.mjs', import.meta.url).href)) as {
  programsFor(words: readonly string[]): string[];
};

describe('the histogram of latencies', () => {
  test('gives every percentile within 1.6 % of the true one, and adds up', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.001, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (latencies, share) => {
          const [one, other, both] = [new Histogram(), new Histogram(), new Histogram()];
          latencies.forEach((ms, i) => (i % 2 ? one : other).record(ms));
          both.add(one);
          both.add(other);
          const sorted = [...latencies].sort((a, b) => a - b);
          const true_ = sorted[Math.ceil(share * sorted.length) - 1]!;
          expect(Math.abs(both.percentile(share) - true_)).toBeLessThanOrEqual(true_ * 0.016 + 0.001);
          expect(both.count).toBe(latencies.length);
        },
      ),
    );
  });
});

describe('the closed-loop callers', () => {
  /** A store in a map; `lose` forgets a put that it acknowledges. */
  const storeOf = (lose: (key: string) => boolean = () => false) => {
    const cells = new Map<string, Buffer>();
    let [writing, mostWriting] = [0, 0];
    const client: Client = {
      async put(key, value) {
        mostWriting = Math.max(mostWriting, ++writing);
        await new Promise((resolve) => setImmediate(resolve));
        writing--;
        if (!lose(key)) cells.set(key, value);
      },
      get: async (key) => cells.get(key),
      close: async () => {},
    };
    return { client, most: () => mostWriting };
  };
  const window = { warmUpMs: 5, windowMs: 40 };

  test('never have more in flight than there are callers, and find their values again', async () => {
    const store = storeOf();
    const callers = new Callers(store.client, 100);
    await callers.preload();
    const measured = await callers.run({ work: 'mixed', callers: 7, valueBytes: 100 }, window);
    expect(measured.errors).toBe(0);
    expect(new Histogram(measured.counts).count).toBeGreaterThan(0);
    expect(await callers.check()).toBeGreaterThan(0);
  });

  test('use all callers they are given', async () => {
    const store = storeOf();
    await new Callers(store.client, 100).run({ work: 'put', callers: 7, valueBytes: 100 }, window);
    expect(store.most()).toBe(7);
  });

  test('notice a store that forgot what it acknowledged', async () => {
    const callers = new Callers(storeOf((key) => key === keyName(100, 0)).client, 100);
    await callers.preload();
    await expect(callers.check()).rejects.toThrow('key a-100-000000 has no value, though put 1 was');
  });

  test('count a get that finds nothing as an error', async () => {
    const callers = new Callers(storeOf().client, 100);
    const { errors, counts } = await callers.run(
      { work: 'get', callers: 1, valueBytes: 100 },
      { warmUpMs: 0, windowMs: 5 },
    );
    expect(errors).toBeGreaterThan(0);
    expect(new Histogram(counts).count).toBe(0);
  });
});

describe('the values', () => {
  test('have the length asked for, and differ from put to put', () => {
    for (const bytes of [1, 100, 1024 * 1024]) {
      const values = new Values(bytes);
      expect(values.of(3, 4).length).toBe(bytes);
    }
    const values = new Values(100);
    expect(values.of(3, 4)).not.toEqual(values.of(3, 5));
    expect(values.of(3, 4)).toEqual(new Values(100).of(3, 4));
  });
});

describe('the plan', () => {
  test('is the whole suite unless it is narrowed', () => {
    expect(planOf({}).whole).toBe(true);
    expect(planOf({ seconds: 1 }).whole).toBe(true);
    expect(planOf({ quick: true }).whole).toBe(false);
    expect(planOf({ systems: ['penncloud'] }).whole).toBe(false);
  });

  test('never has more callers than keys that they can write', () => {
    const { cells } = planOf({ callers: [1, 64, 65, 4096], valueBytes: [100, 1024 * 1024] });
    for (const { callers, valueBytes } of cells) expect(callers).toBeLessThanOrEqual(keyCount(valueBytes));
  });

  test('lets each system come first in turn', () => {
    expect([0, 1, 2, 3].map((round) => orderOf(['a', 'b', 'c'], round).join(''))).toEqual([
      'abc',
      'bca',
      'cab',
      'abc',
    ]);
  });
});

describe('the results', () => {
  const cell = { work: 'put', callers: 64, valueBytes: 100 } as const;
  const sampleOf = (operations: number, ms: number) => {
    const histogram = new Histogram();
    for (let i = 0; i < operations; i++) histogram.record(ms);
    const measured = {
      counts: [...histogram.counts],
      windowMs: 1000,
      operations,
      errors: 0,
      firstError: undefined,
    };
    return { measured, serverSeconds: 0.5, generatorSeconds: 0.25 };
  };

  test('add up rounds, and divide processor time by operations', () => {
    const run = runOf('penncloud', cell, [sampleOf(1000, 1), sampleOf(3000, 3)]);
    expect(run).toMatchObject({ opsPerSecond: 2000, megabytesPerSecond: 0.2, serverMicroseconds: 250 });
    expect(run.generatorMicroseconds).toBe(125);
    expect(run.p50Ms).toBeCloseTo(3, 1);
  });

  test('say how many times as fast PennCloud is, and which goals are met', () => {
    const runs: Run[] = [
      runOf('penncloud', cell, [sampleOf(3000, 1)]),
      runOf('etcd', cell, [sampleOf(500, 9)]),
      runOf('redis', cell, [sampleOf(4000, 1)]),
    ];
    expect(ratioTo(runs[1]!, runs)).toBe(6);
    const goals = goalsOf({ runs, disk: [], loopback: { p50Ms: 0.02, p99Ms: 0.1 } });
    expect(goals.map(({ name, met }) => [name, met])).toEqual([
      ['put, 64 callers, 100 bytes, against etcd', true],
      ['put, 64 callers, 100 bytes, against redis', false],
      ['put, 64 callers, 100 bytes: p99 against etcd', true],
    ]);
  });
});

describe('the programs that a command needs', () => {
  test.each([
    [['up'], ['nats-server']],
    [
      ['up', '--config-store', 'etcd'],
      ['nats-server', 'etcd'],
    ],
    [['kv', 'get', 'up', 'bench'], []],
    [['bench'], ['nats-server', 'etcd', 'redis-server']],
    [
      ['bench', '--quick', '--systems', 'penncloud,redis'],
      ['nats-server', 'redis-server'],
    ],
    [['bench', '--systems=etcd'], ['etcd']],
    [['bench', '--systems', 'mysql'], []],
    [['bench', '--help'], []],
  ])('%j: %j', (words, programs) => {
    expect(programsFor(words)).toEqual(programs);
  });
});
