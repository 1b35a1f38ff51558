/**
 * One tablet's copy on this node: the shell around the replication core. It performs the core's outputs
 * in order and reports back what became durable (tablet-disk.ts), applies what is committed
 * (apply-loop.ts), and, while it is the serving primary, decides commands and answers reads (serving.ts).
 *
 *   applied <= committed <= last
 *   an entry is committed before it is applied, and applied before it is read or noticed
 *
 * What cannot be trusted: cells are thrown away and built again from this copy's own log; a damaged log
 * makes the core give up this copy, unless it is the only one, which goes on with what it can read.
 */
import type { Accepted, CommandRequest } from '../client/client.ts';
import { Fault } from '../faults.ts';
import { configurationHash } from '../master/configuration-hash.ts';
import type { EpochEnd, Input, Output } from '../replication/messages.ts';
import { Replica } from '../replication/replica.ts';
import { pause } from '../timers.ts';
import type { Seq, TabletId } from '../words.ts';
import type { Applied } from './applier.ts';
import { ApplyLoop, type ApplyFailure } from './apply-loop.ts';
import { CellMending } from './cell-mending.ts';
import type { Bundle, CellQuery } from './bundle.ts';
import { CellSnapshots } from './cell-snapshots.ts';
import { CoreRequests } from './core-requests.ts';
import { LogTrust, placed, savedConfiguration, type Judged } from './log-trust.ts';
import { Serving } from './serving.ts';
import { TabletDisk } from './tablet-disk.ts';
import type { TabletHost } from './tablet-host.ts';

/** A request that comes a little before this copy may serve waits so long, and looks so often. */
const SERVE_WAIT_MS = 1000;
const SERVE_LOOK_MS = 5;

export class Tablet {
  readonly id: TabletId;
  readonly #host: TabletHost;
  readonly #replica: Replica;
  readonly #disk: TabletDisk;
  readonly #apply: ApplyLoop;
  readonly #requests: CoreRequests;
  readonly #snapshots: CellSnapshots;
  #serving: Serving | undefined;
  /** Whoever comes before this copy serves waits here, if it is about to. */
  #rising: Promise<void> | undefined;
  #committed: Seq;
  #stopped = false;
  /** Being done to the cells or the whole copy: one after the other. */
  #turn: Promise<void> = Promise.resolve();
  readonly #mending: CellMending;
  readonly #trust: LogTrust;
  readonly #alarms = new Map<'disk' | 'cells' | 'log', string>();

