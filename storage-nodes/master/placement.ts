/**
 * Placement: which ranges of rows are tablets at first, and which nodes hold them. Pure.
 *
 *   - The ranges cover the whole row space without gap or overlap, in UTF-8 byte order.
 *   - No boundary falls inside a stream (domain/streams.ts): a user's rows share the bucket that follows
 *     `~user/`, a chunk's the one that follows `~chunk/`, and boundaries lie between buckets.
 *   - Buckets are hashes, so users spread evenly over four tablets and chunks over three.
 *   - Replicas go round robin, so each node is the primary of as many tablets as every other, give or take one.
 *
 * What it leaves out: moving and splitting tablets, and racks.
 */
import { assert } from '../faults.ts';
import type { Configuration } from '../replication/configuration.ts';
import { epoch, tabletId, version } from '../words.ts';
import type { NodeId, RowRange, TabletId } from '../words.ts';

/** Where each tablet starts; it ends where the next one starts. */
const STARTS: readonly string[] = [
  // kv rows
  '',
  'g',
  'n',
  't',
  // `~chunk/<00 … ff>/…`; the first has what little sorts between `~` and it,
  // the last `~console` and what else sorts before the users
  '~',
  '~chunk/55',
  '~chunk/aa',
  // `~user/<00 … ff>/…`
  '~user/',
  '~user/40',
  '~user/80',
  '~user/c0',
  // behind the last user ('0' follows '/'): kv rows that sort after `~`
  '~user0',
];

/** t01 … t12, in row order. */
export function defaultRanges(): { readonly id: TabletId; readonly range: RowRange }[] {
  return STARTS.map((from, i) => ({
    id: tabletId(`t${String(i + 1).padStart(2, '0')}`),
    range: { from, to: STARTS[i + 1] ?? null },
  }));
}

/**
 * The first configuration of each default tablet, on nodes that hold nothing yet (so that every copy is in
 * sync). With fewer nodes than `copies` there are as many copies as nodes.
 */
export function initialConfigurations(nodes: readonly NodeId[], copies = 3): Configuration[] {
  assert(
    nodes.length > 0 && new Set(nodes).size === nodes.length,
    'placement needs at least one node, each named once',
  );
  assert(Number.isInteger(copies) && copies > 0, `placement of ${copies} copies`);
  return defaultRanges().map(({ id, range }, i) => {
    const count = Math.min(copies, nodes.length);
    const replicas = Array.from({ length: count }, (_, copy) => nodes[(i + copy) % nodes.length]!);
    return {
      tablet: id,
      version: version(1),
      epoch: epoch(1),
      lineage: 1,
      primary: replicas[0]!,
      inSync: replicas,
      replicas,
      range,
      predecessor: '',
    };
  });
}
