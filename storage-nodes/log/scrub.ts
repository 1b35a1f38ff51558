/**
 * Reads everything of a tablet's committed log again: every record's checksum and seq, the chain of
 * hashes over all heads, and every part against its checksums and the commitment in its head.
 */
import { ZERO_HASH, commitmentOf, decodeHead, sha256 } from './entry.ts';
import type { EntryHead, LogRecord } from './entry.ts';
import { checkFileHeader } from './file-header.ts';
import type { FilePort } from './files.ts';
import { Fault } from '../faults.ts';
import { FrameScanner } from './frame-scanner.ts';
import type { ScannedFrame } from './frame-scanner.ts';
import { readFrame } from './frame.ts';
import type { Damage } from './log.ts';
import { withParts } from './committed-reader.ts';
import type { TabletSegments } from './tablet-segments.ts';

export async function scrubTablet(files: FilePort, segments: TabletSegments): Promise<Damage[]> {
  const last = segments.last;
  const damage: Damage[] = [];
  const chain = new HashChain();
  for (const first of segments.firsts) {
    if (first > last) break;
    const path = segments.path(first);
    try {
      damage.push(...(await scrubSegment(files, segments, first, last, chain)));
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'Damaged') throw error;
      damage.push({ file: path, offset: 0, reason: error.message });
    }
  }
  return damage;
}

async function scrubSegment(
  files: FilePort,
  segments: TabletSegments,
  first: number,
  last: number,
  chain: HashChain,
): Promise<Damage[]> {
  const { file, path, end, last: segmentLast } = await segments.locate(first);
  const damage: Damage[] = [];
  try {
    const header = await checkFileHeader(file, 'segment', segments.tablet, first);
    if (typeof header === 'string') return [{ file: path, offset: 0, reason: header }];
    const scanner = new FrameScanner(file, header, end, first);
    for (let run = await scanner.next(); run; run = await scanner.next()) {
      for (const scanned of run) {
        if (scanned.seq > last) return damage;
        const reason = await checkEntry(files, segments.folder, scanned, chain);
        if (reason)
          damage.push({ file: path, offset: scanned.offset, reason: `seq ${scanned.seq}: ${reason}` });
      }
    }
    const stop = scanner.end;
    if (stop && stop.kind !== 'clean') damage.push({ file: path, offset: stop.offset, reason: stop.reason });
    else if (scanner.expected <= Math.min(segmentLast, last)) {
      damage.push({ file: path, offset: end, reason: `the file ends before seq ${scanner.expected}` });
    }
    return damage;
  } finally {
    await file.close();
  }
}

/** What is wrong with an entry whose frame is sound; undefined if nothing is. */
async function checkEntry(
  files: FilePort,
  folder: string,
  { seq, bytes }: ScannedFrame,
  chain: HashChain,
): Promise<string | undefined> {
  let record: LogRecord;
  let head: EntryHead;
  try {
    const frame = readFrame(bytes);
    head = decodeHead(frame.head);
    record = await withParts(files, folder, frame);
  } catch (error) {
    if (error instanceof Fault && error.code !== 'Damaged') throw error;
    return (error as Error).message;
  }
  const broken = chain.next(record.head, head);
  if (broken) return broken;
  if (head.seq !== seq || head.epoch !== record.epoch)
    return 'the head has another seq or epoch than its record';
  if (head.parts.length !== record.parts.length) return 'the head counts its parts otherwise than the record';
  const wrong = head.parts.findIndex((expected, i) => {
    const part = record.parts[i];
    return (
      part &&
      (part.length !== expected.length || !commitmentOf(expected.salt, part).equals(expected.commitment))
    );
  });
  return wrong === -1 ? undefined : `the bytes of part ${wrong} are not those that its head commits to`;
}

/** Each head names the hash of the one before. Behind damage the chain is taken up anew. */
class HashChain {
  #seq = 0;
  #hash: Uint8Array = ZERO_HASH;

  next(bytes: Uint8Array, head: EntryHead): string | undefined {
    const follows = head.seq === this.#seq + 1;
    const expected = this.#hash;
    this.#seq = head.seq;
    this.#hash = sha256(bytes);
    if (!follows || Buffer.compare(expected, head.previousHash) === 0) return undefined;
    return 'its head does not name the hash of the entry before';
  }
}
