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
import { open, mkdir, readFile, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Fault } from '../faults.ts';
import type { Configuration } from '../replication/configuration.ts';
import type { TabletId } from '../words.ts';
import type { CompareAndSet, ConfigStore } from './config-store.ts';
import { encodeFile, encodeRecord, readFileContent } from './configuration-file.ts';
import { configurationHash } from './configuration-hash.ts';
import { brokenRule } from './configuration-rules.ts';

/** Old configurations that may lie in the file before it is written anew. */
const STALE_COUNT_MAX = 1000;

type Opened = { file: FileHandle; bytes: number; stale: number; failure: Fault | undefined };

export class EmbeddedConfigStore implements ConfigStore {
  private readonly folder: string;
  private readonly path: string;
  private readonly logger: Logger | undefined;
  private readonly listeners = new Set<(configuration: Configuration) => void>();
  private current = new Map<TabletId, Configuration>();
  private opened: Opened | undefined;
  /** Ends when the last compare-and-set that was asked for has. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(options: { folder: string; logger?: Logger }) {
    this.folder = options.folder;
    this.path = join(options.folder, 'configurations');
    this.logger = options.logger;
  }

  /** Rejects with Fault Damaged, naming file, place and reason, if the file can't be trusted. */
  async open(): Promise<void> {
    if (this.opened) throw new Fault('Closed', `the config store in ${this.folder} is open already`);
    await mkdir(this.folder, { recursive: true });
    await rm(this.newPath, { force: true });
    const bytes = await readFile(this.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw new Fault('DiskFailed', `${this.path} can't be read: ${error.message}`, { cause: error });
    });
    if (bytes === undefined) {
      this.current = new Map();
      const opened = await this.writeAnew();
      await this.replaceFile();
      this.opened = opened;
      return;
    }
    const content = readFileContent(bytes);
    if ('damage' in content) throw this.damaged(content.damage.offset, content.damage.reason);
    this.current = this.follow(content.configurations);
    const file = await open(this.path, 'r+');
    if (content.soundBytes < bytes.length) {
      this.logger?.warn(
        { file: this.path, offset: content.soundBytes, bytes: bytes.length - content.soundBytes },
        'cut off a torn tail',
      );
      await file.truncate(content.soundBytes);
    }
    await file.datasync();
    const stale = content.configurations.length - this.current.size;
    this.opened = { file, bytes: content.soundBytes, stale, failure: undefined };
  }

  async close(): Promise<void> {
    const { opened } = this;
    if (opened === undefined) return;
    await this.turn;
    this.opened = undefined;
    await opened.file.close();
  }

  async all(): Promise<readonly Configuration[]> {
    this.requireOpen();
    return [...this.current.values()];
  }

  async get(tablet: TabletId): Promise<Configuration | undefined> {
    this.requireOpen();
    return this.current.get(tablet);
  }

  /** Rejects with Fault Malformed, and stores nothing, if `next` breaks a rule of configuration-rules.ts. */
  compareAndSet(next: Configuration): Promise<CompareAndSet> {
    const result = this.turn.then(() => this.compareAndSetInTurn(next));
    this.turn = result.catch(() => undefined);
    return result;
  }

  watch(listener: (configuration: Configuration) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private async compareAndSetInTurn(next: Configuration): Promise<CompareAndSet> {
    const opened = this.requireOpen();
    if (opened.failure) throw opened.failure;
    const current = this.current.get(next.tablet);
    const currentHash = current ? configurationHash(current) : '';
    if (current && configurationHash(next) === currentHash) return { outcome: 'stored' };
    if (next.predecessor !== currentHash) return { outcome: 'refused', current };
    const broken = brokenRule(next, current);
    if (broken !== undefined)
      throw new Fault('Malformed', `configuration ${next.version} of tablet ${next.tablet}: ${broken}`);
    await this.append(opened, encodeRecord(next));
    this.current.set(next.tablet, next);
    if (current) opened.stale++;
    for (const listener of [...this.listeners]) this.tell(listener, next);
    if (opened.stale > STALE_COUNT_MAX) await this.compact(opened);
    return { outcome: 'stored' };
  }

  private async append(opened: Opened, record: Buffer): Promise<void> {
    try {
      const { bytesWritten } = await opened.file.write(record, 0, record.length, opened.bytes);
      if (bytesWritten !== record.length) throw Object.assign(new Error('a short write'), { code: 'ENOSPC' });
    } catch (error) {
      const isFull = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
      const takenBack =
        isFull &&
        (await opened.file.truncate(opened.bytes).then(
          () => true,
          () => false,
        ));
      if (takenBack)
        throw new Fault('DiskFull', `${this.path}: the disk is full; make room and try again`, {
          cause: error,
        });
      throw this.failed(opened, error);
    }
    try {
      await opened.file.datasync();
    } catch (error) {
      throw this.failed(opened, error);
    }
    opened.bytes += record.length;
  }

  private failed(opened: Opened, cause: unknown): Fault {
    const reason = cause instanceof Error ? cause.message : String(cause);
    opened.failure = new Fault(
      'DiskFailed',
      `${this.path} can't be written: ${reason}; start the master again`,
      { cause },
    );
    this.logger?.error({ file: this.path, err: cause }, 'the config store can no longer be written');
    return opened.failure;
  }

  /** What was stored stays stored if this fails: until the rename the old file is as good. */
  private async compact(opened: Opened): Promise<void> {
    const anew = await this.writeAnew().catch((error: unknown) => {
      this.logger?.warn(
        { file: this.path, err: error },
        'could not write the configurations anew; going on with the old file',
      );
      return undefined;
    });
    opened.stale = 0;
    if (anew === undefined) return;
    const before = opened.file;
    Object.assign(opened, anew);
    await before.close();
    await this.replaceFile().catch((error: unknown) => this.failed(opened, error));
  }

  /** The current configurations alone, synced, in a file that is not in its place yet. */
  private async writeAnew(): Promise<Opened> {
    const content = encodeFile(this.current.values());
    const file = await open(this.newPath, 'w+');
    try {
      await file.writeFile(content);
      await file.datasync();
    } catch (error) {
      await file.close();
      throw error;
    }
    return { file, bytes: content.length, stale: 0, failure: undefined };
  }

  private async replaceFile(): Promise<void> {
    await rename(this.newPath, this.path);
    const folder = await open(this.folder, 'r');
    await folder.sync().finally(() => folder.close());
  }

  private get newPath(): string {
    return `${this.path}.new`;
  }

  /** The last of each tablet; each must be the successor of the one before it. */
  private follow(configurations: readonly Configuration[]): Map<TabletId, Configuration> {
    const current = new Map<TabletId, Configuration>();
    for (const next of configurations) {
      const before = current.get(next.tablet);
      if (before && next.predecessor !== configurationHash(before)) {
        throw this.damaged(
          undefined,
          `configuration ${next.version} of tablet ${next.tablet} does not follow ${before.version}`,
        );
      }
      current.set(next.tablet, next);
    }
    return current;
  }

  private damaged(offset: number | undefined, reason: string): Fault {
    const place = offset === undefined ? this.path : `${this.path}, byte ${offset}`;
    return new Fault(
      'Damaged',
      `${place}: ${reason}; rebuild it from what the nodes hold (penncloud recover) or restore a backup`,
    );
  }

  private tell(listener: (configuration: Configuration) => void, configuration: Configuration): void {
    try {
      listener(configuration);
    } catch (error) {
      this.logger?.error(
        { tablet: configuration.tablet, err: error },
        'a listener of the config store failed',
      );
    }
  }

  private requireOpen(): Opened {
    if (this.opened === undefined)
      throw new Fault('Closed', `the config store in ${this.folder} is not open: open it first`);
    return this.opened;
  }
}
