/**
 * A storage node's folder with many entries in it, written through the real log and applier without the
 * network: ordinary kv puts, spread evenly over the default tablets.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { RocksCells } from '../../storage-nodes/cells/rocks-cells.ts';
import { DiskLog, type DiskLogOptions } from '../../storage-nodes/log/disk-log.ts';
import {
  commitmentOf,
  encodeHead,
  sha256,
  ZERO_HASH,
  type LogRecord,
} from '../../storage-nodes/log/entry.ts';
import { defaultRanges } from '../../storage-nodes/master/placement.ts';
import { Applier } from '../../storage-nodes/tablet/applier.ts';
import { epoch, seq, type TabletId } from '../../storage-nodes/words.ts';
import { createApplication } from '../processes/platform.ts';

const BATCH = 256;
const START = 1_700_000_000_000;

export const BENCH_LIMITS = { kvValueBytesMax: 64 << 20, messageBytesMax: 40 << 20 };

export type BuiltStore = {
  readonly folder: string;
  readonly entries: number;
  readonly valueBytes: number;
  readonly log?: Partial<DiskLogOptions>;
};

/** One tablet's entries, made as a primary makes them. */
class Puts {
  readonly tablet: TabletId;
  readonly #from: string;
  readonly #value: Buffer;
  #seq = 0;
  #hash: Uint8Array = ZERO_HASH;

  constructor(tablet: TabletId, from: string, valueBytes: number) {
    this.tablet = tablet;
    this.#from = from;
    this.#value = randomBytes(valueBytes);
  }

  next(): LogRecord {
    const number = ++this.#seq;
    const value = Buffer.from(this.#value);
    value.writeUInt32LE(number, 0);
    const salt = randomBytes(16);
    const head = encodeHead({
      seq: seq(number),
      epoch: epoch(1),
      time: START + number,
      stream: rowOf(this.#from, number),
      streamSeq: 1,
      streamPrevious: seq(0),
      previousHash: this.#hash,
      previousStreamHash: ZERO_HASH,
      commandId: `${this.tablet}-${number}`,
      commandExpiresAt: START + number + 3_600_000,
      action: 'Put',
      actor: 'bench',
      session: '',
      causation: undefined,
      events: [{ type: 'kv.CellPut', version: 1, data: { column: 'c', part: 0 } }],
      reply: null,
      parts: [{ length: value.length, salt, commitment: commitmentOf(salt, value) }],
    });
    this.#hash = sha256(head);
    return { seq: seq(number), epoch: epoch(1), head, parts: [value] };
  }
}

/** The row that the `number`th put of the tablet that begins at `from` goes to. Not in order, as rows are. */
export const rowOf = (from: string, number: number): string =>
  `${from}${String((number * 7919) % 10_000_019).padStart(8, '0')}`;

/** Writes it and closes it. Values need at least 4 bytes; entries are rounded up to whole batches a tablet. */
export async function buildStore({ folder, entries, valueBytes, log: options }: BuiltStore): Promise<void> {
  const log = new DiskLog({ folder: join(folder, 'log'), ...options });
  const cells = new RocksCells({ folder: join(folder, 'cells') });
  await log.open();
  await cells.open();
  const application = createApplication(BENCH_LIMITS);
  const tablets = defaultRanges().map(({ id, range }) => ({
    puts: new Puts(id, range.from, valueBytes),
    applier: new Applier(id, cells, application),
  }));
  try {
    for (let written = 0; written < entries;) {
      for (const { puts, applier } of tablets) {
        const records = Array.from({ length: Math.min(BATCH, Math.ceil(entries / 12)) }, () => puts.next());
        await log.append(puts.tablet, records);
        await log.commit(puts.tablet, records.at(-1)!.seq);
        await applier.apply(records);
        written += records.length;
      }
    }
  } finally {
    await cells.close();
    await log.close();
  }
}
