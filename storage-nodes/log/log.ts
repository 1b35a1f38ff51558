/**
 * The node's log: what a tablet asks of it. One NodeLog serves all tablets of a node.
 *
 *   - `append` makes records durable in the node's journal (group commit over all tablets); parts of
 *     64 KiB and more go straight to the tablet's part segments, synced first.
 *   - `commit` has records copied to the tablet's own segments, unsynced, a moment later; these hold
 *     committed entries only and are never truncated. They are synced before the journal space behind
 *     them is reused.
 *   - `truncate` drops prepared (uncommitted) records.
 *
 *   segments' last seq <= commit index known to this node <= durable last <= last appended
 */
import type { Seq, TabletId } from '../words.ts';
import type { LogRecord } from './entry.ts';

export type Damage = {
  readonly file: string;
  readonly offset: number;
  readonly reason: string;
};

/** What one tablet's log looked like when the node opened it. */
export type RecoveredTablet = {
  readonly tablet: TabletId;
  /** Last entry in the tablet's segments (0: none). Everything up to here is committed. */
  readonly committed: Seq;
  /** Records beyond `committed` that are durable in the journal, contiguous, in order. */
  readonly prepared: readonly LogRecord[];
  /** A torn tail was cut, or is known to be lost, now or before: this copy may have lost what it acknowledged (rule 5). See `tailRestored`. */
  readonly cutTail: boolean;
  /** Bytes that can't be trusted. Not empty: this copy must not serve (rule 11). */
  readonly damage: readonly Damage[];
  /** An fsync failed in an earlier run: what reads well may not be on the disk (rule 12). Reported until the tablet is dropped. */
  readonly failedSync?: Damage | undefined;
  /** The last configuration saved with `saveConfiguration`. */
  readonly configuration: Uint8Array | undefined;
};

export interface NodeLog {
  /** Opens or creates the log in its folder and recovers. Reports damage, never skips over it. */
  open(): Promise<readonly RecoveredTablet[]>;
  /** Syncs and closes; waits for writes in flight. */
  close(): Promise<void>;

  /**
   * Appends records (contiguous with what the tablet has) in call order. Resolves when all of them and
   * their parts are durable. Rejects with Fault DiskFull (nothing kept, retriable) or DiskFailed (final:
   * every later call is refused).
   */
  append(tablet: TabletId, records: readonly LogRecord[]): Promise<void>;
  /** Drops prepared records with seq >= from; durable when it resolves. */
  truncate(tablet: TabletId, from: Seq): Promise<void>;
  /**
   * Marks prepared records up to `upTo` committed. Resolves when they can be read here (`read` and its
   * like); the files of the tablet's segments hold them a moment later (`copied`). Calls are in order.
   * Rejects with Fault DiskFull while an earlier copy to the segments finds no room.
   */
  commit(tablet: TabletId, upTo: Seq): Promise<void>;
  /** Resolves when all that is committed can be read from the files, by another process too; not synced. */
  copied(tablet: TabletId): Promise<void>;
  /** Durable (fsynced file, renamed into place) when it resolves. */
  saveConfiguration(tablet: TabletId, configuration: Uint8Array): Promise<void>;
  /** Something else than the log shows that its end is gone: `cutTail` is reported, now and later. Durable likewise. */
  tailLost(tablet: TabletId): Promise<void>;
  /**
   * This copy holds again all that it ever acknowledged: `cutTail` is reported no more. Until then each
   * `open` reports it, also after further restarts. Durable when it resolves.
   */
  tailRestored(tablet: TabletId): Promise<void>;
  /** Forgets a tablet: its prepared records, segments and configuration leave this node. */
  drop(tablet: TabletId): Promise<void>;

  /** Committed records from `from` on (inclusive), at least one if there is one, about `maxBytes` at most. */
  read(tablet: TabletId, from: Seq, maxBytes: number): Promise<readonly LogRecord[]>;
  /** Head only, without reading large parts. */
  readHeads(
    tablet: TabletId,
    from: Seq,
    countMax: number,
  ): Promise<readonly { seq: Seq; head: Uint8Array }[]>;
  /** Bytes [offset, offset+length) of a part of a committed entry; undefined if erased. Verifies checksums. */
  readPart(
    tablet: TabletId,
    seq: Seq,
    part: number,
    offset: number,
    length: number,
  ): Promise<Buffer | undefined>;
  /** (epoch, last seq of that epoch) of the committed entries, oldest first. */
  epochEnds(tablet: TabletId): Promise<readonly { epoch: number; end: Seq }[]>;

  /** Reads everything of a tablet again and checks it; returns what is damaged. */
  scrub(tablet: TabletId): Promise<readonly Damage[]>;
}
