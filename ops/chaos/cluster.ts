/**
 * A cluster of its own to break: nats-server, the master with its config store (or three etcd members and two
 * masters), and three storage nodes, on throw-away data. Gateways are left out: callers use the same client as gateways do. Nodes reach each
 * other and the master through relays; the callers reach nodes directly, also those that are cut off.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createStoreClient, type TcpStoreClient } from '../../storage-nodes/client/store-client.ts';
import { connectNotices } from '../../storage-nodes/wire/nats-notices.ts';
import type { ControlWish, Notices } from '../../storage-nodes/wire/notices.ts';
import { commandOf } from '../cluster/commands.ts';
import { isOurs } from '../cluster/disabled.ts';
import type { Command } from '../cluster/supervisor.ts';
import { readOrCreateClusterFile, type ClusterFile } from '../processes/cluster-file.ts';
import { createLogger } from '../processes/logger.ts';
import type { Settings } from '../processes/settings.ts';
import { addressesOf, planCluster, type ProcessPlan } from '../processes/topology.ts';
import { CELLS, type Cell } from './cells.ts';
import { clockEnvironment, forgetClockOf, setClock } from './clock.ts';
import { SmallDisk } from './small-disk.ts';
import { Network } from './network.ts';
import { ProcessGroup } from './process-group.ts';

const KINDS: ReadonlySet<ProcessPlan['kind']> = new Set(['nats', 'etcd', 'master', 'storage-node']);
const POLL_MS = 100;
/** In sync for two polls so far apart: a state that was about to change has done so. */
const SETTLED_MS = 500;
const PROBE_DEADLINE_MS = 5_000;
/** As long as other commands are: a log whose time is ahead shows. */
const PROBE_VALID_MS = 10 * 60 * 1000;
const RECOVERY_DEADLINE_MS = 240_000;

export class ChaosCluster {
  readonly settings: Settings;
  readonly nodes: readonly string[];
  readonly masters: readonly string[];
  /** None if the config store is the master's own. */
  readonly etcdMembers: readonly string[];
  readonly network = new Network();
  readonly processes: ProcessGroup;
  readonly store: TcpStoreClient;
  /** A second client, with a map of its own. */
  readonly readers: TcpStoreClient;
  /** Where the data of one node lives, if this machine lets us mount one. */
  readonly smallDisk: SmallDisk | undefined;
  readonly #clockLibrary: string | undefined;
  readonly #notices: Notices;

  static async start(options: {
    settings: Settings;
    clockLibrary: string | undefined;
    smallDiskNode: string | undefined;
  }): Promise<ChaosCluster> {
    const { settings, clockLibrary, smallDiskNode } = options;
    const cluster = readOrCreateClusterFile(settings.dataFolder);
    const network = new Network();
    const plans = planCluster(settings).filter(({ kind }) => KINDS.has(kind));
    const routes = new Map<string, string>();
    for (const { id } of plans) routes.set(id, await routesOf(id, plans, network));
    const smallDisk = smallDiskNode && SmallDisk.mount(join(settings.dataFolder, smallDiskNode));
    const members = plans.map((plan) => {
      const command = commandOf(plan, settings, cluster);
      const environment = {
        PENNCLOUD_PORT_OFFSET: String(settings.portOffset),
        PENNCLOUD_CONFIG_STORE: settings.configStore,
        PENNCLOUD_ROUTES: routes.get(plan.id),
        PENNCLOUD_SCRUB_SECONDS: String(settings.scrubSeconds),
        ...(clockLibrary && plan.kind === 'storage-node'
          ? clockEnvironment(clockLibrary, clockFile(settings, plan.id))
          : {}),
      };
      return {
        id: plan.id,
        command: { ...command, env: { ...command.env, ...environment } } satisfies Command,
        logFile: join(settings.dataFolder, 'logs', `${plan.id}.log`),
      };
    });
    return new ChaosCluster({
      settings,
      cluster,
      plans,
      network,
      clockLibrary,
      processes: new ProcessGroup(members, clockLibrary ? forgetClockOf : () => {}),
      smallDisk: smallDisk || undefined,
    });
  }

