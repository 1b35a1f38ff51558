/** `penncloud replay`: what the logs say, computed anew. Nothing of the live cluster is changed. */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { RocksCells } from '../../storage-nodes/cells/rocks-cells.ts';
import type { CellStore } from '../../storage-nodes/cells/cells.ts';
import { LogFiles } from '../../storage-nodes/log/log-files.ts';
import type { TcpStoreClient } from '../../storage-nodes/client/store-client.ts';
import type { Settings } from '../processes/settings.ts';
import { tabletId } from '../../storage-nodes/words.ts';
import { createApplication } from '../processes/platform.ts';
import { addressesOf } from '../processes/topology.ts';
import { findCluster, withStore } from './connection.ts';
import { BadInput, Failed } from './outcome.ts';
import { printJson, printTable } from './print.ts';
import { replayCopy, type ReplayEnd } from './replay-copy.ts';
import { verifyTablet, type CopyReport } from './replay-verify.ts';

type ReplayOptions = { tablet?: string; to?: string; verify?: boolean; json?: boolean };

export async function replay(options: ReplayOptions): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  if (!options.verify) return replayOnce(options);
  if (options.to !== undefined)
    throw new BadInput('--to and --verify exclude each other: live cells have one state only.');
  return verify(options);
}

/** Needs no running node: it reads the files of the first node that holds the tablet. */
async function replayOnce(options: ReplayOptions): Promise<void> {
  const { settings, plans } = findCluster();
  const end = parseEnd(options.to);
  const logs = addressesOf('storage-node', plans).map(
    ({ id }) => new LogFiles(join(settings.dataFolder, id, 'log')),
  );
  const holders = new Map<string, LogFiles>();
  for (const files of [...logs].reverse())
    for (const tablet of await files.tablets()) holders.set(tablet, files);

  const application = createApplication(settings);
  const reports = await withFreshCells(settings.dataFolder, async (cells) => {
    const done = [];
    for (const tablet of chosen(options.tablet, [...holders.keys()].sort())) {
      const id = tabletId(tablet);
      const records = holders.get(tablet)!.entries(tablet);
      done.push({ tablet, ...(await replayCopy({ cells, application, tablet: id, records, end })) });
      await cells.drop(id);
    }
    return done;
  });
  if (options.json) return printJson(reports);
  printTable(
    ['TABLET', 'ENTRIES', 'EVENTS', 'CELLS', 'SECONDS', 'ENTRIES/S', 'EVENTS/S', 'DIGEST'],
    reports.map(({ tablet, applied, events, cells, seconds, digest }) => [
      tablet,
      applied,
      events,
      cells,
      seconds.toFixed(2),
      Math.round(applied / seconds),
      Math.round(events / seconds),
      digest.slice(0, 16),
    ]),
  );
}

async function verify(options: ReplayOptions): Promise<void> {
  const copies = await withStore((store, { settings }) => verifyCopies(store, settings, options.tablet));
  if (options.json) printJson({ copies });
  else printCopies(copies);
  const wrong = copies.filter(({ agrees }) => !agrees);
  if (wrong.length > 0) throw new Failed(`${wrong.length} of ${copies.length} copies do not agree.`);
}

/** Every copy of every tablet, or of one. */
export async function verifyCopies(
  store: TcpStoreClient,
  settings: Settings,
  wanted?: string,
): Promise<readonly CopyReport[]> {
  const tablets = await store.tablets();
  const known = tablets.map(({ id }) => id).sort();
  if (known.length === 0) throw new Failed('No storage node answers: start the cluster with `npm start`.');
  const application = createApplication(settings);
  const { dataFolder } = settings;
  return withFreshCells(dataFolder, async (freshCells) => {
    const reports: CopyReport[] = [];
    for (const tablet of chosen(wanted, known)) {
      const { replicas } = tablets.find(({ id }) => id === tablet)!;
      const liveDigest = (node: string) => store.nodeDigest(node, tablet);
      reports.push(
        ...(await verifyTablet({ tablet, replicas, dataFolder, application, liveDigest, freshCells })),
      );
    }
    return reports;
  });
}

function printCopies(copies: readonly CopyReport[]): void {
  printTable(
    ['TABLET', 'NODE', 'ENTRIES', 'EVENTS', 'CELLS', 'DIGEST', 'LOG HASH', 'AGREES'],
    copies.map(({ tablet, node, applied, events, cells, digest, chain, agrees, problem }) => [
      tablet,
      node,
      applied,
      events,
      cells,
      digest.slice(0, 16),
      chain.slice(0, 16),
      agrees ? 'yes' : `NO: ${problem}`,
    ]),
  );
  if (copies.every(({ agrees }) => agrees))
    console.log(`\nAll ${copies.length} copies agree with their logs.`);
}

/** In the data folder, where there is room for cells; removed afterwards, also after Ctrl-C. */
async function withFreshCells<T>(dataFolder: string, work: (cells: CellStore) => Promise<T>): Promise<T> {
  const folder = join(dataFolder, `replay-${randomUUID()}`);
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const cells = new RocksCells({ folder });
  await cells.open();
  try {
    return await work(cells);
  } finally {
    await cells.close();
    remove();
    process.off('exit', remove);
  }
}

function chosen(tablet: string | undefined, known: readonly string[]): readonly string[] {
  if (tablet === undefined) return known;
  if (!known.includes(tablet)) {
    throw new BadInput(
      `--tablet: there is no tablet ${JSON.stringify(tablet)}; there are ${known.join(', ')}.`,
    );
  }
  return [tablet];
}

function parseEnd(to: string | undefined): ReplayEnd {
  if (to === undefined) return undefined;
  if (/^\d{1,15}$/.test(to)) return { seq: Number(to) };
  const time = Date.parse(to);
  if (Number.isNaN(time)) {
    throw new BadInput(
      `--to must be an entry's number or a time such as 2030-01-31T12:00:00Z, not ${JSON.stringify(to)}.`,
    );
  }
  return { time };
}
