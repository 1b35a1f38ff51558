/** Whose time entries get when clocks differ. */
import pino from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { NodeClock } from '../../storage-nodes/node-clock.ts';
import type { Timers } from '../../storage-nodes/timers.ts';
import { nodeId } from '../../storage-nodes/words.ts';

const NOON = Date.UTC(2030, 0, 1, 12);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const two = nodeId('node-2');
const three = nodeId('node-3');

/** How long node-1 has run, and how far its wall clock is from the right time. */
let passed: number;
let wrongBy: number;
let told: number[];
let lines: string[];
const right = (): number => NOON + passed;

const timers: Timers = {
  after(ms, run) {
    passed += ms;
    queueMicrotask(run);
    return () => {};
  },
  soon: queueMicrotask,
};
const clockAmong = (peerCount: number): NodeClock =>
  new NodeClock({
    peerCount,
    wall: () => right() + wrongBy,
    now: () => 5_000_000.25 + passed,
    tell: (wall) => told.push(wall),
    timers,
    logger: pino(
      { level: 'info' },
      { write: (line) => void lines.push((JSON.parse(line) as { msg: string }).msg) },
    ),
  });
let clock: NodeClock;

beforeEach(() => {
  passed = wrongBy = 0;
  told = [];
  lines = [];
  clock = clockAmong(2);
});

describe('the time of entries', () => {
  it('is the own clock while nobody was heard', () => {
    wrongBy = 14 * HOUR;
    expect(clock.time()).toBe(right() + wrongBy);
    expect(clock.alarm).toBeUndefined();
  });

  it.each([
    ['ahead', 14 * HOUR],
    ['behind', -14 * HOUR],
  ])('is the right one while one clock of three is %s, whoever’s it is', (_, by) => {
    clock.heard(two, right());
    clock.heard(three, right());
    wrongBy = by;
    expect(clock.time()).toBe(right());
    wrongBy = 0;
    clock.heard(three, right() + by);
    expect(clock.time()).toBe(right());
  });

  it('is that of the clock behind while only two are heard: it spoils nothing', () => {
    clock.heard(two, right());
    wrongBy = 14 * HOUR;
    expect(clock.time()).toBe(right());
    wrongBy = -HOUR;
    expect(clock.time()).toBe(right() - HOUR);
  });

  it('goes on at the monotonic pace behind what was told last, also when the own clock jumps', () => {
    clock.heard(two, right());
    clock.heard(three, right());
    passed += 9 * MINUTE;
    wrongBy = 14 * HOUR;
    expect(clock.time()).toBe(right());
  });

  it('takes a peer at its last word, and forgets one that has long been silent', () => {
    clock.heard(two, right() - HOUR);
    expect(clock.time()).toBe(right() - HOUR);
    clock.heard(two, right() - MINUTE);
    expect(clock.time()).toBe(right() - MINUTE);
    passed += 11 * MINUTE;
    expect(clock.time()).toBe(right());
  });

  it('is a whole number of milliseconds', () => {
    clock.heard(two, right() - 0.5);
    expect(Number.isInteger(clock.time())).toBe(true);
  });
});

describe('a clock that is off', () => {
  it('raises an alarm that says by how much and which way, on that node only', () => {
    clock.heard(two, right());
    clock.heard(three, right() + 90 * SECOND);
    expect(clock.alarm).toBeUndefined();
    wrongBy = 14 * HOUR;
    expect(clock.offBy).toBe(14 * HOUR - 90 * SECOND);
    expect(clock.alarm).toContain(`${14 * 3600 - 90} s ahead of the other nodes'`);
    wrongBy = -20 * SECOND;
    expect(clock.alarm).toContain("20 s behind the other nodes'");
  });

  it('raises none within a few seconds', () => {
    clock.heard(two, right());
    clock.heard(three, right());
    wrongBy = 4 * SECOND;
    expect(clock.alarm).toBeUndefined();
  });

  it('is told as it is once a second, and logged once, until it is right again', () => {
    clock.heard(two, right());
    wrongBy = HOUR;
    for (; passed < 5 * SECOND; passed += 25) clock.tick();
    expect(told).toEqual([0, 1, 2, 3, 4].map((n) => NOON + HOUR + n * SECOND));
    expect(lines).toEqual([expect.stringContaining('3600 s ahead')]);
    wrongBy = 0;
    passed += SECOND;
    clock.tick();
    expect(lines).toHaveLength(2);
  });
});

describe('where log time begins', () => {
  it('waits until the own clock is not believed alone', async () => {
    let settled = false;
    const settling = clock.settled().then(() => (settled = true));
    await Promise.resolve();
    expect(settled).toBe(false);
    clock.heard(two, right());
    await settling;
    expect(passed).toBeLessThan(SECOND);
  });

  it('does not wait for a node that is alone, nor for long for peers that say nothing', async () => {
    await clockAmong(0).settled();
    expect(passed).toBe(0);
    await clock.settled();
    expect(passed).toBeGreaterThanOrEqual(SECOND);
  });
});
