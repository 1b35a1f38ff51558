/**
 * The committed records of one tablet, for good: files of contiguous frames, each named by the seq it
 * begins with. Records are only ever added at the tail; nothing before it changes.
 *
 *   known synced (checkpoint) <= tail
 *
 * What is behind the known-synced place may be torn after a power cut; `scan` finds where, and
 * `cut` removes it once the caller has seen that the journal still holds what was there.
 */
import { join } from 'node:path';
import { checkFileHeader, damageFault, fileHeader, fileName, indexName, listFiles } from './file-header.ts';
import { diskFault, syncForGood } from './files.ts';
import type { FilePort, OpenFile } from './files.ts';
import { FrameScanner } from './frame-scanner.ts';
import { frameEpoch } from './frame.ts';
import type { Damage } from './log.ts';
import { SparseIndex } from './sparse-index.ts';
import type { IndexedFile } from './sparse-index.ts';

export type EpochEnd = { readonly epoch: number; readonly end: number };

/** What is certain to be on disk: kept in the checkpoint. */
export type SegmentsState = {
  /** First seqs of all segments, ascending. */
  readonly firsts: readonly number[];
  /** Where the last one ended. */
  readonly tail: number;
  readonly last: number;
  readonly epochEnds: readonly EpochEnd[];
};

/** A segment, open to be read; its committed bytes end at `end`, behind the seq `last`. */
export type SegmentPlace = IndexedFile & { readonly first: number; readonly last: number };

export const NOTHING_SYNCED: SegmentsState = { firsts: [], tail: 0, last: 0, epochEnds: [] };
/** Indexes of this many segments stay in memory, about 64 KiB each for 64 MiB of log; others are in files. */
const INDEX_COUNT_MAX = 16;

export class TabletSegments {
  readonly folder: string;
  readonly tablet: string;
  readonly #files: FilePort;
  readonly #segmentBytes: number;
  #firsts: number[] = [];
  #tail = 0;
  #last = 0;
  #epochEnds: EpochEnd[] = [];
  #active: OpenFile | undefined;
  /** Written since the last `sync`: the active segment, and those that filled up meanwhile. */
  #dirty = new Set<OpenFile>();
  #folderDirty = false;
  /** First seqs of the segments that the checkpoint names, as the opening found it. */
  #known: readonly number[] = [];
  /** Segments found at opening with bytes that a killed process may have left unsynced. */
  #unsynced: number[] = [];
  /** Least recently used first. */
  readonly #indexes = new Map<number, SparseIndex>();
  /** Segments whose index files lack what was written since. */
  readonly #unindexed = new Set<number>();

  constructor(files: FilePort, folder: string, tablet: string, segmentBytes: number) {
    this.#files = files;
    this.folder = folder;
    this.tablet = tablet;
    this.#segmentBytes = segmentBytes;
  }

  get last(): number {
    return this.#last;
  }
  get epochEnds(): readonly EpochEnd[] {
    return this.#epochEnds;
  }
  path(first: number): string {
    return join(this.folder, fileName('segment', first));
  }

