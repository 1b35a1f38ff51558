/**
 * Reads the journal when the node opens, and judges its end.
 *
 * Records are numbered without a gap over all files, so a hole cannot hide. Where no good record
 * follows, there are four cases:
 *
 *   - zeros, or a record of an older generation: nothing was being written. A clean end.
 *   - the next file goes on with the very number expected here: this was the end of a full file, or of one
 *     left after a write that failed.
 *   - a record further on knows this place to have been synced: the bytes here were once good. Damage.
 *   - otherwise the place belongs to the last write, which nothing says was ever synced: a torn
 *     tail, which is cut. (After a power cut the blocks of one write may be on disk in any order, so good
 *     records behind it, of that same write, prove nothing.)
 */
import { join } from 'node:path';
import type { FilePort } from './files.ts';
import { journalName, listGenerations } from './journal-files.ts';
import { JOURNAL_RECORD_BYTES_MIN, generationAt, isBefore, readRecord } from './journal-record.ts';
import type { JournalPlace, JournalRecord } from './journal-record.ts';
import type { Damage } from './log.ts';

export type JournalEnd = {
  /** Where it was read from. */
  readonly start: JournalStart;
  /** The highest generation with anything in it; 0 if there is none. */
  readonly lastGeneration: number;
  readonly nextNumber: number;
  /** Generations that were read. */
  readonly read: readonly number[];
  /** A torn tail was found. */
  readonly torn: Damage | undefined;
  readonly damage: Damage | undefined;
};

/** What the checkpoint says of the journal. */
export type JournalStart = {
  readonly generation: number;
  readonly number: number;
  readonly segmentBytes: number;
  /** Everything before this place was known to be synced. */
  readonly synced: JournalPlace;
};

/** Calls `see` with each record in order, from `start` on (undefined: from the oldest file). */
export async function readJournal(
  files: FilePort,
  folder: string,
  start: JournalStart | undefined,
  see: (record: JournalRecord) => void,
): Promise<JournalEnd> {
  const generations = (await listGenerations(files, folder)).filter((g) => g >= (start?.generation ?? 0));
  const path = (generation: number): string => join(folder, journalName(generation));
  const load = (generation: number): Promise<Buffer | undefined> => files.readWhole(path(generation));
  const read: number[] = [];
  let expected = start?.number;
  let from: JournalStart = start ?? {
    generation: 1,
    number: 1,
    segmentBytes: 0,
    synced: { generation: 0, offset: 0 },
  };
  const end = (lastGeneration: number, more: Partial<JournalEnd> = {}): JournalEnd => ({
    start: from,
    lastGeneration,
    nextNumber: expected ?? 1,
    read,
    torn: undefined,
    damage: undefined,
    ...more,
  });

  if (start && generations[0] !== start.generation) {
    const reason = 'a journal file that the checkpoint names is missing';
    const last = generations.at(-1) ?? start.generation;
    read.push(...generations);
    return end(last, { damage: { file: path(start.generation), offset: 0, reason } });
  }
  let bytes = generations[0] === undefined ? undefined : await load(generations[0]);
  if (!start && bytes) {
    const generation = generations[0]!;
    from = { ...from, generation, number: firstNumber(bytes, generation) ?? 1, segmentBytes: bytes.length };
  }
  for (let i = 0; i < generations.length && bytes; i++) {
    const generation = generations[i]!;
    const following = generations[i + 1] === generation + 1 ? generation + 1 : undefined;
    const nextBytes = following === undefined ? undefined : await load(following);
    const goesOnAt = nextBytes && firstNumber(nextBytes, following!);

    let at = 0;
    let reason = '';
    for (;;) {
      const record = readRecord(bytes, at, generation);
      if (typeof record === 'string') {
        reason = record;
        break;
      }
      if (goesOnAt !== undefined && record.number >= goesOnAt) break;
      if (expected !== undefined && record.number !== expected) {
        reason = `expected journal record ${expected}, found ${record.number}`;
        break;
      }
      see(record);
      // A mark has the number of the record that will take its place.
      expected = record.kind === 'mark' ? record.number : record.number + 1;
      at += record.length;
    }

    read.push(generation);
    if (goesOnAt === undefined) {
      const rest = generations.slice(i + 1);
      const verdict = await judgeEnd({ bytes, generation, at, start }, rest, load);
      const place = { file: path(generation), offset: at };
      if (verdict.kind === 'damaged') {
        read.push(...rest);
        return end(generations.at(-1)!, {
          damage: { ...place, reason: `${reason}, yet this place was known to be synced` },
        });
      }
      if (verdict.kind === 'clean') return end(generation);
      const { lastGeneration } = verdict;
      read.push(...rest.filter((later) => later <= lastGeneration));
      return end(lastGeneration, { torn: { ...place, reason } });
    }
    if (goesOnAt !== (expected ?? goesOnAt)) {
      const missing = `journal records ${expected} to ${goesOnAt - 1} cannot be read: ${reason || 'they are not there'}`;
      read.push(...generations.slice(i + 1));
      return end(generations.at(-1)!, { damage: { file: path(generation), offset: at, reason: missing } });
    }
    bytes = nextBytes;
  }
  return end(0);
}

