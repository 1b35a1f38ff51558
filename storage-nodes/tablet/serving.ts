/**
 * What a copy does while it is the serving primary of one epoch: it decides commands, answers reads and
 * carries out reactions. One object an epoch: when the copy loses its place the object is closed, and
 * everyone who waits in it hears "ask again", whatever they wait for. So no answer of an epoch is ever
 * given out of what happened after it, even if this same copy leads again.
 */
import { Rejected, type Accepted, type CommandRequest } from '../client/client.ts';
import { Fault } from '../faults.ts';
import { decodeHead, type LogRecord } from '../log/entry.ts';
import { pause } from '../timers.ts';
import type { Epoch, RowRange, Seq, TabletId } from '../words.ts';
import type { Applied } from './applier.ts';
import type { ApplyLoop } from './apply-loop.ts';
import { bundleInMemory, readBundle, type Bundle, type CellQuery } from './bundle.ts';
import { Decisions } from './decisions.ts';
import { replaced, type Outcome } from './outcome.ts';
import { Reactor } from './reactor.ts';
import { SeqWaits } from './seq-waits.ts';
import type { TabletHost } from './tablet-host.ts';

/** Entries decided and not applied yet; beyond this, commands wait to be decided. */
const IN_FLIGHT_BYTES_MAX = 8 * 1024 * 1024;
/** With so much waiting to be decided, it is worth a batch of its own. */
const GATHERED_BYTES = 256 * 1024;
const LEASE_WAIT_MS = 2000;
const LEASE_LOOK_MS = 10;

export type ServingOptions = {
  readonly host: TabletHost;
  readonly tablet: TabletId;
  readonly epoch: Epoch;
  readonly range: RowRange;
  readonly apply: ApplyLoop;
  readonly committed: () => Seq;
  /** On the clock of the host's `now` (rule 7). */
  readonly leaseUntil: () => number;
  readonly propose: (records: readonly LogRecord[]) => void;
  readonly headAt: (seq: Seq) => Promise<Uint8Array>;
  /** A cell failed its checksum. */
  readonly cellsDamaged: (error: Fault) => void;
};

export class Serving {
  readonly #options: ServingOptions;
  readonly #decisions: Decisions;
  readonly #reactor: Reactor;
  readonly #forCommit = new SeqWaits();
  readonly #forApply = new SeqWaits();
  #closed = false;
  /** The last entry that this epoch has decided. */
  #proposed = 0 as Seq;
  /** Ends the waiting of commands for entries on their way. */
  #hasGathered: () => void = () => {};
  /** Why nothing new is taken: the lead is being handed over. */
  #handedOver: Fault | undefined;

