/**
 * A bundle of reads answered from one applied index. Each lookup and each scan of the cells is exact for
 * the index at its own moment; several of them may have a batch between them. So the index is compared
 * before and after; if entries keep coming in, the bundle is read between two batches.
 */
import { SPACE, type Cell, type CellAddress, type CellStore } from '../cells/cells.ts';
import type { Seq, TabletId } from '../words.ts';
import type { ApplyLoop } from './apply-loop.ts';

type Place = { readonly row: string; readonly column: string };

export type CellQuery =
  | { readonly get: Place }
  | {
      readonly scan: {
        readonly from: Place;
        readonly to: Place | null;
        readonly limit: number;
        readonly reverse?: boolean;
      };
    };

export type Bundle = {
  /** All cells are from this one applied index. */
  readonly applied: Seq;
  /** One list per query: a `get` has zero or one cell. */
  readonly results: readonly (readonly Cell[])[];
};

const TRIES = 3;

/** The bundle, at once, if it is of lookups that are all in memory. */
export function bundleInMemory(
  cells: CellStore,
  tablet: TabletId,
  queries: readonly CellQuery[],
): Bundle | undefined {
  const addresses: CellAddress[] = [];
  for (const query of queries) {
    if (!('get' in query)) return undefined;
    addresses.push({ space: SPACE.table, row: query.get.row, column: query.get.column });
  }
  const found = cells.peek(tablet, addresses);
  return found && { applied: cells.applied(tablet), results: found.map((cell) => (cell ? [cell] : [])) };
}

export async function readBundle(
  cells: CellStore,
  apply: ApplyLoop,
  tablet: TabletId,
  queries: readonly CellQuery[],
): Promise<Bundle> {
  for (let i = 0; i < TRIES; i++) {
    const before = cells.applied(tablet);
    const results = await readAll(cells, tablet, queries);
    if (cells.applied(tablet) === before) return { applied: before, results };
  }
  return apply.between(async () => ({
    applied: cells.applied(tablet),
    results: await readAll(cells, tablet, queries),
  }));
}

/** All gets of a bundle are one lookup. */
async function readAll(
  cells: CellStore,
  tablet: TabletId,
  queries: readonly CellQuery[],
): Promise<readonly (readonly Cell[])[]> {
  const addresses = queries.flatMap((query) =>
    'get' in query ? [{ space: SPACE.table, ...query.get }] : [],
  );
  const [found, ...scans] = await Promise.all([
    addresses.length > 0 ? cells.get(tablet, addresses) : [],
    ...queries.flatMap((query) => {
      if ('get' in query) return [];
      const { from, to, limit, reverse = false } = query.scan;
      return [cells.scan(tablet, { space: SPACE.table, from, to, limit, reverse })];
    }),
  ]);
  let nextGet = 0;
  let nextScan = 0;
  return queries.map((query) => {
    if (!('get' in query)) return scans[nextScan++]!;
    const cell = found[nextGet++];
    return cell ? [cell] : [];
  });
}
