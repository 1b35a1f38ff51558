/** `penncloud log …`: the entries of a tablet's log, the truth that everything else follows from. */
import { setTimeout as sleep } from 'node:timers/promises';
import { connectNotices } from '../../storage-nodes/wire/nats-notices.ts';
import type { LoggedEntry, StoreClient } from '../../storage-nodes/client/client.ts';
import { addressesOf } from '../processes/topology.ts';
import { quietLogger, withStore, type Surroundings } from './connection.ts';
import { BadInput } from './outcome.ts';
import { printable, printJson, printTable } from './print.ts';

/** Notices are hints that may be lost: look this often without one. */
const LOOK_INTERVAL_MS = 1000;
const READ_LIMIT = 100;

export async function show(options: {
  tablet: string;
  from: number;
  limit: number;
  json?: boolean;
}): Promise<void> {
  await withStore(async (store) => {
    await requireTablet(store, options.tablet);
    const entries = await readUpTo(store, options);
    if (options.json) return printJson(entries.map(withIsoTime));
    const headings = ['SEQ', 'EPOCH', 'TIME', 'STREAM', 'ACTOR', 'ACTION', 'EVENTS'];
    printTable(headings, entries.map(columns));
  });
}

/** Follows one tablet's log, or every tablet's, from its present end until interrupted. */
export async function tail(options: { tablet?: string; json?: boolean }): Promise<void> {
  await withStore(async (store, surroundings) => {
    if (options.tablet !== undefined) await requireTablet(store, options.tablet);
    const next = new Map<string, number>();
    for (const { id, committed } of await store.tabletStatus()) {
      if (options.tablet === undefined || options.tablet === id) next.set(id, committed + 1);
    }
    const hints = commitHints(surroundings);
    for (;;) {
      for (const [tablet, from] of next) {
        const entries = await store.readLog(tablet, from, READ_LIMIT);
        for (const entry of entries) printFollowed(entry, options.json);
        next.set(tablet, (entries.at(-1)?.seq ?? from - 1) + 1);
      }
      await hints.next();
    }
  });
}

async function readUpTo(
  store: StoreClient,
  { tablet, from, limit }: { tablet: string; from: number; limit: number },
): Promise<LoggedEntry[]> {
  const entries: LoggedEntry[] = [];
  while (entries.length < limit) {
    const position = (entries.at(-1)?.seq ?? from - 1) + 1;
    const page = await store.readLog(tablet, position, Math.min(READ_LIMIT, limit - entries.length));
    if (page.length === 0) break;
    entries.push(...page);
  }
  return entries;
}

/** Resolves `next` when some tablet has committed more, or after a while without word. */
function commitHints({ cluster, plans }: Surroundings): { next(): Promise<void> } {
  let wake = (): void => {};
  const { port } = addressesOf('nats', plans)[0]!;
  const notices = connectNotices({ port, ...cluster.nats, name: 'cli', logger: quietLogger });
  notices.onCommitted(() => wake());
  return {
    next: () => Promise.race([new Promise<void>((resolve) => (wake = resolve)), sleep(LOOK_INTERVAL_MS)]),
  };
}

async function requireTablet(store: StoreClient, tablet: string): Promise<void> {
  const known = (await store.tablets()).map(({ id }) => id);
  if (!known.includes(tablet)) {
    throw new BadInput(
      `--tablet: there is no tablet ${JSON.stringify(tablet)}; there are ${known.join(', ')}.`,
    );
  }
}

function printFollowed(entry: LoggedEntry, json: boolean | undefined): void {
  if (json) console.log(JSON.stringify(withIsoTime(entry)));
  else console.log([entry.tablet, ...columns(entry)].map((cell) => printable(String(cell))).join('  '));
}

function columns(entry: LoggedEntry): unknown[] {
  const { seq, epoch, stream, actor, action, events } = entry;
  return [
    seq,
    epoch,
    withIsoTime(entry).time,
    stream,
    actor,
    action,
    events.map(({ type }) => type).join(' '),
  ];
}

function withIsoTime(entry: LoggedEntry): Omit<LoggedEntry, 'time'> & { time: string } {
  return { ...entry, time: new Date(entry.time).toISOString() };
}
