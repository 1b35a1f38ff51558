/**
 * One copy of a tablet over a log and cells in memory whose operations a test can hold up or make fail,
 * with a clock that moves only when the test says so.
 */
import { randomFillSync } from 'node:crypto';
import pino from 'pino';
import type { CellStore } from '../../../storage-nodes/cells/cells.ts';
import { Fault, type FaultCode } from '../../../storage-nodes/faults.ts';
import { decodeHead, type LogRecord } from '../../../storage-nodes/log/entry.ts';
import type { NodeLog, RecoveredTablet } from '../../../storage-nodes/log/log.ts';
import { configurationHash } from '../../../storage-nodes/master/configuration-hash.ts';
import type { Configuration } from '../../../storage-nodes/replication/configuration.ts';
import type { MessageBody, PeerMessage } from '../../../storage-nodes/replication/messages.ts';
import { DEFAULT_TIMING } from '../../../storage-nodes/replication/state.ts';
import type { Application } from '../../../storage-nodes/tablet/application.ts';
import { Tablet } from '../../../storage-nodes/tablet/tablet.ts';
import { epoch, nodeId, seq, version, type Seq } from '../../../storage-nodes/words.ts';
import { realTimers } from '../../../storage-nodes/timers.ts';
import { APPLICATION, TABLET } from './log-of-entries.ts';

export const SELF = nodeId('node-1');
export const OTHER = nodeId('node-2');

type Operation =
  'append' | 'commit' | 'saveConfiguration' | 'compareAndSet' | 'read' | 'get' | 'scan' | 'write' | 'drop';

/** Faults and gates by operation, for the log and the cells alike. */
export class Trouble {
  readonly faults = new Map<Operation, FaultCode>();
  readonly #gates = new Map<Operation, { promise: Promise<void>; open: () => void }>();

  hold(operation: Operation): void {
    let open = (): void => {};
    const promise = new Promise<void>((resolve) => (open = resolve));
    this.#gates.set(operation, { promise, open });
  }
  release(operation: Operation): void {
    this.#gates.get(operation)?.open();
    this.#gates.delete(operation);
  }
  isIn(operation: Operation): boolean {
    return this.faults.has(operation) || this.#gates.has(operation);
  }
  check(operation: Operation): void {
    const fault = this.faults.get(operation);
    if (fault) throw new Fault(fault, `${operation} failed as the test wanted it`);
  }
  async pass(operation: Operation): Promise<void> {
    this.check(operation);
    await this.#gates.get(operation)?.promise;
  }
}

export class MemoryLog {
  readonly trouble: Trouble;
  committed: LogRecord[] = [];
  prepared: LogRecord[] = [];
  configurations = 0;
  drops = 0;
  /** Of each append: how many records. */
  readonly batches: number[] = [];

  constructor(trouble: Trouble) {
    this.trouble = trouble;
  }
  async append(_tablet: string, records: readonly LogRecord[]): Promise<void> {
    const last = this.committed.length + this.prepared.length;
    if (this.trouble.faults.has('append')) return this.trouble.pass('append');
    if (records[0]!.seq !== last + 1) throw new Error(`${records[0]!.seq} does not follow ${last}`);
    this.prepared.push(...records);
    this.batches.push(records.length);
    await this.trouble.pass('append');
  }
  async truncate(_tablet: string, from: Seq): Promise<void> {
    this.prepared = this.prepared.filter((record) => record.seq < from);
  }
  async commit(_tablet: string, upTo: Seq): Promise<void> {
    await this.trouble.pass('commit');
    const count = Math.max(0, upTo - this.committed.length);
    this.committed.push(...this.prepared.splice(0, count));
  }
  async saveConfiguration(): Promise<void> {
    await this.trouble.pass('saveConfiguration');
    this.configurations++;
  }
  async drop(): Promise<void> {
    this.drops++;
    this.committed = [];
    this.prepared = [];
  }
  async read(_tablet: string, from: Seq): Promise<LogRecord[]> {
    await this.trouble.pass('read');
    return this.committed.slice(from - 1);
  }
  async readHeads(_tablet: string, from: Seq, count: number): Promise<LogRecord[]> {
    return (await this.read(_tablet, from)).slice(0, count);
  }
  async tailRestored(): Promise<void> {}
  async tailLost(): Promise<void> {}
}

