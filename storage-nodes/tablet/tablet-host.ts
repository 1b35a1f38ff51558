/** What a tablet needs from the node that it lies on. */
import type { Logger } from 'pino';
import type { CellStore } from '../cells/cells.ts';
import type { Accepted, CommandRequest } from '../client/client.ts';
import type { NodeLog } from '../log/log.ts';
import type { Configuration } from '../replication/configuration.ts';
import type { PeerMessage } from '../replication/messages.ts';
import type { Timing } from '../replication/state.ts';
import type { Timers } from '../timers.ts';
import type { Epoch, NodeId, Seq, TabletId } from '../words.ts';
import type { Application } from './application.ts';

export type TabletHost = {
  readonly self: NodeId;
  readonly log: NodeLog;
  readonly cells: CellStore;
  readonly application: Application;
  readonly timing: Timing;
  readonly logger: Logger;
  /** Monotonic, ms. */
  now(): number;
  /** Wall clock that the nodes agree on, ms since 1970: the time of entries. */
  clock(): number;
  /** Resolves when enough clocks were heard for `clock` not to be this node's alone, or after a while. */
  clockSettled(): Promise<void>;
  readonly timers: Timers;
  /** Fills with random bytes: salts of parts. */
  readonly random: (into: Uint8Array) => Uint8Array;
  send(to: NodeId, message: PeerMessage): void;
  /** 'unsent': the store was not reached at all, so nothing can have happened. 'invalid': it breaks a rule. */
  compareAndSet(
    next: Configuration,
  ): Promise<
    | { outcome: 'stored' }
    | { outcome: 'refused'; current: Configuration | undefined }
    | { outcome: 'invalid'; reason: string }
    | { outcome: 'ambiguous' }
    | { outcome: 'unsent' }
  >;
  execute(command: CommandRequest): Promise<Accepted>;
  notice(tablet: TabletId, epoch: Epoch, from: Seq, to: Seq, streams: ReadonlySet<string>): void;
  configurationChanged(configuration: Configuration): void;
  /** The node cannot go on: a failed disk, a broken invariant. */
  fatal(error: Error): void;
};
