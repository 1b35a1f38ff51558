/** Draws what a run is made of. */
import type { Random } from '../engine/random.ts';
import { FAULT_KINDS, NEVER, type FaultKind, type Profile } from './profile.ts';
import { THEMED, THEMES } from './themes.ts';

export function profileFor(random: Random): Profile {
  const drawn = drawnFrom(random);
  return random.chance(THEMED) ? { ...drawn, ...random.pick(THEMES)(random) } : drawn;
}

function drawnFrom(random: Random): Profile {
  const unordered = random.chance(0.25);
  const share = random.pick([0.06, 0.15, 0.3, 0.5]);
  const kinds = FAULT_KINDS.filter(() => random.chance(share));
  return {
    nodes: random.chance(0.8) ? 3 : 3 + random.below(3),
    tablets: random.chance(0.6) ? 1 : 2,
    clients: 3 + random.below(5),
    operations: 220 + random.below(100),
    thinkMs: random.pick([4, 12, 40]),
    longValues: random.pick([0, 0, 0.1]),
    largeValues: random.pick([0, 0, 0, 0.02]),
    faultMs: random.between(3000, 12_000),
    everyMs: random.pick([100, 300, 900]),
    drift: random.pick([0, 0.05, 0.15]),
    skewMs: random.pick([0, 200, 60_000]),
    network: { latencyMs: random.pick([0.3, 2, 15]), unordered, loss: random.pick([0.005, 0.04]) },
    ambiguity: random.pick([0, 0.1, 0.4]),
    syncMs: random.pick([0.3, 2, 10]),
    writeMs: random.pick([0, 0, 0.5]),
    lifeOperations: random.chance(0.4) ? random.pick([300, 2000]) : NEVER,
    tears: random.chance(0.5),
    journalSegmentBytes: random.pick([16, 32, 64]) * 1024,
    tabletSegmentBytes: random.pick([4, 32]) * 1024,
    snapshotEntries: random.pick([5, 40, 50_000]),
    slowForMs: random.pick([700, 2000, 5000]),
    restartsAll: random.chance(0.3),
    readers: 1,
    readerShare: random.pick([0.8, 1]),
    rows: 4,
    columns: 2,
    quickStarts: 0.5,
    // What a repeated or overtaken message says of a copy that lost its disk is believed: TCP has none.
    kinds: unordered ? kinds.filter((kind) => !DAMAGE.has(kind)) : kinds,
  };
}

const DAMAGE: ReadonlySet<FaultKind> = new Set([
  'flipped byte',
  'hole',
  'lost tail',
  'lost truncation',
  'misdirected write',
  'failed fsync',
]);
