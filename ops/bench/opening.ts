/**
 * Opens a storage node alone in its cluster, as a process of its own, until it serves all its tablets, and
 * prints what that took as one line of JSON: `node --import tsx ops/bench/opening.ts FOLDER '{…}'`.
 *
 * Bytes read are those of all read calls (`rchar` of /proc/self/io), whether the disk was asked or not;
 * CPU time is that of all threads. Options: puts to send once it serves, random reads, and how it ends.
 */
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import pino from 'pino';
import { RocksCells } from '../../storage-nodes/cells/rocks-cells.ts';
import { createStoreClient, type TcpStoreClient } from '../../storage-nodes/client/store-client.ts';
import { DiskLog } from '../../storage-nodes/log/disk-log.ts';
import type { FilePort } from '../../storage-nodes/log/files.ts';
import { realFiles } from '../../storage-nodes/log/real-files.ts';
import { EmbeddedConfigStore } from '../../storage-nodes/master/embedded-config-store.ts';
import { MasterServer } from '../../storage-nodes/master/server.ts';
import { defaultRanges } from '../../storage-nodes/master/placement.ts';
import { StorageNode } from '../../storage-nodes/node.ts';
import { createApplication } from '../processes/platform.ts';
import { BENCH_LIMITS, rowOf } from './built-store.ts';

export type OpeningOptions = {
  /** Sent and answered before it ends. */
  readonly puts?: number;
  /** Linearizable reads of this many entries of each tablet, spread over `entriesPerTablet`. */
  readonly reads?: number;
  readonly entriesPerTablet?: number;
  readonly end: 'stop' | 'kill';
  readonly journalSegmentBytes?: number;
  readonly tabletSegmentBytes?: number;
  readonly verifiedAtOpeningBytes?: number;
};

export type Phase = { readonly ms: number; readonly cpuMs: number; readonly bytesRead: number };
export type Opening = {
  readonly log: Phase;
  readonly cells: Phase;
  /** With what RocksDB compacts and the scrubber verifies meanwhile. */
  readonly serving: Phase;
  /** From the log's files, until everything is served. */
  readonly logBytesRead: number;
  /** From the start of the process to serving. */
  readonly processMs: number;
  readonly readsFound: number;
  /** Most memory that the process ever held (VmHWM), and that it holds when it stops (VmRSS). */
  readonly peakBytes: number;
  readonly heldBytes: number;
};

const SECRET = 'bench';

export async function openUntilServing(
  folder: string,
  options: OpeningOptions,
  told: (opening: Opening) => void,
): Promise<void> {
  const logger = pino({ level: 'fatal' });
  const self = { id: 'node-1', host: '127.0.0.1', port: await freePort() };
  const master = { id: 'master', host: '127.0.0.1', port: await freePort() };
  const configStore = new EmbeddedConfigStore({ folder: join(folder, 'master') });
  await configStore.open();
  const { host, port } = master;
  const server = new MasterServer({
    store: configStore,
    secret: SECRET,
    nodes: [self],
    host,
    port,
    logger,
  });
  await server.start();
  const client = createStoreClient({ nodes: [self], secret: SECRET, clientId: 'bench', logger });
  const { journalSegmentBytes, tabletSegmentBytes, verifiedAtOpeningBytes } = options;
  const counted = { bytes: 0 };
  const log = new DiskLog({
    folder: join(folder, 'log'),
    logger,
    files: countingFiles(counted),
    ...(journalSegmentBytes !== undefined && { journalSegmentBytes }),
    ...(tabletSegmentBytes !== undefined && { tabletSegmentBytes }),
  });
  const cells = new RocksCells({
    folder: join(folder, 'cells'),
    logger,
    ...(verifiedAtOpeningBytes !== undefined && { verifiedAtOpeningBytes }),
  });
  const phases: Phase[] = [];
  // The node opens its log and its cells itself: watched as it does.
  const watched = <T extends { open(): Promise<unknown> }>(part: T): T => {
    const open = part.open.bind(part);
    part.open = async () => {
      const end = beginPhase();
      const result = await open();
      phases.push(end());
      return result;
    };
    return part;
  };
  const node = new StorageNode({
    self,
    peers: [],
    masters: [master],
    secret: SECRET,
    log: watched(log),
    cells: watched(cells),
    application: createApplication(BENCH_LIMITS),
    logger,
    execute: (command) => client.execute(command),
    onCommitted: () => {},
    onConfiguration: () => {},
    onFatal: (error) => {
      throw error;
    },
  });
  const untilServing = beginPhase();
  await node.start();
  const count = defaultRanges().length;
  while (node.tabletViews().filter(({ serving }) => serving).length < count)
    await new Promise((resolve) => setTimeout(resolve, 5));
  const serving = untilServing();
  const processMs = performance.now();
  const logBytesRead = counted.bytes;
  await put(client, options.puts ?? 0);
  const readsFound = await read(client, options);
  told({
    log: phases[0]!,
    cells: phases[1]!,
    serving,
    logBytesRead,
    processMs,
    readsFound,
    peakBytes: memory('VmHWM'),
    heldBytes: memory('VmRSS'),
  });
  if (options.end === 'kill') process.kill(process.pid, 'SIGKILL');
  await client.close();
  await node.stop();
  await server.stop();
  await configStore.close();
}

