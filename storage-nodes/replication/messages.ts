/**
 * What replicas of one tablet say to each other, and what goes into and comes out of the core. Every
 * message carries the sender's epoch and version (rule 2); the core alone judges them.
 */
import type { LogRecord } from '../log/entry.ts';
import type { Epoch, NodeId, Seq, TabletId, Version } from '../words.ts';
import type { Configuration } from './configuration.ts';

/** The last entry of an epoch in somebody's log. */
export type EpochEnd = { readonly epoch: Epoch; readonly end: Seq };

/** How far a copy reaches; `isCut`: its own tail was cut, and may have been longer. */
export type QueryReply = { readonly last: EpochEnd; readonly isCut: boolean };

export type MessageBody =
  /** Primary to replica: records that follow (prevSeq, prevEpoch). None: a probe. */
  | {
      readonly type: 'append';
      readonly prevSeq: Seq;
      readonly prevEpoch: Epoch;
      readonly records: readonly LogRecord[];
      readonly commit: Seq;
    }
  /** Replica to primary: everything up to `match` is on this disk and equals the primary's log. */
  | { readonly type: 'ack'; readonly match: Seq }
  /** Replica to primary: (prevSeq, prevEpoch) is not in this log; here is where its epochs end, newest last. */
  | { readonly type: 'nack'; readonly ends: readonly EpochEnd[] }
  /** Primary to every other replica; `sentAt` is the primary's own monotonic clock (rule 7). */
  | { readonly type: 'beacon'; readonly sentAt: number; readonly commit: Seq }
  | { readonly type: 'beaconAck'; readonly sentAt: number }
  /** Anyone: a configuration the other does not seem to know. */
  | { readonly type: 'configure'; readonly configuration: Configuration }
  /** Anyone: you speak of a version that I have not seen; send it. */
  | { readonly type: 'askConfiguration' }
  /** A copy that cut its tail asks the other in-sync members how far they reach (rule 5). */
  | { readonly type: 'query' }
  | ({ readonly type: 'queryReply' } & QueryReply)
  /** Replica to primary: the disk has no room for what you sent (rule 12). */
  | { readonly type: 'full' }
  /** Primary to an in-sync member: would you lead, in this configuration? (rule 16) */
  | { readonly type: 'offer'; readonly configuration: Configuration }
  /** `offer` is the hash of the configuration that was offered. */
  | { readonly type: 'offerAnswer'; readonly offer: string; readonly accepts: boolean }
  /** In-sync member to primary: go on without me, I am about to stop (rule 16). Repeated while it holds. */
  | { readonly type: 'leave' }
  /**
   * Learner to primary: my disk was empty at `at` (my clock); forget what I acknowledged before (rule 11).
   * The answer repeats `at`; until then the learner takes nothing.
   */
  | { readonly type: 'withdraw'; readonly at: number }
  | { readonly type: 'withdrawn'; readonly at: number }
  /** Learner to primary: chunk `chunk` of that snapshot of your cells; '' asks for a new one (rule 13). */
  | { readonly type: 'snapshotAsk'; readonly snapshot: string; readonly chunk: number }
  /** All cells as of entry `at`, a piece at a time; `crc` is CRC-32 of `bytes`. */
  | {
      readonly type: 'snapshotChunk';
      readonly snapshot: string;
      readonly chunk: number;
      readonly at: Seq;
      readonly isLast: boolean;
      readonly bytes: Uint8Array;
      readonly crc: number;
    }
  /** I do not have that snapshot any more: begin anew. */
  | { readonly type: 'snapshotGone'; readonly snapshot: string };

export type PeerMessage = {
  readonly tablet: TabletId;
  readonly epoch: Epoch;
  readonly version: Version;
  readonly body: MessageBody;
};

