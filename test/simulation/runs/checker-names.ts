/** Which checker saw a promise broken, by what it said. */
const CHECKERS: readonly (readonly [name: string, says: RegExp])[] = [
  ['linearizable history', /is not linearizable/],
  ['on the disks of all in sync', /does not have it on disk/],
  ['logs keep what was durable', /finds damage in a sound| opens | forgot configuration /],
  ['commands in effect once', /was carried out before/],
  ['answers name committed entries', /was answered with entry/],
  ['one primary an epoch', /commits, and .* did/],
  ['one committed log', / commits .*(where|which)|chain of hashes|its time goes back|: stream /],
  ['nothing committed is cut', / cuts /],
  ['no sound copy is given up', / gives up /],
  [
    'configurations follow each other',
    / leads version |outside the in-sync set|two primaries|is in sync in version|the store has/,
  ],
  ['indexes in order', /its commit index fell|<= durable/],
  ['equal cells', /^the cells of/],
  ['whole again in peace', / ms: the cluster /],
  ['no process stops', /cannot go on|cannot start|the master (fails|refuses)|promise was rejected/],
];

export function checkerOf(violation: string): string {
  return CHECKERS.find(([, says]) => says.test(violation))?.[0] ?? 'what clients are told';
}
