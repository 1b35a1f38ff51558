/**
 * Reads the journal when the node opens, and judges its end.
 *
 * Records are numbered without a gap over all files, so a hole cannot hide. Where no good record
 * follows, there are four cases:
 *
 *   - zeros, or a record of an older generation: nothing was being written. A clean end. If the checkpoint
 *     was made by a clean stop and the number is the one it noted, there is nothing more to look for.
 *   - the next file with a first record goes on with the very number expected here: this was the end of a full
 *     file, or of one left after a write that failed or was torn. Files between that got no first record
 *     held nothing, or numbers would have gone on: each of several openings that were cut off leaves one.
 *   - a record further on knows this place to have been synced: the bytes here were once good. Damage.
 *   - otherwise the place belongs to the last write, which nothing says was ever synced: a torn
 *     tail, which is cut. (After a power cut the blocks of one write may be on disk in any order, so good
 *     records behind it, of that same write, prove nothing.)
 */
import { join } from 'node:path';
import type { FilePort } from './files.ts';
import { journalName, listGenerations } from './journal-files.ts';
import {
  JOURNAL_RECORD_BYTES_MIN,
  RECORD_HEADER_BYTES_MAX,
  generationAt,
  isBefore,
} from './journal-record.ts';
import type { JournalPlace, JournalRecord } from './journal-record.ts';
import { JournalWindow } from './journal-window.ts';
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
  /** Noted by a clean stop: the number of the record that will follow the last one. */
  readonly closedBefore?: number;
};

/** Calls `see` with each record in order, from `start` on (undefined: from the oldest file). */
export async function readJournal(
  files: FilePort,
  folder: string,
  start: JournalStart | undefined,
  see: (record: JournalRecord) => void,
): Promise<JournalEnd> {
  const generations = (await listGenerations(files, folder)).filter((g) => g >= (start?.generation ?? 0));
  const open = (generation: number): Promise<JournalWindow> => JournalWindow.open(files, folder, generation);
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
    const file = join(folder, journalName(start.generation));
    const reason = 'a journal file that the checkpoint names is missing';
    const last = generations.at(-1) ?? start.generation;
    read.push(...generations);
    return end(last, { damage: { file, offset: 0, reason } });
  }
  let window = generations[0] === undefined ? undefined : await open(generations[0]);
  let following: JournalWindow | undefined;
  try {
    if (!start && window) {
      const { generation, bytes } = window;
      from = { ...from, generation, number: (await firstNumber(window)) ?? 1, segmentBytes: bytes };
    }
    for (let i = 0, next = 0; i < generations.length && window; i = next) {
      const { generation, path } = window;
      let goesOnAt: number | undefined;
      for (next = i + 1; next < generations.length; next++) {
        following = await open(generations[next]!);
        goesOnAt = await firstNumber(following);
        if (goesOnAt !== undefined) break;
        await following.close();
        following = undefined;
      }

      let at = 0;
      let reason = '';
      for (;;) {
        const record = await window.record(at);
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
        const verdict = await judgeEnd({ window, at, start, expected }, rest, open);
        const place = { file: path, offset: at };
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
        return end(generations.at(-1)!, { damage: { file: path, offset: at, reason: missing } });
      }
      read.push(...generations.slice(i + 1, next));
      await window.close();
      window = following;
      following = undefined;
    }
    return end(0);
  } finally {
    await window?.close();
    await following?.close();
  }
}

async function firstNumber(window: JournalWindow): Promise<number | undefined> {
  const record = await window.record(0);
  return typeof record === 'string' ? undefined : record.number;
}

type Stop = {
  readonly window: JournalWindow;
  readonly at: number;
  readonly start: JournalStart | undefined;
  /** The number that should have stood there. */
  readonly expected: number | undefined;
};

type Verdict =
  | { readonly kind: 'clean' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'torn'; readonly lastGeneration: number };

/** What the place is at which reading stopped, with no good first record in the file after it. */
async function judgeEnd(
  stop: Stop,
  laterGenerations: readonly number[],
  open: (generation: number) => Promise<JournalWindow>,
): Promise<Verdict> {
  const { window, at, start, expected } = stop;
  const place = { generation: window.generation, offset: at };
  if (start && isBefore(place, start.synced)) return { kind: 'damaged' };
  const closedBefore = start?.closedBefore;
  if (closedBefore !== undefined && expected !== undefined && expected < closedBefore)
    return { kind: 'damaged' };
  let torn = !(await isClean(window, at, start));
  if (!torn && closedBefore !== undefined && expected === closedBefore) return { kind: 'clean' };
  let lastGeneration = window.generation;
  for await (const record of window.goodRecordsAfter(at)) {
    if (isBefore(place, record.synced)) return { kind: 'damaged' };
    torn = true;
  }
  for (const generation of laterGenerations) {
    const later = await open(generation);
    try {
      for await (const record of later.goodRecordsAfter(-1)) {
        if (isBefore(place, record.synced)) return { kind: 'damaged' };
        torn = true;
        lastGeneration = generation;
      }
      if (!(await isClean(later, 0, undefined))) {
        torn = true;
        lastGeneration = generation;
      }
    } finally {
      await later.close();
    }
  }
  return torn ? { kind: 'torn', lastGeneration } : { kind: 'clean' };
}

/** Each write leaves zeros behind itself, and a recycled file begins with zeros or its older records. */
async function isClean(window: JournalWindow, at: number, start: JournalStart | undefined): Promise<boolean> {
  if (start && window.bytes !== start.segmentBytes) return false;
  const rest = await window.slice(at, JOURNAL_RECORD_BYTES_MIN);
  if (rest.every((byte) => byte === 0)) return true;
  const older = at === 0 ? generationAt(await window.slice(0, RECORD_HEADER_BYTES_MAX), 0) : undefined;
  return older !== undefined && older < window.generation;
}