/** What happened. `now` is the node's monotonic clock in ms. */
export type Input =
  | { readonly kind: 'tick' }
  /** How far this copy's cells have come. */
  | { readonly kind: 'applied'; readonly upTo: Seq }
  | { readonly kind: 'message'; readonly from: NodeId; readonly message: PeerMessage }
  | { readonly kind: 'peerConnected'; readonly peer: NodeId }
  | { readonly kind: 'peerDisconnected'; readonly peer: NodeId }
  /** The master has not heard that node: hastens only what silence allows anyway (rule 7). */
  | { readonly kind: 'suspected'; readonly node: NodeId }
  /** Whether the config store answers, as far as is known: nothing is begun without it that can wait (rule 8). */
  | { readonly kind: 'store'; readonly answers: boolean }
  /** Let another in-sync member lead (rule 16); a copy that is not primary does nothing. Give it again if need be. */
  | { readonly kind: 'handOver'; readonly to?: NodeId }
  /** Lead no more, and leave the in-sync set if two remain. Holds for `suspectMs`: give it again while it is meant. */
  | { readonly kind: 'standDown' }
  /** This copy's log is sound, but it cannot serve (why), or can again (undefined). */
  | { readonly kind: 'unable'; readonly reason: string | undefined }
  /**
   * From the config store, read or pushed since this process started: a node without a configuration
   * trusts a first version (and with it that nothing was written yet) only from here.
   */
  | { readonly kind: 'configuration'; readonly configuration: Configuration }
  | { readonly kind: 'configurationSaved'; readonly configuration: Configuration }
  | {
      readonly kind: 'compareAndSetDone';
      readonly next: Configuration;
      readonly outcome: 'stored' | 'ambiguous';
    }
  /** `current` undefined: certain that this request changed nothing (it was never sent, or none is stored). */
  | {
      readonly kind: 'compareAndSetRefused';
      readonly next: Configuration;
      readonly current: Configuration | undefined;
    }
  /** It breaks a rule that every config store checks: no attempt was stored, or ever will be. */
  | { readonly kind: 'compareAndSetInvalid'; readonly next: Configuration; readonly reason: string }
  /** Primary only: entries that continue its log in its epoch. */
  | { readonly kind: 'propose'; readonly records: readonly LogRecord[] }
  /** This entry and all before it are durable here. */
  | { readonly kind: 'stored'; readonly seq: Seq; readonly epoch: Epoch }
  /**
   * The disk had no room. No append that was asked for and not reported 'stored' is in the log or will be;
   * `from` is the lowest seq among them. The shell then drops everything queued behind the refused one.
   */
  | { readonly kind: 'refusedByDisk'; readonly from: Seq }
  /** After 'refusedByDisk': there is room again. */
  | { readonly kind: 'roomOnDisk' }
  | {
      readonly kind: 'logRead';
      readonly peer: NodeId;
      readonly from: Seq;
      readonly records: readonly LogRecord[];
    }
  /** Bytes of this copy cannot be trusted (rule 11). */
  | { readonly kind: 'damaged'; readonly reason: string }
  | { readonly kind: 'wiped' }
  /** A chunk of this copy's own cells; `chunk` undefined: the view of them is lost. */
  | {
      readonly kind: 'cellsRead';
      readonly peer: NodeId;
      readonly snapshot: string;
      readonly chunk: number;
      readonly found: SnapshotPiece | undefined;
    }
  | {
      readonly kind: 'cellsImported';
      readonly snapshot: string;
      readonly chunk: number;
      readonly isLast: boolean;
    }
  /** What came could not be used (a wrong checksum). */
  | { readonly kind: 'importFailed'; readonly snapshot: string }
  | { readonly kind: 'cellsAdopted' };

export type SnapshotPiece = {
  readonly at: Seq;
  readonly isLast: boolean;
  readonly bytes: Uint8Array;
  readonly crc: number;
};

/** What the shell must do, in this order. */
export type Output =
  /** Write to the journal, then input 'stored' for the last of them. */
  | { readonly kind: 'append'; readonly records: readonly LogRecord[] }
  | { readonly kind: 'truncate'; readonly from: Seq }
  /** These are committed: copy to the segments, then project. */
  | { readonly kind: 'commit'; readonly upTo: Seq }
  | { readonly kind: 'send'; readonly to: NodeId; readonly message: PeerMessage }
  /** Make durable, then input 'configurationSaved'. */
  | { readonly kind: 'saveConfiguration'; readonly configuration: Configuration }
  /** Ask the config store, then input 'compareAndSetDone' or 'compareAndSetRefused'. */
  | { readonly kind: 'compareAndSet'; readonly next: Configuration }
  /** Read committed records from the log, then input 'logRead'. */
  | { readonly kind: 'readLog'; readonly peer: NodeId; readonly from: Seq; readonly maxBytes: number }
  /** Build the entry that opens this epoch at this seq and propose it. */
  | { readonly kind: 'openEpoch'; readonly seq: Seq; readonly epoch: Epoch }
  /**
   * May decide and serve, or must stop: discard the overlay of undecided work. With a `successor`: decide
   * and read nothing more, but what was proposed may still commit; 'serving' follows, or another 'role'.
   */
  | {
      readonly kind: 'serving';
      readonly serving: boolean;
      readonly epoch: Epoch;
      readonly successor?: NodeId;
    }
  | { readonly kind: 'role'; readonly role: Role; readonly configuration: Configuration }
  | { readonly kind: 'alarm'; readonly text: string }
  /** A cut tail is made good: the log need not report it at the next start (rule 5). */
  | { readonly kind: 'tailRestored' }
  /** Remove this copy's log, cells and saved configuration, then input 'wiped'. */
  | { readonly kind: 'wipe'; readonly reason: string }
  | { readonly kind: 'cells'; readonly order: CellsOrder };

/** What the shell must do, in this order, while cells travel as a snapshot (rule 13). */
export type CellsOrder =
  /** Read this chunk of one view of the cells (chunk 1 opens the view), then input 'cellsRead'. */
  | {
      readonly kind: 'read';
      readonly peer: NodeId;
      readonly snapshot: string;
      readonly chunk: number;
      readonly maxBytes: number;
    }
  | { readonly kind: 'close'; readonly snapshot: string }
  /** Stop projecting; what was imported before is void. */
  | { readonly kind: 'begin' }
  /** Check and write these cells to a generation of their own, then input 'cellsImported' or 'importFailed'. */
  | {
      readonly kind: 'import';
      readonly snapshot: string;
      readonly chunk: number;
      readonly at: Seq;
      readonly isLast: boolean;
      readonly bytes: Uint8Array;
      readonly crc: number;
    }
  /** All of them are there: make them this copy's cells, then input 'cellsAdopted' and project on. */
  | { readonly kind: 'adopt'; readonly snapshot: string; readonly at: Seq }
  /** Throw away what was imported, and project on. */
  | { readonly kind: 'abandon' };

export type Role = 'primary' | 'replica' | 'learner' | 'quarantined' | 'none';
