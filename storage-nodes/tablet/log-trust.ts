/**
 * What becomes of a copy whose log cannot be trusted: bytes in it are damaged (rule 11), or an fsync failed
 * in an earlier run (rule 12). The core gives the copy up, and it is fetched anew.
 *
 * The exception is the only copy in sync (rule 10): others lack what it has, so it goes on with what can be
 * read, and says so. Once another copy has all of that it hands over the lead, and is given up as well. A
 * suspect copy becomes the only one also if an operator chooses it, because no better one is left.
 */
import type { Logger } from 'pino';
import type { Damage, RecoveredTablet } from '../log/log.ts';
import { parseConfiguration, type Configuration } from '../replication/configuration.ts';
import type { Input, Role } from '../replication/messages.ts';
import type { NodeId, TabletId } from '../words.ts';

const STAND_DOWN_EVERY_MS = 250;

/** `suspect`: why a copy whose bytes all read well is to be given up. */
export type Judged = RecoveredTablet & { readonly suspect?: Damage };

/** A suspect copy counts like a damaged one, unless it is the only one. */
export function judged(recovered: RecoveredTablet, self: NodeId): Judged {
  const { failedSync, configuration } = recovered;
  if (!failedSync || (configuration && isOnly(savedConfiguration(configuration), self))) return recovered;
  return { ...recovered, suspect: failedSync };
}

export function savedConfiguration(bytes: Uint8Array): Configuration {
  return parseConfiguration(Buffer.from(bytes).toString('utf8'));
}

export function placed({ file, offset, reason }: Damage): string {
  return `${file} at ${offset}: ${reason}`;
}

export type LogTrustOptions = {
  readonly tablet: TabletId;
  readonly self: NodeId;
  readonly logger: Logger;
  readonly alarms: Map<'disk' | 'cells' | 'log', string>;
  readonly view: () => { readonly configuration: Configuration | undefined; readonly role: Role };
  /** Monotonic, ms. */
  readonly now: () => number;
  /** Tells the core. */
  readonly report: (input: Input) => void;
};

export class LogTrust {
  readonly #options: LogTrustOptions;
  /** Why this copy is to be given up once it is not the only one any more. */
  #doubt: string | undefined;
  #standDownAt = -Infinity;
  /** Why the core gave this copy up from the start, though its bytes read well. */
  #suspicion: string | undefined;

  constructor(options: LogTrustOptions) {
    this.#options = options;
  }

  /** In an earlier run. Called before the core says anything. */
  syncFailed(reason: string): void {
    if (this.#isOnly) this.lost('suspect', reason);
    else this.#suspicion = reason;
  }

  /** An operator goes on from a suspect copy, for want of a better one (rule 10): it is the only one then. */
  roleChanged(role: Role): void {
    const suspicion = this.#suspicion;
    if (suspicion === undefined || role === 'quarantined') return;
    this.#suspicion = undefined;
    this.lost('suspect', suspicion);
  }

  /** The log is not to be trusted. */
  lost(how: 'damaged' | 'suspect', reason: string): void {
    const { tablet, logger, alarms, report } = this.#options;
    if (!alarms.has('log')) logger.error({ tablet, reason }, `the log is ${how}`);
    alarms.set('log', `${tablet}: the log is ${how}: ${reason}`);
    if (this.#isOnly) this.#doubt ??= reason;
    else report({ kind: 'damaged', reason });
  }

  tick(): void {
    if (this.#doubt === undefined || this.#isOnly) return;
    const { now, report, view } = this.#options;
    if (view().role !== 'primary') {
      const reason = this.#doubt;
      this.#doubt = undefined;
      return report({ kind: 'damaged', reason });
    }
    if (now() < this.#standDownAt) return;
    this.#standDownAt = now() + STAND_DOWN_EVERY_MS;
    report({ kind: 'standDown' });
  }

  /** The copy was wiped: nothing is left that could be doubted. */
  reset(): void {
    this.#doubt = undefined;
    this.#suspicion = undefined;
  }

  get #isOnly(): boolean {
    const { configuration } = this.#options.view();
    return configuration !== undefined && isOnly(configuration, this.#options.self);
  }
}

function isOnly({ inSync }: Configuration, self: NodeId): boolean {
  return inSync.every((node) => node === self);
}