  /**
   * Takes the files as they are, reading what lies behind `known`. Returns the first place that cannot
   * be read, if any; `last` is then the last seq before it.
   */
  async scan(
    known: SegmentsState = NOTHING_SYNCED,
  ): Promise<(Damage & { readonly synced: boolean }) | undefined> {
    this.#known = known.firsts;
    this.#epochEnds = [...known.epochEnds];
    this.#last = known.last;
    const present = await listFiles(this.#files, this.folder, 'segment');
    const missing = known.firsts.find((first) => !present.includes(first));
    if (missing !== undefined) {
      this.#firsts = present;
      return { file: this.path(missing), offset: 0, reason: 'a segment is missing', synced: true };
    }
    this.#firsts = [...known.firsts];
    this.#tail = known.tail;
    const active = known.firsts.at(-1);
    for (const first of present) {
      if (active !== undefined && first < active) continue;
      if (first !== active) {
        if (first !== this.#last + 1) {
          const reason = `expected a segment that begins with seq ${this.#last + 1}, found this one`;
          return { file: this.path(first), offset: 0, reason, synced: first <= this.#last };
        }
        this.#firsts.push(first);
        this.#tail = 0;
      }
      const bad = await this.#scanFile(first, first === active ? known.tail : 0);
      if (bad) return { ...bad, synced: bad.offset < known.tail && first === active };
    }
    return undefined;
  }

  async #scanFile(first: number, from: number): Promise<Damage | undefined> {
    const path = this.path(first);
    const file = await this.#files.open(path, 'read');
    try {
      const size = await file.size();
      if (size < from)
        return { file: path, offset: size, reason: 'the file is shorter than what was synced to it' };
      const header = await checkFileHeader(file, 'segment', this.tablet, first);
      if (typeof header === 'string') return { file: path, offset: 0, reason: header };
      this.#tail = Math.max(from, header);
      const scanner = new FrameScanner(file, this.#tail, size, this.#last + 1);
      for (let run = await scanner.next(); run; run = await scanner.next()) {
        const index = this.index(first);
        this.#unindexed.add(first);
        for (const { seq, bytes, offset } of run) {
          index.add(seq, offset, bytes.length);
          this.#noteEpoch(frameEpoch(bytes), seq);
          this.#last = seq;
          this.#tail = offset + bytes.length;
        }
      }
      // Readable is not yet durable: the process that wrote this may have been killed before it synced.
      if (this.#tail > from) this.#unsynced.push(first);
      const { end } = scanner;
      return end && end.kind !== 'clean' ? { file: path, offset: end.offset, reason: end.reason } : undefined;
    } finally {
      await file.close();
    }
  }

  /**
   * Removes everything behind the last readable record, but no file that the checkpoint names: until another
   * one is written, it must be found again. Requires that the journal holds what follows.
   */
  async cut(): Promise<void> {
    const isKept = (first: number): boolean => first <= this.#last || this.#known.includes(first);
    const wasActive = this.#firsts.at(-1);
    this.#unsynced = this.#unsynced.filter(isKept);
    for (const first of await listFiles(this.#files, this.folder, 'segment')) {
      if (isKept(first)) continue;
      await this.#files.remove(this.path(first));
      this.#indexes.delete(first);
      this.#unindexed.delete(first);
    }
    this.#firsts = this.#firsts.filter(isKept);
    const active = this.#firsts.at(-1);
    if (active !== undefined) {
      const file = await this.#files.open(this.path(active), 'write');
      // If nothing was left of the last segment, the one before it was read to its end.
      if (active === wasActive) await file.truncate(this.#tail);
      else this.#tail = await file.size();
      await file.datasync();
      await file.close();
    }
    await this.#files.syncFolder(this.folder);
  }

  /** Adds frames, whose seqs follow `last`. Readable when it resolves, not synced. */
  async append(
    frames: readonly { readonly seq: number; readonly epoch: number; readonly bytes: Buffer }[],
  ): Promise<void> {
    let start = 0;
    while (start < frames.length) {
      const file = await this.#openActive(frames[start]!.bytes.length);
      let end = start;
      let length = 0;
      const buffers: Buffer[] = [];
      for (; end < frames.length; end++) {
        const { bytes } = frames[end]!;
        if (end > start && this.#tail + length + bytes.length > this.#segmentBytes) break;
        buffers.push(bytes);
        length += bytes.length;
      }
      await file.writeAll(
        buffers.length > 8 && length < 1024 * 1024 ? [Buffer.concat(buffers, length)] : buffers,
        this.#tail,
      );
      // Only now: a `sync` that began during the write may not have covered it.
      this.#dirty.add(file);
      const first = this.#firsts.at(-1)!;
      const index = this.index(first);
      this.#unindexed.add(first);
      for (; start < end; start++) {
        const { seq, epoch, bytes } = frames[start]!;
        index.add(seq, this.#tail, bytes.length);
        this.#noteEpoch(epoch, seq);
        this.#tail += bytes.length;
        this.#last = seq;
      }
    }
  }

  /** Syncs everything appended before the call; returns what is now certain to be on disk. */
  async sync(): Promise<SegmentsState> {
    for (const first of this.#unsynced.splice(0)) {
      this.#dirty.add(await this.#files.open(this.path(first), 'write'));
      this.#folderDirty = true;
    }
    const state: SegmentsState = {
      firsts: [...this.#firsts],
      tail: this.#tail,
      last: this.#last,
      epochEnds: [...this.#epochEnds],
    };
    const dirty = this.#dirty;
    this.#dirty = new Set();
    const folderDirty = this.#folderDirty;
    this.#folderDirty = false;
    try {
      for (const file of dirty) await syncForGood(file, `the segments of tablet ${this.tablet}`);
      if (folderDirty) await this.#files.syncFolder(this.folder);
    } catch (error) {
      for (const file of dirty) this.#dirty.add(file);
      this.#folderDirty ||= folderDirty;
      throw error;
    }
    for (const file of dirty) if (file !== this.#active && !this.#dirty.has(file)) await file.close();
    const unindexed = [...this.#unindexed];
    this.#unindexed.clear();
    // Nothing depends on index files: without room for them, reading takes longer.
    for (const first of unindexed)
      await this.index(first)
        .store()
        .catch(() => undefined);
    return state;
  }

  async close(): Promise<void> {
    const open = new Set(this.#dirty);
    if (this.#active) open.add(this.#active);
    this.#active = undefined;
    this.#dirty.clear();
    for (const file of open) await file.close();
  }

  /** The segment that holds `seq` (1 <= seq <= last), and where its committed bytes end. */
  async locate(seq: number): Promise<SegmentPlace> {
    let position = this.#firsts.length - 1;
    while (position > 0 && this.#firsts[position]! > seq) position--;
    const first = this.#firsts[position]!;
    const next = this.#firsts[position + 1];
    const last = next === undefined ? this.#last : next - 1;
    const tail = this.#tail;
    const path = this.path(first);
    const file = await this.#openToRead(path);
    return { first, path, file, end: next === undefined ? tail : await file.size(), last };
  }

  /** First seqs of the segments, ascending. */
  get firsts(): readonly number[] {
    return this.#firsts;
  }

  /** The index of a segment. */
  index(first: number): SparseIndex {
    return this.#keep(first, this.#indexes.get(first) ?? this.#newIndex(first, false));
  }

  #newIndex(first: number, isNew: boolean): SparseIndex {
    return new SparseIndex(this.#files, this.tablet, first, join(this.folder, indexName(first)), isNew);
  }

  #keep(first: number, index: SparseIndex): SparseIndex {
    this.#indexes.delete(first);
    this.#indexes.set(first, index);
    if (this.#indexes.size > INDEX_COUNT_MAX) this.#indexes.delete(this.#indexes.keys().next().value!);
    return index;
  }

  async #openToRead(path: string): Promise<OpenFile> {
    try {
      return await this.#files.open(path, 'read');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw diskFault(error, `opening ${path}`);
      throw damageFault({ file: path, offset: 0, reason: 'a segment is missing' });
    }
  }

  async #openActive(nextBytes: number): Promise<OpenFile> {
    const first = this.#firsts.at(-1);
    if (first !== undefined && this.#tail + nextBytes <= this.#segmentBytes) {
      this.#active ??= await this.#files.open(this.path(first), 'write');
      return this.#active;
    }
    const next = this.#last + 1;
    const file = await this.#files.open(this.path(next), 'write');
    const header = fileHeader('segment', this.tablet, next);
    try {
      await file.truncate(0);
      await file.writeAll([header], 0);
    } catch (error) {
      await file.close();
      throw error;
    }
    // The full one is closed by the `sync` that follows.
    if (this.#active) this.#dirty.add(this.#active);
    this.#active = file;
    this.#dirty.add(file);
    this.#folderDirty = true;
    this.#firsts.push(next);
    this.#keep(next, this.#newIndex(next, true));
    this.#tail = header.length;
    return file;
  }

  #noteEpoch(epoch: number, seq: number): void {
    const newest = this.#epochEnds.at(-1);
    if (newest?.epoch === epoch) this.#epochEnds[this.#epochEnds.length - 1] = { epoch, end: seq };
    else this.#epochEnds.push({ epoch, end: seq });
  }
}
