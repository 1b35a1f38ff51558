/** A primary looks up only the command ids that it may know. */
import { afterEach, describe, expect, it } from 'vitest';
import { KnownCommands } from '../../../storage-nodes/tablet/known-commands.ts';
import { commandAddress, encodeJson } from '../../../storage-nodes/tablet/platform-cells.ts';
import { seq } from '../../../storage-nodes/words.ts';
import { memoryCells, TABLET } from './log-of-entries.ts';

const LATER = 2_000_000_000_000;
const known: KnownCommands[] = [];
afterEach(() => {
  for (const one of known.splice(0)) one.stop();
});

/** With ids in the cells; `pages` runs what waits for its time, until nothing does. */
async function aFilter(ids: readonly string[] = []) {
  const cells = await memoryCells();
  const at = seq(1);
  void cells.write(
    TABLET,
    at,
    ids.map((id) => ({
      ...commandAddress(id),
      seq: at,
      content: { bytes: encodeJson({ seq: 1, expiresAt: LATER }) },
    })),
  );
  const waiting: (() => void)[] = [];
  const timers = {
    after(_ms: number, run: () => void) {
      waiting.push(run);
      return () => {};
    },
    soon: (run: () => void) => run(),
  };
  const filter = new KnownCommands({ tablet: TABLET, cells, timers });
  known.push(filter);
  const pages = async (): Promise<void> => {
    for (let run = waiting.shift(); run; run = waiting.shift()) {
      run();
      await new Promise(setImmediate);
    }
  };
  return { filter, pages };
}
const id = (n: number): string => `7b7a4e6e-6c0d-4f49-8f3e-${String(n).padStart(12, '0')}`;
const ids = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => id(from + i));

describe('known commands', () => {
  it('may be anything until those in the cells have been read; then every one of them is found', async () => {
    const { filter, pages } = await aFilter(ids(0, 2500));
    expect(filter.mayHave('new')).toBe(true);
    await pages();
    for (const one of ids(0, 2500)) expect(filter.mayHave(one)).toBe(true);
    expect(filter.mayHave('new')).toBe(false);
  });

  it('never miss one that was decided, and seldom take a new one for known', async () => {
    const { filter, pages } = await aFilter();
    await pages();
    const decided = ids(0, 150_000);
    for (const one of decided) filter.add(one, LATER);
    expect(decided.filter((one) => !filter.mayHave(one))).toEqual([]);
    const mistaken = ids(500_000, 520_000).filter((one) => filter.mayHave(one));
    expect(mistaken.length).toBeLessThan(400);
  });

  it('are forgotten once all that were decided in their time have expired; without an expiry, never', async () => {
    const { filter, pages } = await aFilter();
    await pages();
    filter.add('short', 1000);
    filter.forget(999);
    expect(filter.mayHave('short')).toBe(true);
    filter.forget(1000);
    expect(filter.mayHave('short')).toBe(false);
    filter.add('for good', 0);
    filter.forget(LATER * 2);
    expect(filter.mayHave('for good')).toBe(true);
  });

  it('beyond what the filters hold may be anything, until those beyond have expired', async () => {
    const { filter, pages } = await aFilter();
    await pages();
    const many = 16 * 65_536 + 1;
    for (let n = 0; n < many; n++) filter.add(String(n), n === many - 1 ? 500 : 1000);
    expect(filter.mayHave('new')).toBe(true);
    filter.forget(500);
    expect(filter.mayHave('new')).toBe(false);
    expect(filter.mayHave('0')).toBe(true);
  });
});