function firstNumber(bytes: Buffer, generation: number): number | undefined {
  const record = readRecord(bytes, 0, generation);
  return typeof record === 'string' ? undefined : record.number;
}

type Stop = {
  readonly bytes: Buffer;
  readonly generation: number;
  readonly at: number;
  readonly start: JournalStart | undefined;
};

type Verdict =
  | { readonly kind: 'clean' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'torn'; readonly lastGeneration: number };

/** What the place is at which reading stopped, with no good first record in the file after it. */
async function judgeEnd(
  stop: Stop,
  laterGenerations: readonly number[],
  load: (generation: number) => Promise<Buffer | undefined>,
): Promise<Verdict> {
  const { bytes, generation, at } = stop;
  const place = { generation, offset: at };
  if (stop.start && isBefore(place, stop.start.synced)) return { kind: 'damaged' };
  let torn = !isClean(stop);
  let lastGeneration = generation;
  for (const record of goodRecordsAfter(bytes, at, generation)) {
    if (isBefore(place, record.synced)) return { kind: 'damaged' };
    torn = true;
  }
  for (const later of laterGenerations) {
    const laterBytes = await load(later);
    if (!laterBytes) continue;
    for (const record of goodRecordsAfter(laterBytes, -1, later)) {
      if (isBefore(place, record.synced)) return { kind: 'damaged' };
      torn = true;
      lastGeneration = later;
    }
    if (!isClean({ bytes: laterBytes, generation: later, at: 0, start: undefined })) {
      torn = true;
      lastGeneration = later;
    }
  }
  return torn ? { kind: 'torn', lastGeneration } : { kind: 'clean' };
}

/** Each write leaves zeros behind itself, and a recycled file begins with zeros or its older records. */
function isClean({ bytes, generation, at, start }: Stop): boolean {
  if (start && bytes.length !== start.segmentBytes) return false;
  const rest = bytes.subarray(at, at + JOURNAL_RECORD_BYTES_MIN);
  if (rest.every((byte) => byte === 0)) return true;
  const older = at === 0 ? generationAt(bytes, 0) : undefined;
  return older !== undefined && older < generation;
}

/** Finds records by their generation's bytes, since the lengths that lead to them cannot be trusted. */
function* goodRecordsAfter(bytes: Buffer, at: number, generation: number): Generator<JournalRecord> {
  const pattern = Buffer.alloc(4);
  pattern.writeUInt32LE(generation);
  for (let hit = bytes.indexOf(pattern, at + 9); hit !== -1; hit = bytes.indexOf(pattern, hit + 1)) {
    const record = readRecord(bytes, hit - 8, generation);
    if (typeof record !== 'string') yield record;
  }
}
