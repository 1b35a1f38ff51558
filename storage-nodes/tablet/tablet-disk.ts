/**
 * Performs what the core of one tablet asks of the log, and reports back what became durable.
 *
 *   - Disk full (rule 12): appends that were refused are reported together, by the lowest seq among them;
 *     a copy of committed entries to the segments and the saving of a configuration are tried again until
 *     there is room; a refused append is followed by small writes until one passes, which is reported.
 *     Nothing needs a restart.
 *   - What was asked for before the copy was dropped is not reported after it: each drop begins a *life*.
 *   - Everything else that fails is final, and handed on.
 */
import { Fault } from '../faults.ts';
import type { LogRecord } from '../log/entry.ts';
import type { NodeLog } from '../log/log.ts';
import { canonical, type Configuration } from '../replication/configuration.ts';
import type { Input } from '../replication/messages.ts';
import { pause, type Timers } from '../timers.ts';
import type { NodeId, Seq, TabletId } from '../words.ts';

const RETRY_MS = 250;
/** Trying whether there is room again costs a record in the journal, once there is. */
const ROOM_RETRY_MS_MAX = 2000;

export type TabletDiskOptions = {
  readonly tablet: TabletId;
  readonly log: NodeLog;
  readonly timers: Timers;
  /** Tells the core. */
  readonly report: (input: Input) => void;
  /** Entries up to here can be read from the segments. */
  readonly readable: (upTo: Seq) => void;
  /** Appended entries from here on are gone, for want of room. */
  readonly refused: (from: Seq) => void;
  /** There is no room (why), or there is again (undefined). */
  readonly full: (reason: string | undefined) => void;
  readonly damaged: (error: Fault) => void;
  /** The node cannot go on. */
  readonly failed: (error: Error) => void;
};

export class TabletDisk {
  readonly #options: TabletDiskOptions;
  #life = 1;
  /** The lowest seq refused for want of room and not reported yet. */
  #refusedFrom: Seq | undefined;
  /** Appends asked for so far. */
  #appends = 0;
  #commitTarget = 0 as Seq;
  #copied = 0 as Seq;
  #copying: Promise<void> | undefined;
  #configuration: Configuration | undefined;
  #saving: Promise<void> | undefined;

  constructor(options: TabletDiskOptions) {
    this.#options = options;
  }