function countingFiles(counted: { bytes: number }): FilePort {
  return {
    ...realFiles,
    async readWhole(path) {
      const bytes = await realFiles.readWhole(path);
      counted.bytes += bytes?.length ?? 0;
      return bytes;
    },
    async open(path, mode) {
      const file = await realFiles.open(path, mode);
      const readFully = file.readFully.bind(file);
      file.readFully = async (into, position) => {
        const found = await readFully(into, position);
        counted.bytes += found;
        return found;
      };
      return file;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function beginPhase(): () => Phase {
  const [at, cpu, read] = [performance.now(), process.cpuUsage(), bytesRead()];
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return { ms: performance.now() - at, cpuMs: (user + system) / 1000, bytesRead: bytesRead() - read };
  };
}

const bytesRead = (): number => Number(/rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))![1]);
const memory = (name: string): number =>
  1024 * Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'))![1]);

async function put(client: TcpStoreClient, count: number): Promise<void> {
  let next = 0;
  const caller = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) {
      await client.execute({
        id: `after-${process.pid}-${n}`,
        expiresAt: 0,
        stream: `${'agnt'[n % 4]!}-after-${n}`,
        type: 'kv.Put',
        data: { column: 'c' },
        parts: [Buffer.alloc(100, n)],
        actor: 'bench',
        session: '',
        action: 'Put',
      });
    }
  };
  await Promise.all(Array.from({ length: 64 }, caller));
}

/** How many of the entries asked for were there. */
async function read(client: TcpStoreClient, options: OpeningOptions): Promise<number> {
  const { reads = 0, entriesPerTablet = 1 } = options;
  let found = 0;
  for (let i = 0; i < reads; i++) {
    const number = 1 + ((i * 104_729) % entriesPerTablet);
    await Promise.all(
      defaultRanges().map(async ({ range }) => {
        const row = rowOf(range.from, number);
        const { results } = await client.read(row, [{ get: { row, column: 'c' } }]);
        const cell = results[0]![0];
        if (cell && (await client.bytes(cell)).readUInt32LE(0) === number) found++;
      }),
    );
  }
  return found;
}

const [folder, options] = process.argv.slice(2);
if (folder !== undefined && process.argv[1]?.endsWith('opening.ts')) {
  await openUntilServing(folder, JSON.parse(options ?? '{"end":"stop"}') as OpeningOptions, (opening) =>
    console.log(JSON.stringify(opening)),
  );
}
