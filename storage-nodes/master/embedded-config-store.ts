/**
 * The config store of a cluster on one machine: the master's own synced file. What always holds:
 *
 *   - a configuration is on disk (fdatasync) before anyone is told of it;
 *   - compare-and-sets take effect one at a time, each from the exact predecessor (rule 1);
 *   - listeners hear of each configuration once, in the order of storing.
 *
 * A write that fails leaves the store readable but not writable: whether the configuration is on disk is
 * not known until it is opened again. A full disk is the exception: what was appended is taken back, and
 * the call may be sent again. What it leaves out: more than one process on one folder, and more than one
 * machine (the etcd adapter's room).
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Fault } from '../faults.ts';
import type { FilePort, OpenFile } from '../log/files.ts';
import { realFiles } from '../log/real-files.ts';
import type { Configuration } from '../replication/configuration.ts';
import type { TabletId } from '../words.ts';
import type { CompareAndSet, ConfigStore } from './config-store.ts';
import { encodeFile, encodeRecord, readFileContent } from './configuration-file.ts';
import { configurationHash } from './configuration-hash.ts';
import { judge, judgeReplacement } from './configuration-rules.ts';

/** Old configurations that may lie in the file before it is written anew. */
const STALE_COUNT_MAX = 1000;

type Opened = { file: OpenFile; bytes: number; stale: number; failure: string | undefined };

