/**
 * The checkpoint: where the journal must be read from when the node opens, and what of each tablet's
 * segments is certain to be on disk by then. A small file, replaced as a whole. Without it nothing is
 * lost: the whole journal and all segments are read instead, and no tail is trusted.
 *
 *    0  8 bytes  "PCLOGCKP"
 *    8  u32      CRC-32 of bytes 12 …
 *   12           JSON, as `Checkpoint` below
 */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { replaceFile } from './files.ts';
import type { FilePort } from './files.ts';
import type { JournalStart } from './journal-reader.ts';
import type { Damage } from './log.ts';
import type { SegmentsState } from './tablet-segments.ts';

export type CheckpointTablet = SegmentsState & {
  /** The copy may have lost what it acknowledged, and nobody has made up for it yet (rule 5). */
  readonly cutTail: boolean;
  /** Found when the log was opened; stays until the tablet is dropped (rule 11). */
  readonly damage: readonly Damage[];
  /** An fsync failed while the tablet was there (rule 12); stays likewise. */
  readonly failedSync?: Damage | undefined;
};

export type Checkpoint = {
  readonly format: 1;
  /** Where the journal is read from: the beginning of this generation, whose first record has this number. */
  readonly journal: JournalStart;
  readonly tablets: { readonly [tablet: string]: CheckpointTablet };
};

const MAGIC = 'PCLOGCKP';
const path = (folder: string): string => join(folder, 'checkpoint');

export async function writeCheckpoint(
  files: FilePort,
  folder: string,
  checkpoint: Checkpoint,
): Promise<void> {
  const body = Buffer.from(JSON.stringify(checkpoint));
  const head = Buffer.alloc(12);
  head.write(MAGIC, 0, 'latin1');
  head.writeUInt32LE(crc32(body), 8);
  await replaceFile(files, path(folder), Buffer.concat([head, body]));
}

/** undefined if there is none; a reason if it cannot be trusted. */
export async function readCheckpoint(
  files: FilePort,
  folder: string,
): Promise<Checkpoint | string | undefined> {
  const bytes = await files.readWhole(path(folder));
  if (bytes === undefined) return undefined;
  if (bytes.length < 12 || bytes.toString('latin1', 0, 8) !== MAGIC) return 'it is not a checkpoint';
  if (crc32(bytes.subarray(12)) !== bytes.readUInt32LE(8)) return 'its checksum does not match its bytes';
  const checkpoint = JSON.parse(bytes.toString('utf8', 12)) as Checkpoint;
  if (checkpoint.format !== 1) return `its format ${String(checkpoint.format)} is newer than this program`;
  return checkpoint;
}