  /** `ends`: where the epochs of the committed entries end, oldest first. */
  constructor(id: TabletId, host: TabletHost, recovered: Judged | undefined, ends: readonly EpochEnd[]) {
    this.id = id;
    this.#host = host;
    const { log, cells, application, timers } = host;
    const configuration = recovered?.configuration && savedConfiguration(recovered.configuration);
    this.#committed = recovered?.committed ?? (0 as Seq);
    const damage = recovered?.damage.map(placed).join('; ');
    this.#replica = new Replica({
      self: host.self,
      timing: host.timing,
      hash: configurationHash,
      cellForm: cells.form,
      now: host.now(),
      recovered: {
        configuration,
        committed: this.#committed,
        ends,
        prepared: recovered?.prepared ?? [],
        cutTail: recovered?.cutTail ?? false,
        damage: damage || undefined,
        suspect: recovered?.suspect && placed(recovered.suspect),
        imported: cells.imported(id),
      },
    });
    this.#disk = new TabletDisk({
      tablet: id,
      log,
      timers,
      report: (input) => this.input(input),
      readable: (upTo) => this.#apply.readable(upTo),
      refused: (from) => this.#apply.forgetFrom(from),
      full: (reason) => this.#diskFull(reason),
      damaged: (error) => this.logDamaged(error),
      failed: (error) => this.#fatal(error),
    });
    this.#apply = new ApplyLoop({
      tablet: id,
      cells,
      log,
      application,
      timers,
      readable: this.#committed,
      onApplied: (from, applied) => this.#applied(from, applied),
      onFailed: (failure) => this.#cannotApply(failure),
    });
    this.#snapshots = new CellSnapshots({
      tablet: id,
      cells,
      apply: this.#apply,
      logger: host.logger,
      report: (input) => this.input(input),
      inTurn: (work) => this.#mend(work),
      untilRoom: (work) => this.#mending.untilRoom(work),
      damaged: (error) => this.#mending.damaged(error),
      goOn: () => this.#project(),
    });
    this.#mending = new CellMending({
      tablet: id,
      host,
      apply: this.#apply,
      alarms: this.#alarms,
      isStopped: () => this.#stopped,
      stopServing: () => this.#stopServing(),
      mended: () => this.#project(),
      inTurn: (work) => this.#mend(work),
    });
    this.#requests = new CoreRequests({
      tablet: id,
      host,
      replica: this.#replica,
      apply: this.#apply,
      report: (input) => this.input(input),
      damaged: (error) => this.logDamaged(error),
      failed: (error) => this.#fatal(error),
    });
    this.#trust = new LogTrust({
      tablet: id,
      self: host.self,
      logger: host.logger,
      alarms: this.#alarms,
      view: () => this.#replica.view,
      now: () => host.now(),
      report: (input) => this.input(input),
    });
    if (recovered?.failedSync && !damage) this.#trust.syncFailed(placed(recovered.failedSync));
    for (const record of recovered?.prepared ?? []) this.#apply.remember(record);
    // A log that is damaged is not read for cells: the copy is fetched anew.
    if (!damage && !cells.imported(id)) this.#apply.start();
  }

  get view() {
    return {
      ...this.#replica.view,
      applied: this.#apply.applied,
      readable: this.#apply.readableUpTo,
      deciding: this.#serving !== undefined,
    };
  }

  get alarms(): readonly string[] {
    return [...this.#alarms.values()];
  }

  tick(): void {
    this.input({ kind: 'tick' });
  }

  input(input: Input): void {
    if (this.#stopped) return;
    let outputs: Output[];
    try {
      const now = this.#host.now();
      if (input.kind === 'tick') this.#trust.tick();
      // What a restart found to do comes out of the first step, whichever that is.
      const more: Input[] = input.kind === 'tick' ? [{ kind: 'applied', upTo: this.#apply.applied }] : [];
      outputs = [...more, input].flatMap((one) => this.#replica.step(one, now));
    } catch (error) {
      return this.#fatal(error instanceof Error ? error : new Error(String(error)));
    }
    for (const output of outputs) this.#perform(output);
  }

  /** Answers once the command's entry is committed. Throws Rejected or a Fault. */
  async execute(command: CommandRequest): Promise<Accepted> {
    return (this.#servingNow ?? (await this.#untilServing())).execute(command);
  }

  /** Cells of one applied index, not older than anything committed before the call (rule 7). */
  async read(queries: readonly CellQuery[]): Promise<Bundle> {
    const serving = this.#servingNow ?? (await this.#untilServing());
    return serving.read(queries);
  }

  /** For what reads this copy's log at a caller's wish: damage there is this copy's affair too. */
  async readingLog<T>(upTo: Seq, read: () => Promise<T>): Promise<T> {
    const { quarantine, committed, readable } = this.view;
    // Only the primary can say that there is no such entry yet.
    if (quarantine || (upTo > readable && (upTo <= committed || !this.#serving))) throw this.#notPrimary();
    try {
      return await read();
    } catch (error) {
      if (error instanceof Fault && error.code === 'Damaged') this.logDamaged(error);
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const stopping = new Fault('Closed', 'the node is stopping');
    this.#stopServing(stopping);
    await this.#apply.pause(stopping);
    await this.#snapshots.stop();
    await this.#disk.stop();
    await this.#turn;
  }

  #perform(output: Output): void {
    switch (output.kind) {
      case 'append':
        for (const record of output.records) this.#apply.remember(record);
        return this.#disk.append(output.records);
      case 'truncate':
        this.#apply.forgetFrom(output.from);
        return this.#disk.truncate(output.from);
      case 'commit':
        this.#committed = output.upTo;
        this.#serving?.committed(output.upTo);
        return this.#disk.commit(output.upTo);
      case 'send':
        return this.#host.send(output.to, output.message);
      case 'saveConfiguration':
        return this.#disk.saveConfiguration(output.configuration);
      case 'compareAndSet':
        void this.#requests.compareAndSet(output.next);
        return;
      case 'readLog':
        return this.#disk.readFor(output.peer, output.from, output.maxBytes);
      case 'openEpoch':
        void this.#requests.openEpoch(output.seq, output.epoch);
        return;
      case 'serving':
        return this.#servingChanged(output);
      case 'role': {
        const { version, epoch, inSync } = output.configuration;
        this.#trust.roleChanged(output.role);
        this.#host.logger.info({ tablet: this.id, role: output.role, version, epoch, inSync }, 'role');
        return this.#host.configurationChanged(output.configuration);
      }
      case 'alarm':
        this.#host.logger.warn({ tablet: this.id }, output.text);
        return;
      case 'tailRestored':
        return this.#disk.tailRestored();
      case 'wipe':
        return this.#mend(() => this.#wipe(output.reason));
      case 'cells':
        return this.#snapshots.perform(output.order);
      default:
        output satisfies never;
    }
  }

  #servingChanged({ serving, epoch, successor }: Extract<Output, { kind: 'serving' }>): void {
    const { logger } = this.#host;
    const what = serving ? 'serving' : successor ? 'handing over' : 'no longer serving';
    logger.info({ tablet: this.id, epoch, serving, successor }, what);
    if (!serving && successor !== undefined) return this.#serving?.handOver(this.#notPrimary());
    // Also when it serves again after a hand-over that came to nothing: decisions start from cells anew.
    this.#stopServing();
    if (serving) void this.#startServing();
  }

  /** Serving starts once all that is in the log is applied: no overlay is inherited, nor what an earlier one knew. */
  async #startServing(): Promise<void> {
    const { last, configuration: before } = this.#replica.view;
    try {
      await this.#apply.untilApplied(last);
    } catch {
      return; // stopped, or the cells are being mended, which starts serving again
    }
    const { serving, configuration } = this.#replica.view;
    if (!serving || configuration?.epoch !== before?.epoch || !configuration) return;
    if (this.#stopped || this.#serving) return;
    this.#serving = new Serving({
      host: this.#host,
      tablet: this.id,
      epoch: configuration.epoch,
      range: configuration.range,
      apply: this.#apply,
      committed: () => this.#committed,
      leaseUntil: () => this.#replica.leaseUntil,
      propose: (records) => this.input({ kind: 'propose', records }),
      headAt: (seq) => this.#requests.headAt(seq),
      cellsDamaged: (error) => this.#mending.damaged(error),
    });
  }

  #stopServing(reason?: Fault): void {
    const serving = this.#serving;
    this.#serving = undefined;
    serving?.close(reason);
  }

  get #servingNow(): Serving | undefined {
    return this.#replica.serving ? this.#serving : undefined;
  }

  /** Throws Fault NotPrimary or NotServing. */
  async #untilServing(): Promise<Serving> {
    this.#rising ??= this.#whileRising().finally(() => (this.#rising = undefined));
    await this.#rising;
    const serving = this.#servingNow;
    if (!serving) throw this.#notPrimary();
    return serving;
  }

  async #whileRising(): Promise<void> {
    const { self, timers } = this.#host;
    const isRising = (): boolean =>
      !this.#stopped && !this.#servingNow && this.#alarms.size === 0 && this.#replica.successor === self;
    for (let waited = 0; waited < SERVE_WAIT_MS && isRising(); waited += SERVE_LOOK_MS)
      await pause(timers, SERVE_LOOK_MS);
  }

  #notPrimary(): Fault {
    const primary = this.#replica.successor ?? this.#replica.view.configuration?.primary;
    if (primary !== undefined && primary !== this.#host.self) {
      return new Fault('NotPrimary', `${primary} is the primary of ${this.id}`, { hint: primary });
    }
    return new Fault('NotServing', `tablet ${this.id} is not ready on ${this.#host.self} yet; try again`);
  }

  #applied(from: Seq, applied: Applied): void {
    if (this.#alarms.delete('cells')) this.input({ kind: 'unable', reason: undefined });
    this.#serving?.applied(applied);
    const { serving, configuration } = this.#replica.view;
    if (serving && configuration)
      this.#host.notice(this.id, configuration.epoch, from, applied.upTo, applied.streams);
  }

  #cannotApply({ error, at }: ApplyFailure): void {
    if (this.#stopped) return;
    const code = error instanceof Fault ? error.code : undefined;
    if (code === 'Damaged') return at === 'log' ? this.logDamaged(error) : this.#mending.damaged(error);
    if (code === 'DiskFull') return this.#mending.full(error);
    if (code !== undefined) return this.#fatal(error); // the cells' disk failed
    // Every copy that runs this program would fail here. The log is sound: it is kept, and goes on growing.
    this.#stopServing();
    this.#alarms.set('cells', `${this.id}: committed entries are not applied: ${error.message}`);
    this.input({ kind: 'unable', reason: error.message });
    this.#host.logger.error(
      { tablet: this.id, err: error },
      'cannot apply committed entries: this copy serves nothing',
    );
  }

  /** Cells are sound again: apply what is committed, and serve if the core does. */
  #project(): void {
    this.#apply.start();
    if (this.#replica.view.serving) void this.#startServing();
  }

  async #wipe(reason: string): Promise<void> {
    const { logger } = this.#host;
    logger.warn({ tablet: this.id, reason }, 'wiping this copy: it will be fetched anew');
    await this.#apply.pause(new Fault('NotServing', `this copy of ${this.id} is being wiped`));
    // The log goes last: as long as it is there, cells that are gone can be built again.
    await this.#mending.untilRoom(() => this.#host.cells.abandonImport(this.id));
    await this.#mending.drop();
    if (this.#stopped) return;
    await this.#disk.drop();
    this.#apply.reset();
    this.#committed = 0 as Seq;
    this.#alarms.clear();
    this.#trust.reset();
    this.#apply.start();
    this.input({ kind: 'wiped' });
  }

  #mend(work: () => Promise<void>): void {
    this.#turn = this.#turn
      .then(() => (this.#stopped ? undefined : work()))
      .catch((error: unknown) => this.#fatal(error instanceof Error ? error : new Error(String(error))));
  }

  #diskFull(reason: string | undefined): void {
    if (reason === undefined) return void this.#alarms.delete('disk');
    if (this.#alarms.has('disk')) return;
    this.#alarms.set('disk', `${this.id}: ${reason}`);
    this.#host.logger.error(
      { tablet: this.id, reason },
      'the disk is full: refusing entries until there is room',
    );
  }

  logDamaged(error: unknown): void {
    if (!this.#stopped) this.#trust.lost('damaged', error instanceof Error ? error.message : String(error));
  }

  #fatal(error: Error): void {
    if (!this.#stopped) this.#host.fatal(error);
  }
}
