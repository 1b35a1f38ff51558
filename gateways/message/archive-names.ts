/**
 * Names of files that will lie in one folder on somebody's disk, whatever system it runs: no path, nothing
 * that Windows refuses, no two that differ in case alone. Given are names that are safe to show already.
 */
const RESERVED = /^(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/i;

/** In the order given; a second 'a.txt' becomes 'a (2).txt'. */
export function archiveNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  const counts = new Map<string, number>();
  return names.map((name) => {
    const plain = portable(name);
    let unique = plain;
    // Starts where the last one of this name ended, so that a thousand equal names take a thousand steps.
    let count = counts.get(folded(plain)) ?? 1;
    while (taken.has(folded(unique))) unique = numbered(plain, ++count);
    counts.set(folded(plain), count);
    taken.add(folded(unique));
    return unique;
  });
}

function portable(name: string): string {
  const clean = name
    .toWellFormed()
    .replace(/[\0-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069<>:"/\\|?*]/g, '_')
    .replace(/[. ]+$/, '')
    .replace(/^\s+/, '');
  if (clean === '') return 'attachment';
  return RESERVED.test(clean) ? `_${clean}` : clean;
}

/** As file systems compare that keep no difference of case or of composition. */
function folded(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

function numbered(name: string, count: number): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? `${name.slice(0, dot)} (${count})${name.slice(dot)}` : `${name} (${count})`;
}