export class EmbeddedConfigStore implements ConfigStore {
  readonly #folder: string;
  readonly #path: string;
  readonly #files: FilePort;
  readonly #logger: Logger | undefined;
  readonly #listeners = new Set<(configuration: Configuration) => void>();
  #current = new Map<TabletId, Configuration>();
  #opened: Opened | undefined;
  /** Ends when the last change that was asked for has. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: { folder: string; files?: FilePort; logger?: Logger }) {
    this.#folder = options.folder;
    this.#path = join(options.folder, 'configurations');
    this.#files = options.files ?? realFiles;
    this.#logger = options.logger;
  }

  /** Rejects with Fault Damaged, naming file, place and reason, if the file can't be trusted. */
  async open(): Promise<void> {
    if (this.#opened) throw new Fault('Closed', `the config store in ${this.#folder} is open already`);
    await this.#files.makeFolder(this.#folder);
    await this.#files.remove(this.#newPath);
    const bytes = await this.#files.readWhole(this.#path).catch((error: Error) => {
      throw new Fault('DiskFailed', `${this.#path} can't be read: ${error.message}`, { cause: error });
    });
    if (bytes === undefined) {
      this.#current = new Map();
      const opened = await this.#writeDraft(this.#current);
      await this.#putInPlace();
      this.#opened = opened;
      return;
    }
    const content = readFileContent(bytes);
    if ('damage' in content) throw this.#damaged(content.damage.offset, content.damage.reason);
    this.#current = this.#follow(content.configurations);
    const file = await this.#files.open(this.#path, 'write');
    if (content.soundBytes < bytes.length) {
      this.#logger?.warn(
        { file: this.#path, offset: content.soundBytes, bytes: bytes.length - content.soundBytes },
        'cut off a torn tail',
      );
      await file.truncate(content.soundBytes);
    }
    await file.datasync();
    const stale = content.configurations.length - this.#current.size;
    this.#opened = { file, bytes: content.soundBytes, stale, failure: undefined };
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    if (opened === undefined) return;
    await this.#turn;
    this.#opened = undefined;
    await opened.file.close();
  }

  async all(): Promise<readonly Configuration[]> {
    this.#requireOpen();
    return [...this.#current.values()];
  }

  async get(tablet: TabletId): Promise<Configuration | undefined> {
    this.#requireOpen();
    return this.#current.get(tablet);
  }

  compareAndSet(next: Configuration): Promise<CompareAndSet> {
    return this.#inTurn(async (opened) => {
      const verdict = judge(next, this.#current.get(next.tablet));
      if (verdict !== 'write') return verdict;
      const answer = await this.#append(opened, encodeRecord(next));
      if (answer.outcome !== 'stored') return answer;
      if (this.#current.has(next.tablet)) opened.stale++;
      this.#stored(next);
      if (opened.stale > STALE_COUNT_MAX) await this.#compact(opened);
      return answer;
    });
  }

  /** What follows nothing cannot stand behind it in the file: the file is written anew. */
  replace(next: Configuration, expected: Configuration | undefined): Promise<CompareAndSet> {
    return this.#inTurn(async (opened) => {
      const verdict = judgeReplacement(next, expected, this.#current.get(next.tablet));
      if (verdict !== 'write') return verdict;
      const answer = await this.#renew(opened, new Map(this.#current).set(next.tablet, next));
      if (answer.outcome === 'stored') this.#stored(next);
      return answer;
    });
  }

  watch(listener: (configuration: Configuration) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #inTurn(change: (opened: Opened) => Promise<CompareAndSet>): Promise<CompareAndSet> {
    const result = this.#turn.then((): Promise<CompareAndSet> | CompareAndSet => {
      const opened = this.#requireOpen();
      return opened.failure === undefined ? change(opened) : { outcome: 'unsent', reason: opened.failure };
    });
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #stored(next: Configuration): void {
    this.#current.set(next.tablet, next);
    for (const listener of [...this.#listeners]) this.#tell(listener, next);
  }

  async #append(opened: Opened, record: Buffer): Promise<CompareAndSet> {
    try {
      await opened.file.writeAll([record], opened.bytes);
    } catch (error) {
      return this.#takeBack(opened, error);
    }
    try {
      await opened.file.datasync();
    } catch (error) {
      return { outcome: 'ambiguous', reason: this.#failed(opened, error) };
    }
    opened.bytes += record.length;
    return { outcome: 'stored' };
  }

  /** Nothing was synced; but bytes of it may lie there, and be read as a record at the next start. */
  async #takeBack(opened: Opened, error: unknown): Promise<CompareAndSet> {
    const isFull = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (isFull) {
      try {
        await opened.file.truncate(opened.bytes);
        return { outcome: 'unsent', reason: `${this.#path}: the disk is full; make room and try again` };
      } catch {
        // Then it is as with any other failure.
      }
    }
    return { outcome: 'ambiguous', reason: this.#failed(opened, error) };
  }

  #failed(opened: Opened, cause: unknown): string {
    const reason = cause instanceof Error ? cause.message : String(cause);
    opened.failure = `${this.#path} can't be written: ${reason}; start the master again`;
    this.#logger?.error({ file: this.#path, err: cause }, 'the config store can no longer be written');
    return opened.failure;
  }

  /** What was stored stays stored if this fails: until the rename the old file is as good. */
  async #compact(opened: Opened): Promise<void> {
    const answer = await this.#renew(opened, this.#current);
    opened.stale = 0;
    if (answer.outcome === 'unsent')
      this.#logger?.warn({ reason: answer.reason }, 'going on with the old file of configurations');
  }

  /** These alone, in place of the file. */
  async #renew(opened: Opened, configurations: ReadonlyMap<TabletId, Configuration>): Promise<CompareAndSet> {
    const before = opened.file;
    try {
      Object.assign(opened, await this.#writeDraft(configurations));
    } catch (error) {
      return { outcome: 'unsent', reason: `${this.#newPath} can't be written: ${String(error)}` };
    }
    try {
      await before.close();
      await this.#putInPlace();
    } catch (error) {
      return { outcome: 'ambiguous', reason: this.#failed(opened, error) };
    }
    return { outcome: 'stored' };
  }

  /** Synced, in a file that is not in its place yet. */
  async #writeDraft(configurations: ReadonlyMap<TabletId, Configuration>): Promise<Opened> {
    const content = encodeFile(configurations.values());
    const file = await this.#files.open(this.#newPath, 'write');
    try {
      await file.truncate(0);
      await file.writeAll([content], 0);
      await file.datasync();
    } catch (error) {
      await file.close();
      throw error;
    }
    return { file, bytes: content.length, stale: 0, failure: undefined };
  }

  async #putInPlace(): Promise<void> {
    await this.#files.rename(this.#newPath, this.#path);
    await this.#files.syncFolder(this.#folder);
  }

  get #newPath(): string {
    return `${this.#path}.new`;
  }

  /** The last of each tablet; each must be the successor of the one before it. */
  #follow(configurations: readonly Configuration[]): Map<TabletId, Configuration> {
    const current = new Map<TabletId, Configuration>();
    for (const next of configurations) {
      const before = current.get(next.tablet);
      if (before && next.predecessor !== configurationHash(before)) {
        throw this.#damaged(
          undefined,
          `configuration ${next.version} of tablet ${next.tablet} does not follow ${before.version}`,
        );
      }
      current.set(next.tablet, next);
    }
    return current;
  }

  #damaged(offset: number | undefined, reason: string): Fault {
    const place = offset === undefined ? this.#path : `${this.#path}, byte ${offset}`;
    return new Fault(
      'Damaged',
      `${place}: ${reason}; put the file aside and rebuild it from what the nodes hold (penncloud recover), or restore a backup`,
    );
  }

  #tell(listener: (configuration: Configuration) => void, configuration: Configuration): void {
    try {
      listener(configuration);
    } catch (error) {
      this.#logger?.error(
        { tablet: configuration.tablet, err: error },
        'a listener of the config store failed',
      );
    }
  }

  #requireOpen(): Opened {
    if (this.#opened === undefined)
      throw new Fault('Closed', `the config store in ${this.#folder} is not open: open it first`);
    return this.#opened;
  }
}
