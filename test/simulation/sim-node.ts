/**
 * One node: the production core with a shell that performs its outputs in order, on a simulated disk,
 * clock, network and config store. A node can be paused (its inputs wait) and killed between any two
 * outputs; what its disk holds then is the disk's affair.
 */
import type { Configuration } from '../../storage-nodes/replication/configuration.ts';
import type { EpochEnd, Input, Output, PeerMessage } from '../../storage-nodes/replication/messages.ts';
import { Replica } from '../../storage-nodes/replication/replica.ts';
import { DEFAULT_TIMING, type Timing } from '../../storage-nodes/replication/state.ts';
import type { LogRecord } from '../../storage-nodes/log/entry.ts';
import type { Epoch, NodeId, Seq } from '../../storage-nodes/words.ts';
import { Disk, recordOf } from './disk.ts';
import { hashOf, type ModelConfigStore } from './model-config-store.ts';
import type { World } from './world.ts';

/** A slow disk takes this long for a write at most. */
const SLOW_MS_MAX = 2500;
const TIMING: Timing = { ...DEFAULT_TIMING, streamCountMax: 20 };

/** What a node meets: the rest of the cluster, and chance. */
export interface Surroundings {
  readonly world: World;
  readonly store: ModelConfigStore;
  readonly checkers: Witness;
  send(from: SimNode, to: NodeId, message: PeerMessage): void;
  reachesStore(node: SimNode): boolean;
  mayTear(): boolean;
  diesBetweenOutputs(): boolean;
  diskDelay(): number;
  nextPayload(): number;
  onCrash(node: SimNode): void;
}

/** Whoever watches whether promises are kept. */
export interface Witness {
  onServing(node: SimNode, serving: boolean, epoch: Epoch, successor: NodeId | undefined): void;
  onCommit(node: SimNode, upTo: Seq): void;
  onTruncate(node: SimNode, from: Seq): void;
  afterStep(node: SimNode): void;
}

export class SimNode {
  readonly index: number;
  readonly id: NodeId;
  readonly disk = new Disk();
  replica: Replica | undefined;
  /** Counts starts; what belongs to an earlier life no longer happens. */
  life = 0;
  pausedUntil = 0;
  /** Lost what it had acknowledged: nothing is promised about this copy until it is whole again. */
  lossy = false;
  /** Its disk takes this many times as long. */
  slowness = 1;
  /** About to stop: repeats that it wants no duties. */
  leaving = false;
  /** Grows whenever it starts or stops serving: a read that spans this is not answered. */
  servings = 0;
  /** How often it gave up serving for a successor. */
  handOvers = 0;
  /** The highest commit index this copy ever reported, in all its lives. */
  commitHigh = 0;
  readonly #cluster: Surroundings;
  /** Seconds of this clock in one of the world's: drift, within what grace and lease allow. */
  readonly #rate: number;

  constructor(cluster: Surroundings, index: number, rate: number) {
    this.#cluster = cluster;
    this.index = index;
    this.id = `node-${index}` as NodeId;
    this.#rate = rate;
  }

  get clock(): number {
    return this.#cluster.world.now * this.#rate + this.index * 1e6;
  }

