/**
 * Runs that concentrate on one danger: what several faults must do together, at the right moment, hardly ever
 * comes about where everything goes wrong at random. Each says which circumstances it makes likely; the rest
 * of a run's profile is drawn as ever.
 */
import type { Random } from '../engine/random.ts';
import { NEVER, type Profile } from './profile.ts';

/** Share of seeds that have a theme. */
export const THEMED = 0.4;

export const THEMES: readonly ((random: Random) => Partial<Profile>)[] = [
  /** Entries of an epoch that has passed arrive while those of the next are under way (rule 2). */
  (random) => ({
    kinds: ['late words'],
    everyMs: random.pick([400, 1200]),
    thinkMs: 5,
    network: { latencyMs: random.pick([2, 15]), unordered: false, loss: 0 },
    lifeOperations: NEVER,
    operations: 300,
  }),
  /** Reads at a primary that hears old answers and was replaced, of cells that its successor writes (rule 7). */
  (random) => ({
    kinds: ['late answers'],
    everyMs: 1200,
    thinkMs: 40,
    readers: 2,
    readerShare: 1,
    rows: random.pick([1, 2]),
    columns: 1,
    clients: 5,
    lifeOperations: NEVER,
    drift: random.pick([0, 0.05]),
    operations: 300,
  }),
  /** A primary loses acknowledged entries and is back before others may replace it (rule 5). */
  (random) => ({
    kinds: ['lost tail'],
    everyMs: random.pick([400, 1200]),
    quickStarts: 0.95,
    lifeOperations: NEVER,
    network: { latencyMs: random.pick([0.3, 2]), unordered: false, loss: 0 },
    ambiguity: 0,
  }),
  /** A copy drops what its new primary does not have, and loses its tail with that truncation (rule 5). */
  (random) => ({
    kinds: ['block', 'lost truncation'],
    everyMs: 150,
    thinkMs: 40,
    clients: 7,
    readers: 0,
    lifeOperations: NEVER,
    quickStarts: 0.95,
    network: { latencyMs: random.pick([5, 15]), unordered: false, loss: 0 },
  }),
  /** No room when a journal file is begun while the one before is needed still; then death (rule 12). */
  (random) => ({
    kinds: ['full beginning'],
    everyMs: random.pick([150, 400]),
    journalSegmentBytes: 16 * 1024,
    longValues: 0.4,
    syncMs: random.pick([2, 10]),
    lifeOperations: NEVER,
    quickStarts: 0.95,
  }),
  /** A process is killed between a write and its fsync, and the next ones lose their power while they open. */
  (random) => ({
    kinds: ['deaths in a row'],
    syncMs: random.pick([4, 10]),
    everyMs: 400,
    tears: true,
    thinkMs: 5,
    lifeOperations: NEVER,
    quickStarts: 0.95,
  }),
];