  private constructor(parts: {
    settings: Settings;
    cluster: ClusterFile;
    plans: readonly ProcessPlan[];
    network: Network;
    clockLibrary: string | undefined;
    processes: ProcessGroup;
    smallDisk: SmallDisk | undefined;
  }) {
    this.settings = parts.settings;
    this.network = parts.network;
    this.processes = parts.processes;
    this.smallDisk = parts.smallDisk;
    this.#clockLibrary = parts.clockLibrary;
    const nodes = addressesOf('storage-node', parts.plans);
    this.nodes = nodes.map(({ id }) => id);
    this.masters = addressesOf('master', parts.plans).map(({ id }) => id);
    this.etcdMembers = addressesOf('etcd', parts.plans).map(({ id }) => id);
    this.#notices = connectNotices({
      port: addressesOf('nats', parts.plans)[0]!.port,
      ...parts.cluster.nats,
      name: 'chaos',
      logger: createLogger({ kind: 'chaos', id: 'notices' }, 'fatal'),
    });
    if (this.#clockLibrary) for (const node of this.nodes) this.setClock(node, 0);
    const open = (clientId: string): TcpStoreClient =>
      createStoreClient({
        nodes,
        secret: parts.cluster.secret,
        clientId,
        logger: createLogger({ kind: 'chaos', id: clientId }, 'fatal'),
      });
    this.store = open('chaos');
    this.readers = open('chaos-readers');
    this.processes.startAll();
  }

  folderOf(node: string): string {
    return join(this.settings.dataFolder, node);
  }

  get canSetClocks(): boolean {
    return this.#clockLibrary !== undefined;
  }

  /** How far a node's wall clock is from the true one, from about now on. */
  setClock(node: string, offsetSeconds: number): void {
    setClock(clockFile(this.settings, node), offsetSeconds);
  }

  /** As an operator does: it may be lost, or not be possible now. */
  wish(node: string, wish: ControlWish['wish']): void {
    this.#notices.control(node, { wish });
  }

  /** To the processes that keep configurations. */
  async signalStore(signal: NodeJS.Signals): Promise<void> {
    const keepers = this.etcdMembers.length > 0 ? this.etcdMembers : this.masters;
    await Promise.all(keepers.map((id) => this.processes.signal(id, signal)));
  }

  async primaryOf(row: string): Promise<string> {
    const tablets = await this.store.tablets();
    return (
      tablets.find(({ from, to }) => row >= from && (to === null || row < to))?.primary ?? this.nodes[0]!
    );
  }

  /** Removes all that a node ever wrote. Requires: it is down. */
  wipe(node: string): void {
    const folder = this.folderOf(node);
    if (this.smallDisk?.folder === folder) this.smallDisk.wipe();
    else rmSync(folder, { recursive: true });
  }

  /**
   * Resolves when every process runs, every copy of every tablet is in sync, every primary serves, and
   * the tablets that callers use take writes. Throws after four minutes, with what is missing.
   */
  async recovered(): Promise<void> {
    const deadline = performance.now() + RECOVERY_DEADLINE_MS;
    let since: number | undefined;
    for (;;) {
      const missing = await this.#missing().catch((error: Error) => error.message);
      const now = performance.now();
      if (missing !== undefined) since = undefined;
      else if (since === undefined) since = now;
      else if (now - since > SETTLED_MS) return;
      if (now > deadline) {
        const reasons = [missing ?? 'it does not settle', ...this.processes.reasons];
        throw new NotRecovered(
          `not whole again within ${RECOVERY_DEADLINE_MS / 1000} s: ${reasons.join('; ')}`,
        );
      }
      await sleep(POLL_MS);
    }
  }

  async #missing(): Promise<string | undefined> {
    const views = await Promise.all(
      this.nodes.map(async (node) => ({ node, tablets: await this.store.nodeTablets(node) })),
    );
    const tablets = await this.store.tabletStatus();
    if (tablets.length === 0) return 'the first tablets';
    const behind = tablets.find(({ inSync, replicas }) => inSync.length < replicas.length);
    if (behind) return `tablet ${behind.id} is in sync on ${behind.inSync.join(', ')} only`;
    const idle = tablets.find(({ serving }) => !serving);
    if (idle) return `tablet ${idle.id} is not served by ${idle.primary}`;
    const few = views.find((view) => view.tablets.length < tablets.length);
    if (few) return `${few.node} holds ${few.tablets.length} of ${tablets.length} tablets`;
    await Promise.all(CELLS.map((cell) => this.#probe(cell)));
    return undefined;
  }

  /** Beside the cell, in its row. Throws if it is not taken. */
  async #probe({ row }: Cell): Promise<void> {
    const command = {
      id: randomUUID(),
      expiresAt: Date.now() + PROBE_VALID_MS,
      stream: row,
      type: 'kv.Put',
      data: { column: 'probe' },
      parts: [Buffer.from('probe')],
      actor: 'chaos',
      session: '',
      action: 'probe',
    };
    await this.store.execute(command, { deadlineMs: PROBE_DEADLINE_MS });
  }

  /** Ends every process and lets go of disks and ports. */
  async stop(): Promise<void> {
    await this.#notices.close();
    await this.store.close();
    await this.readers.close();
    await this.processes.stopAll();
    await this.network.close();
  }
}

/** The promise of rule 11 and its kin: a cluster whose trouble is over is whole again in time. */
export class NotRecovered extends Error {}

function clockFile(settings: Settings, node: string): string {
  const folder = join(settings.dataFolder, 'clocks');
  mkdirSync(folder, { recursive: true });
  return join(folder, node);
}

/** All of our own processes are reached through a relay for each pair. */
async function routesOf(id: string, plans: readonly ProcessPlan[], network: Network): Promise<string> {
  const others = plans.filter((plan) => plan.id !== id && isOurs(plan.kind));
  const relays = await Promise.all(others.map((plan) => network.relay(id, plan)));
  return relays.map(({ id, host, port }) => `${id}=${host}:${port}`).join(',');
}