  append(records: readonly LogRecord[]): void {
    const { log, tablet, report } = this.#options;
    const first = records[0]!.seq;
    const last = records.at(-1)!;
    this.#appends++;
    if (this.#refusedFrom !== undefined) return this.#refuse(first);
    const life = this.#life;
    log.append(tablet, records).then(
      () => {
        if (life !== this.#life) return;
        this.#options.full(undefined);
        report({ kind: 'stored', seq: last.seq, epoch: last.epoch });
      },
      (error: unknown) => {
        if (life !== this.#life || !this.#isFull(error)) return this.#fail(error, life);
        this.#refuse(first);
      },
    );
  }

  truncate(from: Seq): void {
    const { log, tablet } = this.#options;
    const life = this.#life;
    // Without room the log has forgotten the entries all the same, and tells its journal later.
    log.truncate(tablet, from).catch((error: unknown) => {
      if (!this.#isFull(error)) this.#fail(error, life);
    });
  }

  commit(upTo: Seq): void {
    if (upTo > this.#commitTarget) this.#commitTarget = upTo;
    this.#startCopying();
  }

  saveConfiguration(configuration: Configuration): void {
    this.#configuration = configuration;
    this.#startSaving();
  }

  /** Reads committed entries for a copy that misses them. */
  readFor(peer: NodeId, from: Seq, maxBytes: number): void {
    const { log, tablet, report, damaged } = this.#options;
    const life = this.#life;
    const answer = (records: readonly LogRecord[]): void => {
      if (life === this.#life) report({ kind: 'logRead', peer, from, records });
    };
    log.read(tablet, from, maxBytes).then(answer, async (error: unknown) => {
      if (!(error instanceof Fault) || error.code !== 'Damaged') return this.#fail(error, life);
      damaged(error);
      // If this copy goes on all the same (it is the only one), the other asks again, not at once.
      await pause(this.#options.timers, RETRY_MS);
      answer([]);
    });
  }

  tailRestored(): void {
    const { log, tablet } = this.#options;
    const life = this.#life;
    log.tailRestored(tablet).catch((error: unknown) => {
      // Not noted: the next open takes the same care once more.
      if (!this.#isFull(error)) this.#fail(error, life);
    });
  }

  /** Removes everything of this copy. What was under way is finished or void when it resolves. */
  async drop(): Promise<void> {
    const unsaved = this.#configuration;
    this.#life++;
    await Promise.all([this.#copying, this.#saving]);
    this.#configuration = undefined;
    this.#refusedFrom = undefined;
    this.#commitTarget = this.#copied = 0 as Seq;
    await this.#options.log.drop(this.#options.tablet);
    // A copy that holds nothing acts on a configuration without having saved it.
    if (unsaved) this.#options.report({ kind: 'configurationSaved', configuration: unsaved });
  }

  async stop(): Promise<void> {
    this.#life++;
    await Promise.all([this.#copying, this.#saving]);
  }

  #startCopying(): void {
    if (this.#copying || this.#commitTarget <= this.#copied) return;
    const life = this.#life;
    this.#copying = this.#copy(life).finally(() => {
      this.#copying = undefined;
      if (life === this.#life) this.#startCopying();
    });
  }

  async #copy(life: number): Promise<void> {
    const { log, tablet, readable, full } = this.#options;
    while (life === this.#life && this.#commitTarget > this.#copied) {
      const upTo = this.#commitTarget;
      try {
        await log.commit(tablet, upTo);
      } catch (error) {
        if (!this.#isFull(error)) return this.#fail(error, life);
        await pause(this.#options.timers, RETRY_MS);
        continue;
      }
      if (life !== this.#life) return;
      this.#copied = upTo;
      full(undefined);
      readable(upTo);
    }
  }

  #startSaving(): void {
    if (this.#saving || !this.#configuration) return;
    const life = this.#life;
    this.#saving = this.#save(life).finally(() => {
      this.#saving = undefined;
      if (life === this.#life) this.#startSaving();
    });
  }

  /** The newest wins: one that is overtaken while it waits need not be written. */
  async #save(life: number): Promise<void> {
    const { log, tablet, report } = this.#options;
    while (life === this.#life && this.#configuration) {
      const configuration = this.#configuration;
      try {
        await log.saveConfiguration(tablet, Buffer.from(canonical(configuration)));
      } catch (error) {
        if (!this.#isFull(error)) return this.#fail(error, life);
        await pause(this.#options.timers, RETRY_MS);
        continue;
      }
      if (life !== this.#life) return;
      if (this.#configuration === configuration) this.#configuration = undefined;
      report({ kind: 'configurationSaved', configuration });
    }
  }

  /** The log refuses several appends in one turn: the core is told once, behind that turn. */
  #refuse(first: Seq): void {
    if (this.#refusedFrom !== undefined) {
      if (first < this.#refusedFrom) this.#refusedFrom = first;
      return;
    }
    this.#refusedFrom = first;
    const life = this.#life;
    this.#options.timers.soon(() => {
      if (life !== this.#life) return;
      const from = this.#refusedFrom!;
      this.#refusedFrom = undefined;
      this.#options.refused(from);
      this.#options.report({ kind: 'refusedByDisk', from });
      void this.#awaitRoom(from, life);
    });
  }

  /** Nothing stands behind `from` since the refusal: dropping that again changes nothing, and needs room. */
  async #awaitRoom(from: Seq, life: number): Promise<void> {
    const { log, tablet, timers, report } = this.#options;
    const appends = this.#appends;
    for (let waitMs = RETRY_MS; ; waitMs = Math.min(waitMs * 2, ROOM_RETRY_MS_MAX)) {
      await pause(timers, waitMs);
      // An append that is under way tells us as much.
      if (life !== this.#life || appends !== this.#appends) return;
      try {
        await log.truncate(tablet, from);
      } catch (error) {
        if (!this.#isFull(error)) return this.#fail(error, life);
        continue;
      }
      if (life === this.#life) report({ kind: 'roomOnDisk' });
      return;
    }
  }

  #isFull(error: unknown): error is Fault {
    if (!(error instanceof Fault) || error.code !== 'DiskFull') return false;
    this.#options.full(error.message);
    return true;
  }

  #fail(error: unknown, life: number): void {
    if (life !== this.#life) return;
    // Nothing that this copy did is reported any more.
    this.#life++;
    this.#options.failed(error instanceof Error ? error : new Error(String(error)));
  }
}
