/**
 * What the core asks for and is told later: what the config store says, and the entry that opens an epoch.
 * Neither is kept when the core has gone on meanwhile: it judges by what it is told.
 */
import { Fault } from '../faults.ts';
import type { Configuration } from '../replication/configuration.ts';
import type { Input } from '../replication/messages.ts';
import type { Replica } from '../replication/replica.ts';
import type { Epoch, Seq, TabletId } from '../words.ts';
import type { ApplyLoop } from './apply-loop.ts';
import { openingEntry } from './opening-entry.ts';
import type { TabletHost } from './tablet-host.ts';

export type CoreRequestsOptions = {
  readonly tablet: TabletId;
  readonly host: TabletHost;
  readonly replica: Replica;
  readonly apply: ApplyLoop;
  /** Tells the core. */
  readonly report: (input: Input) => void;
  readonly damaged: (error: unknown) => void;
  /** The node cannot go on. */
  readonly failed: (error: Error) => void;
};

export class CoreRequests {
  readonly #options: CoreRequestsOptions;

  constructor(options: CoreRequestsOptions) {
    this.#options = options;
  }

  async compareAndSet(next: Configuration): Promise<void> {
    const { host, report } = this.#options;
    const result = await host.compareAndSet(next);
    if (result.outcome === 'refused') report({ kind: 'compareAndSetRefused', next, current: result.current });
    else if (result.outcome === 'invalid')
      report({ kind: 'compareAndSetInvalid', next, reason: result.reason });
    else if (result.outcome === 'unsent') report({ kind: 'compareAndSetRefused', next, current: undefined });
    else report({ kind: 'compareAndSetDone', next, outcome: result.outcome });
  }

  /** Nothing else is proposed before the entry that opens the epoch (rule 5). */
  async openEpoch(seq: Seq, epoch: Epoch): Promise<void> {
    const { host, replica, report, damaged, failed } = this.#options;
    let before: Uint8Array | undefined;
    try {
      // Always later, also for the first entry: what stands behind 'openEpoch' is performed before it is proposed.
      await Promise.resolve();
      if (seq > 1) before = await this.headAt((seq - 1) as Seq);
      else await host.clockSettled(); // Log time begins here.
    } catch (error) {
      const isDamage = error instanceof Fault && error.code === 'Damaged';
      return isDamage ? damaged(error) : failed(error instanceof Error ? error : new Error(String(error)));
    }
    const { configuration, role, last } = replica.view;
    if (configuration?.epoch !== epoch || role !== 'primary' || last !== seq - 1) return;
    const record = openingEntry({ seq, epoch, before, self: host.self, now: host.clock() });
    report({ kind: 'propose', records: [record] });
  }

  /** The head of an entry that is prepared or committed here. */
  async headAt(seq: Seq): Promise<Uint8Array> {
    const { tablet, host, replica, apply } = this.#options;
    const recent = apply.recent(seq) ?? replica.prepared().find((record) => record.seq === seq);
    if (recent) return recent.head;
    const [found] = await host.log.readHeads(tablet, seq, 1);
    if (found?.seq !== seq) throw new Fault('Damaged', `entry ${seq} of ${tablet} cannot be read`);
    return found.head;
  }
}