  /** Requires that everything committed when this copy began to serve is applied: no overlay is inherited. */
  constructor(options: ServingOptions) {
    this.#options = options;
    const { host, tablet, epoch, range, propose } = options;
    const { cells, application } = host;
    const clock = (): number => host.clock();
    this.#decisions = new Decisions({
      tablet,
      epoch,
      range,
      cells,
      application,
      clock,
      timers: host.timers,
      random: (into) => host.random(into),
      propose: (records) => {
        this.#proposed = records.at(-1)!.seq;
        propose(records);
      },
      admit: (bytes) => this.#admit(bytes),
    });
    this.#reactor = new Reactor({
      tablet,
      cells,
      log: host.log,
      application,
      logger: host.logger,
      clock,
      timers: host.timers,
      execute: (command) => host.execute(command),
    });
    void this.#reactor.start();
  }

  /** Answers once the command's entry is committed. Throws Rejected or a Fault. */
  async execute(command: CommandRequest): Promise<Accepted> {
    let outcome: Outcome;
    try {
      const decided = this.#decisions.decide(command);
      if (this.#decisions.waitingBytes >= GATHERED_BYTES) this.#hasGathered();
      outcome = await this.#noticing(decided);
    } catch (error) {
      // Not decided: the successor may be asked at once.
      throw this.#handedOver && error instanceof Fault && error.code === 'NotServing'
        ? this.#handedOver
        : error;
    }
    return this.#answer(outcome);
  }

  /** Cells of one applied index, not older than anything committed before the call (rule 7). */
  async read(queries: readonly CellQuery[]): Promise<Bundle> {
    const { apply, host, tablet } = this.#options;
    return this.#readNow(queries) ?? this.linearizable(() => readBundle(host.cells, apply, tablet, queries));
  }

  /** As `linearizable`, if nothing has to be waited for: the usual case. */
  #readNow(queries: readonly CellQuery[]): Bundle | undefined {
    const { apply, committed, host, leaseUntil, tablet } = this.#options;
    if (committed() > apply.applied) apply.now();
    if (this.#closed || this.#handedOver || committed() > apply.applied) return undefined;
    const bundle = bundleInMemory(host.cells, tablet, queries);
    // The lease is checked after the value was read.
    return bundle && leaseUntil() > host.now() ? bundle : undefined;
  }

  /** Runs `read` on cells not older than anything committed before the call, under the lease (rule 7). */
  async linearizable<T>(read: () => Promise<T>): Promise<T> {
    this.#mustBeOpen();
    if (this.#handedOver) throw this.#handedOver;
    const committed = this.#options.committed();
    if (committed > this.#options.apply.applied) this.#options.apply.now();
    if (committed > this.#options.apply.applied) await this.#forApply.until(committed);
    const result = await this.#noticing(read());
    await this.#untilLeased();
    return result;
  }

  committed(upTo: Seq): void {
    this.#forCommit.reached(upTo);
  }

  applied({ upTo, reactions }: Applied): void {
    this.#forApply.reached(upTo);
    for (const reaction of reactions) this.#reactor.add(reaction);
  }

  /** Decides and reads nothing more (rule 16); what was proposed is answered if it commits before `close`. */
  handOver(reason: Fault): void {
    if (this.#closed) return;
    this.#handedOver = reason;
    this.#decisions.close();
    this.#reactor.stop();
    this.#forApply.fail(reason);
  }

  close(reason: Fault = replaced()): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#decisions.close();
    this.#reactor.stop();
    this.#forCommit.fail(reason);
    this.#forApply.fail(reason);
  }

  async #answer(outcome: Outcome): Promise<Accepted> {
    const { tablet } = this.#options;
    switch (outcome.kind) {
      case 'entry':
        await this.#untilCommitted(outcome.seq);
        return { tablet, seq: outcome.seq, time: outcome.time, reply: outcome.reply };
      case 'earlier': {
        await this.#untilCommitted(outcome.seq);
        const head = decodeHead(await this.#options.headAt(outcome.seq));
        return { tablet, seq: head.seq, time: head.time, reply: head.reply };
      }
      // A rejection and an answer without an entry are reads: what they saw must be committed, and the lease hold.
      case 'nothing':
        await this.#untilCommitted(outcome.seen);
        await this.#untilLeased();
        return { tablet, seq: outcome.seen, time: outcome.time, reply: outcome.reply };
      case 'rejected':
        await this.#untilCommitted(outcome.seen);
        await this.#untilLeased();
        throw new Rejected(outcome.rejection);
    }
  }

  /** Once closed, the entry at `seq` may be another's: that it is committed says nothing then. */
  async #untilCommitted(seq: Seq): Promise<void> {
    this.#mustBeOpen();
    if (seq > this.#options.committed()) await this.#forCommit.until(seq);
  }

  /** The lease is checked after the value was read; it may be on its way, right after a start. */
  async #untilLeased(): Promise<void> {
    const { host, leaseUntil, tablet } = this.#options;
    const until = host.now() + LEASE_WAIT_MS;
    for (;;) {
      this.#mustBeOpen();
      if (leaseUntil() > host.now()) return;
      if (this.#handedOver) throw this.#handedOver;
      if (host.now() > until)
        throw new Fault('NotServing', `tablet ${tablet} holds no lease for reads now; try again`);
      await pause(host.timers, LEASE_LOOK_MS);
    }
  }

  /**
   * Waits while too much is decided but not applied, and, unless `bytes` wait already or that much comes meanwhile, for
   * the entries that are on their way to the copies: all that then goes in one batch, with one sync on each disk
   * (decision 0032).
   */
  async #admit(bytes: number): Promise<void> {
    const { apply, committed } = this.#options;
    if (bytes < GATHERED_BYTES && this.#proposed > committed()) {
      const gathered = new Promise<void>((resolve) => (this.#hasGathered = resolve));
      await Promise.race([this.#forCommit.until(this.#proposed), gathered]);
    }
    while (apply.bytes > IN_FLIGHT_BYTES_MAX && !this.#closed) {
      apply.now();
      if (apply.bytes <= IN_FLIGHT_BYTES_MAX) return;
      await this.#forApply.until((apply.applied + 1) as Seq);
    }
  }

  #mustBeOpen(): void {
    if (this.#closed) throw this.#handedOver ?? replaced();
  }

  async #noticing<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!this.#closed && error instanceof Fault && error.code === 'Damaged') {
        this.#options.cellsDamaged(error);
      }
      throw error;
    }
  }
}
