/**
 * A node's disk, as far as one tablet sees it. Writes are queued and take time; a crash keeps any
 * prefix of the queue, also of a batch. The journal and the configuration file are separate queues,
 * as they are separate files.
 *
 *   durable: what a crash leaves;  volatile: durable plus all that is queued
 *
 * An honest disk loses only what was not reported durable. `tear` and `wipe` are the dishonest ones.
 */
import type { Configuration } from '../../storage-nodes/replication/configuration.ts';
import type { LogRecord } from '../../storage-nodes/log/entry.ts';
import type { Random } from './random.ts';

export type JournalOp =
  | { readonly kind: 'append'; readonly records: readonly LogRecord[] }
  | { readonly kind: 'truncate'; readonly from: number }
  | { readonly kind: 'commit'; readonly upTo: number }
  | { readonly kind: 'read'; readonly answer: () => void };

export class Disk {
  durable: LogRecord[] = [];
  volatile: LogRecord[] = [];
  committed = 0;
  configuration: Configuration | undefined;
  /** The mark that a tail was cut at open; the log keeps it until the copy is whole again (rule 5). */
  cut = false;
  damage: string | undefined;
  full = false;
  readonly journal: JournalOp[] = [];
  readonly configurations: Configuration[] = [];

  enqueue(op: JournalOp): void {
    if (op.kind === 'append') {
      const first = op.records[0]!;
      if (first.seq !== this.volatile.length + 1) {
        throw new Error(`disk: appending ${first.seq} after ${this.volatile.length}`);
      }
      this.volatile.push(...op.records);
    } else if (op.kind === 'truncate') {
      this.volatile.length = Math.min(this.volatile.length, op.from - 1);
    }
    this.journal.push(op);
  }

  /** Performs the oldest queued write. */
  complete(): JournalOp {
    const op = this.journal.shift()!;
    this.#apply(op);
    return op;
  }

  /** No room: every queued append is dropped; returns the lowest seq that was. */
  refuse(): number {
    const dropped = this.journal.filter((op) => op.kind === 'append').map((op) => op.records[0]!.seq);
    const kept = this.journal.filter((op) => op.kind !== 'append');
    this.journal.splice(0, this.journal.length, ...kept);
    this.volatile = this.durable.slice();
    for (const op of kept) {
      if (op.kind === 'truncate') this.volatile.length = Math.min(this.volatile.length, op.from - 1);
    }
    return Math.min(...dropped);
  }

  crash(random: Random, mayTear: boolean): void {
    const kept = random.below(this.journal.length + 1);
    for (let i = 0; i < kept; i++) this.#apply(this.journal[i]!);
    const torn = this.journal[kept];
    if (torn?.kind === 'append') {
      this.durable.push(...torn.records.slice(0, random.below(torn.records.length)));
      if (mayTear && random.chance(0.5)) this.cut = true;
    }
    const configurations = random.below(this.configurations.length + 1);
    if (configurations > 0) this.configuration = this.configurations[configurations - 1];
    this.journal.length = 0;
    this.configurations.length = 0;
    this.volatile = this.durable.slice();
  }

  /** Loses records that were reported durable, but none that were copied to the segments. */
  tear(random: Random): void {
    const prepared = this.durable.length - this.committed;
    this.durable.length -= random.below(prepared + 1);
    this.volatile = this.durable.slice();
    this.cut = true;
  }

  wipe(): void {
    this.durable = [];
    this.volatile = [];
    this.committed = 0;
    this.configuration = undefined;
    this.cut = false;
    this.damage = undefined;
    this.journal.length = 0;
    this.configurations.length = 0;
  }

  #apply(op: JournalOp): void {
    if (op.kind === 'append') this.durable.push(...op.records);
    else if (op.kind === 'truncate') this.durable.length = Math.min(this.durable.length, op.from - 1);
    else if (op.kind === 'commit') this.committed = op.upTo;
  }
}

/** Every entry of a simulation has a number of its own as payload. */
export function recordOf(seq: number, epoch: number, payload: number): LogRecord {
  const head = new Uint8Array(new Uint32Array([payload]).buffer);
  return { seq, epoch, head, parts: [] } as unknown as LogRecord;
}

export function isSameRecord(a: LogRecord | undefined, b: LogRecord | undefined): boolean {
  if (!a || !b || a.seq !== b.seq || a.epoch !== b.epoch) return false;
  return a.head === b.head || a.head.every((byte, i) => byte === b.head[i]);
}
