/**
 * A store of three nodes and a master inside this process, over real sockets, journals and RocksDB, in a
 * throw-away folder: for tests that look at the store without gateways.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import { createApplication } from '../../ops/processes/platform.ts';
import { RocksCells } from '../../storage-nodes/cells/rocks-cells.ts';
import { createStoreClient, type TcpStoreClient } from '../../storage-nodes/client/store-client.ts';
import { DiskLog } from '../../storage-nodes/log/disk-log.ts';
import { EmbeddedConfigStore } from '../../storage-nodes/master/embedded-config-store.ts';
import { MasterServer } from '../../storage-nodes/master/server.ts';
import type { FilePort } from '../../storage-nodes/log/files.ts';
import type { Timing } from '../../storage-nodes/replication/state.ts';
import { StorageNode, type Address, type StorageNodeOptions } from '../../storage-nodes/node.ts';
import { freePorts } from './ports.ts';

const MIB = 1024 * 1024;
export const SECRET = 'a secret for tests';
export const LIMITS = { kvValueBytesMax: 64 * MIB, messageBytesMax: 40 * MIB };
const logger = pino({ level: process.env['PENNCLOUD_LOG_LEVEL'] ?? 'silent' });

export type LocalStore = {
  readonly client: TcpStoreClient;
  readonly folder: string;
  readonly nodes: readonly { id: string; host: string; port: number }[];
  /** Errors that would have ended a node's process. */
  readonly fatal: Error[];
  readonly master: Address;
  stopNode(id: string): Promise<void>;
  startNode(id: string): Promise<void>;
  alarms(id: string): readonly string[];
  drainNode(id: string, withinMs?: number): Promise<void>;
  stopMaster(): Promise<void>;
  startMaster(): Promise<void>;
  /** From here on compare-and-set gets no answer until `letStoreAnswer`; what was asked for happens then. */
  hangStore(): void;
  letStoreAnswer(): void;
  /** Waits until every tablet serves with this many in-sync copies. */
  settled(copies?: number): Promise<void>;
  stop(): Promise<void>;
};

export type LocalStoreOptions = {
  /** Where `from` finds `to`: a test may put itself in between. */
  readonly route?: (from: string, to: Address) => Address;
  /** The file operations of a node's log. */
  readonly files?: (id: string) => FilePort;
  readonly scrubEveryMs?: number;
  readonly timing?: Timing;
  /** A node's wall clock. */
  readonly wallClock?: (id: string) => number;
  /** Hears every log line of a node, and of the master. */
  readonly onLine?: (node: string, line: string) => void;
  /** Hears what a node's process would announce over NATS. */
  readonly onCommitted?: StorageNodeOptions['onCommitted'];
};

export async function startLocalStore({
  route = (_from, to) => to,
  files,
  scrubEveryMs,
  timing,
  wallClock,
  onLine,
  onCommitted = () => {},
}: LocalStoreOptions = {}): Promise<LocalStore> {
  const folder = await mkdtemp(join(tmpdir(), 'penncloud-store-'));
  const ports = await freePorts(4);
  const nodes = [1, 2, 3].map((n) => ({ id: `node-${n}`, host: '127.0.0.1', port: ports[n]! }));
  const master = { id: 'master', host: '127.0.0.1', port: ports[0]! };
  const fatal: Error[] = [];
  const loggerOf = (id: string): Logger =>
    onLine ? pino({ level: 'info' }, { write: (line) => onLine(id, line) }) : logger.child({ node: id });
  const running = new Map<string, StorageNode>();
  const seenBy = (from: string) => nodes.filter(({ id }) => id !== from).map((to) => route(from, to));
  const client = createStoreClient({ nodes: seenBy('test'), secret: SECRET, clientId: 'test', logger });
  let storeAnswers = Promise.resolve();
  let letStoreAnswer = (): void => {};
  let masterParts: { store: EmbeddedConfigStore; server: MasterServer } | undefined;

  const store: LocalStore = {
    client,
    folder,
    nodes,
    master,
    fatal,
    async startMaster() {
      const configStore = new EmbeddedConfigStore({ folder: join(folder, 'master') });
      await configStore.open();
      const compareAndSet = configStore.compareAndSet.bind(configStore);
      configStore.compareAndSet = (next) => storeAnswers.then(() => compareAndSet(next));
      const server = new MasterServer({
        store: configStore,
        secret: SECRET,
        nodes,
        host: master.host,
        port: master.port,
        logger: loggerOf(master.id),
      });
      await server.start();
      masterParts = { store: configStore, server };
    },
    hangStore() {
      storeAnswers = new Promise((resolve) => (letStoreAnswer = resolve));
    },
    letStoreAnswer: () => letStoreAnswer(),
    async stopMaster() {
      await masterParts?.server.stop();
      await masterParts?.store.close();
      masterParts = undefined;
    },
    async startNode(id) {
      const self = nodes.find((node) => node.id === id)!;
      const node = new StorageNode({
        self,
        peers: seenBy(id),
        masters: [route(id, master)],
        secret: SECRET,
        log: new DiskLog({
          folder: join(folder, id, 'log'),
          logger,
          journalSegmentBytes: 4 * MIB,
          ...(files && { files: files(id) }),
        }),
        cells: new RocksCells({ folder: join(folder, id, 'cells'), logger }),
        application: createApplication(LIMITS),
        logger: loggerOf(id),
        execute: (command) => client.execute(command),
        ...(scrubEveryMs !== undefined && { scrubEveryMs }),
        ...(timing && { timing }),
        ...(wallClock && { wallClock: () => wallClock(id) }),
        onCommitted,
        onConfiguration: () => {},
        onFatal: (error) => fatal.push(error),
      });
      await node.start();
      running.set(id, node);
    },
    alarms: (id) => running.get(id)!.alarms,
    async drainNode(id, withinMs) {
      await running.get(id)!.drain(withinMs);
    },
    async stopNode(id) {
      await running.get(id)?.stop();
      running.delete(id);
    },
    async settled(copies = 3) {
      for (;;) {
        const tablets = await client.tabletStatus();
        if (tablets.length > 0 && tablets.every((t) => t.serving && t.inSync.length === copies)) return;
        if (fatal.length > 0) throw fatal[0]!;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async stop() {
      await client.close();
      for (const id of [...running.keys()]) await store.stopNode(id);
      await store.stopMaster();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await store.startMaster();
  await Promise.all(nodes.map((node) => store.startNode(node.id)));
  return store;
}
