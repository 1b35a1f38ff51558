/**
 * What gateways and the CLI use to reach the store. It keeps the tablet map, sends commands and reads
 * straight to the primary of the tablet that owns the row, and retries with the same command id, so
 * that a caller sees latency, not errors, when a primary is replaced.
 */
export { Rejected } from '../rejected.ts';

export type CommandRequest = {
  /** Unique; a repeat within `expiresAt` gets the first answer. */
  readonly id: string;
  /** Milliseconds since 1970. 0: remembered for good. */
  readonly expiresAt: number;
  readonly stream: string;
  /** `area.Name`, e.g. 'mail.SendMessage'. */
  readonly type: string;
  readonly data: unknown;
  readonly parts: readonly Uint8Array[];
  /** Who: an account's name, 'smtp', 'cli', 'anonymous'. */
  readonly actor: string;
  readonly session: string;
  /** What the user did, in words. */
  readonly action: string;
  readonly causation?: { readonly tablet: string; readonly seq: number; readonly reaction: number };
};

export type Accepted = {
  readonly tablet: string;
  readonly seq: number;
  readonly time: number;
  readonly reply: unknown;
};

export type ReadQuery =
  | { readonly get: { readonly row: string; readonly column: string } }
  | {
      readonly scan: {
        readonly from: { readonly row: string; readonly column: string };
        /** exclusive; null: to the end of the tablet */
        readonly to: { readonly row: string; readonly column: string } | null;
        readonly limit: number;
        readonly reverse?: boolean;
      };
    };

/** A value that is longer than the inline limit (64 KiB) comes as a reference; fetch it with `readPart`. */
export type ReadCell = {
  readonly row: string;
  readonly column: string;
  readonly seq: number;
  readonly bytes: Buffer | undefined;
  readonly part: PartReference | undefined;
};
export type PartReference = {
  readonly tablet: string;
  readonly seq: number;
  readonly part: number;
  readonly length: number;
};

export type ReadAnswer = {
  readonly tablet: string;
  /** All cells below are from this one applied index. */
  readonly applied: number;
  /** One array per query: a `get` has zero or one cell. */
  readonly results: ReadCell[][];
};

export type LoggedEntry = {
  readonly tablet: string;
  readonly seq: number;
  readonly epoch: number;
  readonly time: number;
  readonly stream: string;
  readonly streamSeq: number;
  readonly commandId: string;
  readonly action: string;
  readonly actor: string;
  readonly causation: { tablet: string; seq: number; reaction: number } | undefined;
  readonly events: readonly { type: string; version: number; data: { readonly [key: string]: unknown } }[];
  readonly parts: readonly { length: number }[];
};

export type TabletInfo = {
  readonly id: string;
  readonly from: string;
  readonly to: string | null;
  readonly version: number;
  readonly epoch: number;
  readonly primary: string;
  readonly inSync: readonly string[];
  readonly replicas: readonly string[];
};

/** What a tablet's primary says of it now. */
export type TabletStatus = TabletInfo & {
  readonly committed: number;
  readonly applied: number;
  readonly serving: boolean;
};

export interface StoreClient {
  /** Throws Rejected, or Fault Unavailable / OutcomeUnknown after `deadlineMs` (default 20 s). */
  execute(command: CommandRequest, options?: { deadlineMs?: number }): Promise<Accepted>;
  /** Linearizable. All queries must lie in the tablet that owns `row`. */
  read(row: string, queries: readonly ReadQuery[], options?: { deadlineMs?: number }): Promise<ReadAnswer>;
  /** Scans the whole table across tablets, in row order; `after` is exclusive. */
  scanTable(options: {
    from?: string;
    to?: string;
    after?: { row: string; column: string };
    before?: { row: string; column: string };
    limit: number;
    reverse?: boolean;
  }): Promise<ReadCell[]>;
  /** Streams a part in pieces of about 1 MiB at most; constant memory. */
  readPart(reference: PartReference, range?: { offset: number; length: number }): AsyncIterable<Buffer>;
  /** The bytes of a cell, wherever they are. */
  bytes(cell: ReadCell): Promise<Buffer>;
  /** Committed entries of a tablet, oldest first. */
  readLog(tablet: string, from: number, limit: number): Promise<LoggedEntry[]>;
  tablets(): Promise<TabletInfo[]>;
  /** From the primary of each tablet; a tablet without one has serving false. */
  tabletStatus(): Promise<TabletStatus[]>;
  close(): Promise<void>;
}
