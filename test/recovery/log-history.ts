/** Entries to fill a log with, and what a tablet's log must hold after them. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiskLog } from '../../storage-nodes/log/disk-log.ts';
import type { DiskLogOptions } from '../../storage-nodes/log/disk-log.ts';
import { ZERO_HASH, commitmentOf, encodeHead, sha256 } from '../../storage-nodes/log/entry.ts';
import type { LogRecord } from '../../storage-nodes/log/entry.ts';
import type { RecoveredTablet } from '../../storage-nodes/log/log.ts';
import { epoch, seq, tabletId } from '../../storage-nodes/words.ts';

export const T1 = tabletId('t-01');
export const T2 = tabletId('t-02');

/** Bytes that differ from place to place and from text to text. */
export function bytesOf(text: string, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let block = createHash('sha256').update(text).digest();
  for (let at = 0; at < length; at += block.length) {
    block.copy(bytes, at);
    block = createHash('sha256').update(block).digest();
  }
  return bytes;
}

export type Entry = {
  readonly epoch?: number;
  readonly parts?: readonly (number | undefined)[];
  readonly text?: string;
};

/** Whole entries, chained by their hashes from the first on, or from behind `after`. A part is given by its length; undefined: erased. */
export class EntryChain {
  #seq = 0;
  #hash: Uint8Array = ZERO_HASH;

  constructor(after?: LogRecord) {
    if (!after) return;
    this.#seq = after.seq;
    this.#hash = sha256(after.head);
  }

  next({ epoch: inEpoch = 1, parts = [40], text = 'entry' }: Entry = {}): LogRecord {
    const number = ++this.#seq;
    const bytes = parts.map((length, i) =>
      length === undefined ? undefined : bytesOf(`${text} ${number} ${i}`, length),
    );
    const salt = Buffer.alloc(16, number);
    const head = encodeHead({
      seq: seq(number),
      epoch: epoch(inEpoch),
      time: 1_700_000_000_000 + number,
      stream: text,
      streamSeq: number,
      streamPrevious: seq(number - 1),
      previousHash: this.#hash,
      previousStreamHash: this.#hash,
      commandId: `${text}-${number}`,
      commandExpiresAt: 0,
      action: 'Test',
      actor: 'test',
      session: '',
      causation: undefined,
      events: [],
      reply: null,
      parts: bytes.map((part) => ({
        length: part?.length ?? 0,
        salt,
        commitment: commitmentOf(salt, part ?? Buffer.alloc(0)),
      })),
    });
    this.#hash = sha256(head);
    return { seq: seq(number), epoch: epoch(inEpoch), head, parts: bytes };
  }

  many(count: number, entry: Entry = {}): LogRecord[] {
    return Array.from({ length: count }, () => this.next(entry));
  }
}

/** What can be compared: a record without regard to which kind of byte array it is in. */
export const plain = ({ seq, epoch, head, parts }: LogRecord) => ({
  seq: Number(seq),
  epoch: Number(epoch),
  head: Buffer.from(head).toString('base64'),
  parts: parts.map((part) => (part ? sha256(part).toString('hex') : null)),
});

export async function withFolder<T>(task: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'penncloud-log-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const result = await task(folder);
    await remove();
    return result;
  } catch (error) {
    // A writer that is not dead yet may write meanwhile: that must not stand in front of what went wrong.
    await remove().catch(() => undefined);
    throw error;
  }
}

/** Small files, so that few entries fill many of them. */
export const SMALL: Omit<DiskLogOptions, 'folder'> = {
  journalSegmentBytes: 16 * 1024,
  tabletSegmentBytes: 16 * 1024,
};

export type Opened = { readonly log: DiskLog; readonly tablets: ReadonlyMap<string, RecoveredTablet> };

export async function openLog(
  folder: string,
  options: Omit<DiskLogOptions, 'folder'> = SMALL,
): Promise<Opened> {
  const log = new DiskLog({ folder, ...options });
  const tablets = await log.open();
  return { log, tablets: new Map(tablets.map((tablet) => [tablet.tablet, tablet])) };
}

/** Opens the log, hands it to the task, and closes it whatever happens. */
export async function withLog<T>(
  folder: string,
  task: (opened: Opened) => Promise<T>,
  options: Omit<DiskLogOptions, 'folder'> = SMALL,
): Promise<T> {
  const opened = await openLog(folder, options);
  try {
    return await task(opened);
  } finally {
    await opened.log.close();
  }
}
