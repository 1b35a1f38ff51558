/**
 * The master: the production master and config store, on a machine of their own that can die, be slow, and
 * come back with an older state of its disk. `current` is the newest that the store ever held, seen from
 * outside.
 */
import type { Logger } from 'pino';
import { Fault } from '../../../storage-nodes/faults.ts';
import { EmbeddedConfigStore } from '../../../storage-nodes/master/embedded-config-store.ts';
import { Master, type Session } from '../../../storage-nodes/master/master.ts';
import {
  canonical,
  isSame,
  parseConfiguration,
  type Configuration,
} from '../../../storage-nodes/replication/configuration.ts';
import { nodeId, type NodeId, type TabletId } from '../../../storage-nodes/words.ts';
import type { World } from '../engine/world.ts';
import type { Network } from '../machines/network.ts';
import { Process, type Machine } from '../machines/process.ts';
import { frame, messageOf } from './frames.ts';
import type { MasterEnd, SimMasterLink } from './master-link.ts';

const FOLDER = '/config';

export type MasterSurroundings = {
  readonly world: World;
  readonly network: Network;
  readonly nodes: readonly NodeId[];
  readonly first: readonly Configuration[];
  readonly logger: Logger;
  /** Share of answers that are lost. */
  readonly ambiguity: () => number;
  readonly onStored: (next: Configuration, before: Configuration | undefined) => void;
};

export class SimMaster implements MasterEnd {
  readonly machine: Machine;
  readonly current = new Map<TabletId, Configuration>();
  /** Requests wait up to so long before they are looked at. */
  slowMs = 0;
  process: Process | undefined;
  readonly links = new Set<SimMasterLink>();
  readonly #around: MasterSurroundings;
  readonly #proposed: Configuration[] = [];
  #master: Master | undefined;

  constructor(machine: Machine, around: MasterSurroundings) {
    this.machine = machine;
    this.#around = around;
  }

  get up(): boolean {
    return this.#master !== undefined && this.process?.dead === false;
  }

  boot(): void {
    const process = new Process(this.machine, Infinity, () => this.#died());
    this.process = process;
    this.#open(process).catch((error: unknown) => {
      if (!process.dead) this.#around.world.fail(`the master cannot start: ${(error as Error).stack}`);
    });
  }

  /** Asked for, and possible still. */
  proposed(tablet: TabletId): Configuration[] {
    const { version } = this.current.get(tablet)!;
    return this.#proposed.filter((next) => next.tablet === tablet && next.version > version);
  }

  /** A message of a node, over a connection that it holds open. */
  receive(link: SimMasterLink, bytes: Uint8Array): void {
    const { process } = this;
    const master = this.#master;
    const { world } = this.#around;
    if (!process || !master) return;
    const { fields } = messageOf(bytes);
    const [, id, kind, ...args] = fields;
    const take = (): void =>
      process.happens(() => {
        if (link.open) void this.#answer(process, master, link, id, String(kind), args);
      });
    if (this.slowMs > 0) world.after(world.random.between(0, this.slowMs), take);
    else take();
  }

  noteProposed(next: Configuration): void {
    this.#proposed.push(next);
  }

  left(session: Session): void {
    this.#master?.left(session);
  }

  /** What an operator does to a store that went back: it learns the newest that the nodes hold (rule 9). */
  async recover(): Promise<void> {
    const master = this.#master;
    if (!master) return;
    const [stored] = (await master.ask(OPERATOR, 'config.all', [])) as [string[]];
    for (const next of this.current.values()) {
      const text = stored.find((one) => parseConfiguration(one).tablet === next.tablet);
      if (text !== canonical(next))
        await master.ask(OPERATOR, 'config.replace', [canonical(next), text ?? null]);
    }
  }

  async #open(process: Process): Promise<void> {
    const { logger, first, nodes } = this.#around;
    const store = new EmbeddedConfigStore({ folder: FOLDER, files: process.files, logger });
    await store.open();
    const all = await store.all();
    for (const configuration of all) {
      const known = this.current.get(configuration.tablet);
      if (!known || configuration.version > known.version) this.#stored(configuration);
    }
    store.watch((configuration) => {
      if (!process.dead) this.#stored(configuration);
    });
    if (all.length === 0) for (const configuration of first) await store.compareAndSet(configuration);
    const master = new Master({ store, nodes, timers: process.timers, logger, isActive: () => false });
    master.start();
    this.#master = master;
  }

  /** Rule 9: a store that went back stores nothing that follows from there. */
  #stored(next: Configuration): void {
    const before = this.current.get(next.tablet);
    if (isSame(before, next)) return;
    if (before && next.version <= before.version)
      return this.#around.world.fail(
        `the store has ${next.tablet} go on with another version ${next.version} behind version ${before.version}`,
      );
    this.current.set(next.tablet, next);
    this.#around.onStored(next, before);
  }

  async #answer(
    process: Process,
    master: Master,
    link: SimMasterLink,
    id: unknown,
    kind: string,
    args: readonly unknown[],
  ): Promise<void> {
    const { world, network, ambiguity } = this.#around;
    let answer: Uint8Array;
    try {
      answer = frame(['answer', id, ...(await master.ask(link.session, kind, args))]);
    } catch (error) {
      if (!(error instanceof Fault)) return world.fail(`the master fails: ${(error as Error).stack}`);
      if (error.code === 'Malformed') world.fail(`the master refuses ${kind}: ${error.message}`);
      answer = frame(['fault', id, error.code, error.message]);
    }
    if (process.dead) return;
    if (kind === 'config.cas' && world.random.chance(ambiguity()))
      return world.count('lost answer of the store');
    network.send('master', link.node, '', true, () => link.receive(answer));
  }

  #died(): void {
    this.#master = undefined;
    for (const link of [...this.links]) link.broken();
  }
}

const OPERATOR: Session = { id: nodeId('operator'), push: () => undefined };
