/** Single bits that turn over in a node's files, as a disk may do that says nothing. */
import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { SeededRandom } from './seeded-random.ts';

export interface Flip {
  readonly file: string;
  readonly offset: number;
  /** What stands there since. */
  readonly byte: number;
}

/** In any log segment; undefined if there is none with an entry. */
export function flipInSegment(nodeFolder: string, random: SeededRandom): Flip | undefined {
  return flipInOne(filesEnding(join(nodeFolder, 'log', 'tablets'), '.segment'), random);
}

/** In any SST file; undefined if the store has written none. */
export function flipInTable(nodeFolder: string, random: SeededRandom): Flip | undefined {
  return flipInOne(filesEnding(join(nodeFolder, 'cells'), '.sst'), random);
}

/** True when what was flipped is nowhere any more. */
export function isMended({ file, offset, byte }: Flip): boolean {
  try {
    return byteAt(file, offset) !== byte;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
}

function filesEnding(folder: string, end: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(end))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Files hold bytes in proportion, so that what is hit is likely to matter. */
function flipInOne(files: readonly string[], random: SeededRandom): Flip | undefined {
  const sizes = files.map((file) => ({ file, size: sizeOf(file) }));
  let at = random.below(sizes.reduce((sum, { size }) => sum + size, 0));
  for (const { file, size } of sizes) {
    if (at < size) return flip(file, at, 1 << random.below(8));
    at -= size;
  }
  return undefined;
}

function flip(file: string, offset: number, bit: number): Flip {
  const byte = byteAt(file, offset)! ^ bit;
  const handle = openSync(file, 'r+');
  try {
    writeSync(handle, Buffer.of(byte), 0, 1, offset);
    return { file, offset, byte };
  } finally {
    closeSync(handle);
  }
}

function byteAt(file: string, offset: number): number | undefined {
  const handle = openSync(file, 'r');
  try {
    const one = Buffer.alloc(1);
    return readSync(handle, one, 0, 1, offset) === 1 ? one[0] : undefined;
  } finally {
    closeSync(handle);
  }
}

/** 0 for one that its owner has removed meanwhile. */
function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