  boot(): void {
    const { disk } = this;
    this.life++;
    const committed = disk.durable.slice(0, disk.committed);
    this.replica = new Replica({
      self: this.id,
      timing: TIMING,
      hash: hashOf,
      now: this.clock,
      recovered: {
        configuration: disk.configuration,
        committed: disk.committed as Seq,
        ends: epochEnds(committed),
        prepared: disk.durable.slice(disk.committed),
        cutTail: disk.cut,
        damage: disk.damage,
      },
    });
    this.#note(
      () => `boots: ${disk.durable.length} durable, ${disk.committed} committed${disk.cut ? ', cut' : ''}`,
    );
    this.#tick();
    this.#askStore();
  }

  crash(): void {
    if (!this.replica) return;
    this.#note(() => 'crashes');
    this.replica = undefined;
    this.life++;
    this.disk.crash(this.#cluster.world.random, this.#cluster.mayTear());
    this.#cluster.onCrash(this);
  }

  crashIf(now: boolean): void {
    if (now) this.crash();
  }

  /** An operator's wish, or a hint that may be wrong. */
  wish(input: Extract<Input, { kind: 'handOver' | 'suspected' | 'unable' }>): void {
    this.later(0, () => this.input(input));
  }

  /** Runs later in this life of the node, and not while it is paused. */
  later(delayMs: number, run: () => void): void {
    const { life } = this;
    const { world } = this.#cluster;
    const attempt = (): void => {
      if (this.life !== life) return;
      if (world.now < this.pausedUntil) world.after(this.pausedUntil - world.now, attempt);
      else run();
    };
    world.after(delayMs, attempt);
  }

  /** Messages reach a paused process only when it goes on. */
  receive(from: SimNode, message: PeerMessage): void {
    this.later(0, () => this.input({ kind: 'message', from: from.id, message }));
  }

  input(input: Input): void {
    if (!this.replica) return;
    if (input.kind !== 'tick') this.#note(() => `<- ${brief(input)}`);
    const outputs = this.replica.step(input, this.clock);
    for (const output of outputs) {
      if (this.#cluster.diesBetweenOutputs()) return this.crash();
      this.#perform(output);
    }
    this.#cluster.checkers.afterStep(this);
  }

  /** The client's write, if this node serves. */
  propose(payloads: readonly number[]): void {
    const view = this.replica?.view;
    if (!view?.serving || !view.configuration || this.#cluster.world.now < this.pausedUntil) return;
    const { epoch } = view.configuration;
    const records = payloads.map((payload, i) => recordOf(view.last + 1 + i, epoch, payload));
    this.input({ kind: 'propose', records });
  }

  #perform(output: Output): void {
    const { disk } = this;
    const { checkers } = this.#cluster;
    if (output.kind !== 'send' || output.message.body.type !== 'beacon')
      this.#note(() => `-> ${brief(output)}`);
    switch (output.kind) {
      case 'append':
        disk.enqueue(output);
        return this.#journalLater();
      case 'truncate':
        checkers.onTruncate(this, output.from);
        disk.enqueue(output);
        return this.#journalLater();
      case 'commit':
        checkers.onCommit(this, output.upTo);
        disk.enqueue(output);
        return this.#journalLater();
      case 'readLog': {
        const { peer, from } = output;
        disk.enqueue({ kind: 'read', answer: () => this.#answerRead(peer, from) });
        return this.#journalLater();
      }
      case 'send':
        return this.#cluster.send(this, output.to, output.message);
      case 'saveConfiguration':
        disk.configurations.push(output.configuration);
        return this.later(this.#diskDelay(), () => this.#configurationSaved());
      case 'compareAndSet':
        return this.#compareAndSet(output.next);
      case 'openEpoch':
        return this.#openEpoch(output.seq, output.epoch);
      case 'serving':
        this.servings++;
        if (output.successor !== undefined) this.handOvers++;
        return checkers.onServing(this, output.serving, output.epoch, output.successor);
      case 'wipe':
        return this.later(this.#diskDelay(), () => {
          while (disk.configurations.length > 0) this.#configurationSaved();
          disk.wipe();
          this.commitHigh = 0;
          this.input({ kind: 'wiped' });
        });
      case 'tailRestored':
        disk.cut = false;
        return;
      case 'cells':
      case 'role':
      case 'alarm':
        return;
    }
  }

  /** One queued write takes its time; they complete in order, whoever's delay ends first. */
  #journalLater(): void {
    this.later(this.#diskDelay(), () => {
      const { disk } = this;
      const head = disk.journal[0];
      if (!head) return;
      if (head.kind === 'append' && disk.full) {
        this.#awaitRoom();
        return this.input({ kind: 'refusedByDisk', from: disk.refuse() as Seq });
      }
      disk.complete();
      if (head.kind === 'read') head.answer();
      if (head.kind === 'append') {
        const last = head.records.at(-1)!;
        this.input({ kind: 'stored', seq: last.seq, epoch: last.epoch });
      }
    });
  }

  #diskDelay(): number {
    const delay = this.#cluster.diskDelay();
    return this.slowness === 1 ? delay : Math.min(delay * this.slowness, SLOW_MS_MAX);
  }

  #awaitRoom(): void {
    this.later(250, () => (this.disk.full ? this.#awaitRoom() : this.input({ kind: 'roomOnDisk' })));
  }

  #configurationSaved(): void {
    const saved = this.disk.configurations.shift();
    if (!saved) return;
    this.disk.configuration = saved;
    this.input({ kind: 'configurationSaved', configuration: saved });
  }

  #answerRead(peer: NodeId, from: Seq): void {
    const { disk } = this;
    const count = 1 + this.#cluster.world.random.below(200);
    const records = disk.durable.slice(from - 1, Math.min(disk.committed, from - 1 + count));
    this.input({ kind: 'logRead', peer, from, records });
  }

  #compareAndSet(next: Configuration): void {
    const { store } = this.#cluster;
    const { life } = this;
    const reachable = (): boolean => this.life === life && this.#cluster.reachesStore(this);
    store.compareAndSet(next, reachable, (answer) => {
      if (this.life !== life) return;
      this.later(0, () => {
        if (answer.outcome === 'stored' || answer.outcome === 'ambiguous') {
          this.input({ kind: 'compareAndSetDone', next, outcome: answer.outcome });
        } else {
          const current = answer.outcome === 'refused' ? answer.current : undefined;
          this.input({ kind: 'compareAndSetRefused', next, current });
        }
      });
    });
  }

  /** The shell builds the opening entry, which may take a moment; by then the epoch may be over. */
  #openEpoch(seq: Seq, epoch: Epoch): void {
    const payload = this.#cluster.nextPayload();
    this.later(this.#cluster.world.random.chance(0.5) ? 0 : 3, () => {
      const view = this.replica!.view;
      if (view.role !== 'primary' || view.configuration?.epoch !== epoch || view.last !== seq - 1) return;
      this.input({ kind: 'propose', records: [recordOf(seq, epoch, payload)] });
    });
  }

  #tick(): void {
    this.input({ kind: 'tick' });
    if (this.leaving) this.input({ kind: 'standDown' });
    this.later(this.#cluster.world.random.between(20, 50), () => this.#tick());
  }

  /** The shell asks the store for the current configuration at start and from time to time. */
  #askStore(): void {
    const { world, store } = this.#cluster;
    const { life } = this;
    if (this.#cluster.reachesStore(this) && !store.down) {
      const { current } = store;
      world.after(world.random.between(1, 20), () => {
        if (this.life === life)
          this.later(0, () => this.input({ kind: 'configuration', configuration: current }));
      });
    }
    this.later(700, () => this.#askStore());
  }

  #note(text: () => string): void {
    this.#cluster.world.note(() => `${this.id} ${text()}`);
  }
}

function epochEnds(records: readonly LogRecord[]): EpochEnd[] {
  const ends: { epoch: Epoch; end: Seq }[] = [];
  for (const { seq, epoch } of records) {
    const newest = ends.at(-1);
    if (newest?.epoch === epoch) newest.end = seq;
    else ends.push({ epoch, end: seq });
  }
  return ends;
}

/** One line for a trace. */
function brief(what: Input | Output): string {
  return JSON.stringify(what, (key, value: unknown) => {
    if (key === 'records') return (value as LogRecord[]).map((r) => `${r.seq}@${r.epoch}`).join(' ');
    if (key === 'predecessor' || key === 'range' || key === 'tablet' || key === 'lineage') return undefined;
    return value;
  });
}