function troubled(cells: CellStore, trouble: Trouble): CellStore {
  const through = new Map<unknown, Operation>([
    ['get', 'get'],
    ['scan', 'scan'],
    ['drop', 'drop'],
  ]);
  return new Proxy(cells, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function') return value;
      // With lookups in trouble nothing is in memory.
      if (name === 'peek' && trouble.isIn('get')) return () => undefined;
      if (name === 'write') trouble.check('write');
      const operation = through.get(name);
      const call = (...args: unknown[]): unknown =>
        (value as (...a: unknown[]) => unknown).apply(target, args);
      return operation ? async (...args: unknown[]) => (await trouble.pass(operation), call(...args)) : call;
    },
  });
}

export class OneCopy {
  readonly trouble = new Trouble();
  readonly log = new MemoryLog(this.trouble);
  readonly tablet: Tablet;
  readonly fatal: Error[] = [];
  readonly sent: PeerMessage[] = [];
  configuration: Configuration = {
    tablet: TABLET,
    version: version(1),
    epoch: epoch(1),
    lineage: 1,
    primary: SELF,
    inSync: [SELF],
    replicas: [SELF],
    range: { from: '', to: null },
    predecessor: '',
  };
  now = 0;

  constructor(cells: CellStore, application: Application = APPLICATION, recovered?: RecoveredTablet) {
    this.tablet = new Tablet(
      TABLET,
      {
        self: SELF,
        log: this.log as unknown as NodeLog,
        cells: troubled(cells, this.trouble),
        application,
        timing: DEFAULT_TIMING,
        logger: pino({ level: 'silent' }),
        now: () => this.now,
        clock: () => 1_700_000_000_000 + this.now,
        clockSettled: async () => {},
        timers: realTimers,
        random: (into) => randomFillSync(into),
        send: (_to, message) => this.sent.push(message),
        compareAndSet: async (next) => {
          await this.trouble.pass('compareAndSet');
          this.configuration = next;
          return { outcome: 'stored' };
        },
        execute: () => new Promise(() => {}),
        notice: () => {},
        configurationChanged: () => {},
        fatal: (error) => this.fatal.push(error),
      },
      recovered,
      [],
    );
    this.tablet.input({ kind: 'configuration', configuration: this.configuration });
  }

  /** Lets time pass until it is so. */
  async until(what: () => boolean): Promise<void> {
    for (let i = 0; !what(); i++) {
      if (i > 4000) throw new Error('it never came to that');
      this.now += 25;
      this.tablet.tick();
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  serves(): Promise<void> {
    return this.until(() => this.tablet.view.deciding);
  }

  /** From the config store: what becomes of this tablet next. */
  configure(change: Partial<Configuration>): void {
    this.configuration = {
      ...this.configuration,
      ...change,
      version: version(this.configuration.version + 1),
      predecessor: configurationHash(this.configuration),
    };
    this.tablet.input({ kind: 'configuration', configuration: this.configuration });
  }

  /** Another node leads from now on. */
  async demote(): Promise<void> {
    const inSync = [SELF, OTHER];
    this.configure({ epoch: epoch(this.configuration.epoch + 1), primary: OTHER, inSync, replicas: inSync });
    await this.until(() => this.tablet.view.role === 'replica');
  }

  /** From the other copy, under the present configuration. */
  hears(body: MessageBody): void {
    const { epoch: e, version: v } = this.configuration;
    this.tablet.input({
      kind: 'message',
      from: OTHER,
      message: { tablet: TABLET, epoch: e, version: v, body },
    });
  }

  /** The other primary's entries, committed. */
  replicate(records: readonly LogRecord[], after: { seq: number; epoch: number }): void {
    const commit = seq(after.seq + records.length);
    this.hears({
      type: 'append',
      prevSeq: seq(after.seq),
      prevEpoch: epoch(after.epoch),
      records,
      commit,
    });
  }

  commandIds(): string[] {
    return this.log.committed.map((record) => decodeHead(record.head).commandId);
  }
}
