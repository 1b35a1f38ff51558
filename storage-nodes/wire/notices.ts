/**
 * What goes over NATS (design.md §6): heartbeats and hints, lossy and unordered by contract. Nothing
 * here is ever needed for correctness: every consumer also converges without it.
 *
 *   penncloud.alive.<kind>.<id>      every second, a Heartbeat
 *   penncloud.committed.<tablet>     a CommitNotice, coalesced per few ms
 *   penncloud.config.<tablet>        a hint that the tablet map changed
 *   penncloud.control.<node>         drain, disable, restart (an operator's wish)
 */
export type ProcessKind = 'master' | 'storage-node' | 'gateway' | 'front-door' | 'smtp-in' | 'smtp-out';

export type Heartbeat = {
  readonly kind: ProcessKind;
  readonly id: string;
  /** host:port that serves its clients. */
  readonly address: string;
  readonly status: 'starting' | 'serving' | 'draining' | 'disabled';
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** Requests in flight. */
  readonly load: number;
  readonly residentBytes: number;
  /** Storage nodes only. */
  readonly tablets?: readonly {
    readonly id: string;
    readonly role: 'primary' | 'replica' | 'learner' | 'quarantined' | 'starting';
    readonly version: number;
    readonly epoch: number;
    readonly last: number;
    readonly committed: number;
    readonly applied: number;
  }[];
  readonly alarms: readonly string[];
};

export type CommitNotice = {
  readonly tablet: string;
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  /** Rows (or streams) whose cells changed; empty: too many to name, treat all as changed. */
  readonly rows: readonly string[];
};

export type ControlWish = { readonly wish: 'drain' | 'disable' | 'restart' };

/** One connection to NATS. All publishing is fire-and-forget; while NATS is away calls do nothing. */
export interface Notices {
  beat(heartbeat: Heartbeat): void;
  committed(notice: CommitNotice): void;
  configChanged(tablet: string): void;
  onHeartbeat(listener: (heartbeat: Heartbeat) => void): () => void;
  onCommitted(listener: (notice: CommitNotice) => void): () => void;
  onConfigChanged(listener: (tablet: string) => void): () => void;
  onControl(node: string, listener: (wish: ControlWish) => void): () => void;
  control(node: string, wish: ControlWish): void;
  connected(): boolean;
  /** When NATS was away last, in ms since 1970; `until` undefined while it still is. Starting does not count. */
  away(): { readonly from: number; readonly until: number | undefined } | undefined;
  close(): Promise<void>;
}
