/**
 * Compares every replica with its own log, and the replicas' logs with each other. A copy agrees if
 *
 *   - the cells replayed from its node's segment files have the digest that its live cells have, at the
 *     same applied index;
 *   - each entry follows, by hash, from the one before;
 *   - the entry at the last place that all replicas have applied has the same hash on each.
 */
import { join } from 'node:path';
import type { NodeDigest } from '../../storage-nodes/client/store-client.ts';
import type { CellStore } from '../../storage-nodes/cells/cells.ts';
import { LogFiles } from '../../storage-nodes/log/log-files.ts';
import type { Application } from '../../storage-nodes/tablet/application.ts';
import { tabletId } from '../../storage-nodes/words.ts';
import { replayCopy } from './replay-copy.ts';

export type CopyReport = {
  readonly tablet: string;
  readonly node: string;
  readonly applied: number;
  readonly events: number;
  readonly cells: number;
  readonly digest: string;
  /** Hash of the entry at the last place that all replicas have; '' if there is none. */
  readonly chain: string;
  readonly agrees: boolean;
  /** What does not agree; '' if all does. */
  readonly problem: string;
};

export type VerifyOptions = {
  readonly tablet: string;
  readonly replicas: readonly string[];
  readonly dataFolder: string;
  readonly application: Application;
  /** Of a node's live cells. Rejects if the node does not answer. */
  readonly liveDigest: (node: string) => Promise<NodeDigest>;
  /** A fresh store for one replay; emptied by the caller. */
  readonly freshCells: CellStore;
};

export async function verifyTablet(options: VerifyOptions): Promise<CopyReport[]> {
  const live = await Promise.all(
    options.replicas.map(async (node) => ({ node, digest: await options.liveDigest(node).catch(asError) })),
  );
  const answered = live.flatMap(({ digest }) => (digest instanceof Error ? [] : [digest.applied]));
  const common = Math.min(...answered);
  const copies: CopyReport[] = [];
  for (const { node, digest } of live) {
    copies.push(
      digest instanceof Error
        ? silent(options, node, digest)
        : await verifyCopy(options, node, digest, common),
    );
  }
  return compareChains(copies);
}

async function verifyCopy(
  options: VerifyOptions,
  node: string,
  live: NodeDigest,
  common: number,
): Promise<CopyReport> {
  const { tablet, application, freshCells: cells } = options;
  const id = tabletId(tablet);
  const files = new LogFiles(join(options.dataFolder, node, 'log'));
  let chain = '';
  const report = { tablet, node, applied: live.applied, events: 0, cells: live.cells, digest: live.digest };
  try {
    const replayed = await replayCopy({
      cells,
      application,
      tablet: id,
      records: files.entries(tablet, { to: live.applied }),
      end: { seq: live.applied },
      onEntry: (seq, hash) => {
        if (seq === common) chain = hash;
      },
    });
    const problem = difference(replayed, live);
    return { ...report, events: replayed.events, chain, agrees: problem === '', problem };
  } catch (error) {
    return { ...report, chain, agrees: false, problem: asError(error).message };
  } finally {
    await cells.drop(id);
  }
}

function difference(replayed: { applied: number; cells: number; digest: string }, live: NodeDigest): string {
  if (replayed.applied !== live.applied) {
    return `the files end at entry ${replayed.applied}, the live cells at ${live.applied}`;
  }
  if (replayed.cells !== live.cells) return `${replayed.cells} cells replayed, ${live.cells} live`;
  return replayed.digest === live.digest ? '' : 'the replayed cells differ from the live ones';
}

function compareChains(copies: readonly CopyReport[]): CopyReport[] {
  const chains = new Set(copies.filter(({ chain }) => chain !== '').map(({ chain }) => chain));
  if (chains.size <= 1) return [...copies];
  return copies.map((copy) => ({
    ...copy,
    agrees: false,
    problem: copy.problem || 'the logs of the replicas differ from each other',
  }));
}

function silent({ tablet }: VerifyOptions, node: string, error: Error): CopyReport {
  const problem = `${node} does not answer (${error.message})`;
  return { tablet, node, applied: 0, events: 0, cells: 0, digest: '', chain: '', agrees: false, problem };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
