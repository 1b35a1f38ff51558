/** Where a value comes from: an argument, a file, or standard input. Never more than the limit is read. */
import { createReadStream } from 'node:fs';
import { BadInput } from './outcome.ts';

export type ValueSource = { readonly argument: string | undefined; readonly file: string | undefined };

/** Throws BadInput if there is none, or more than one, or if it is longer than `bytesMax`. */
export async function readValue({ argument, file }: ValueSource, bytesMax: number): Promise<Buffer> {
  if ((argument === undefined) === (file === undefined)) {
    throw new BadInput('Give the value once: as an argument, with --file PATH, or as - for standard input.');
  }
  if (file !== undefined) return collect(createReadStream(file), bytesMax);
  if (argument === '-') return collect(process.stdin, bytesMax);
  return limited([Buffer.from(argument!)], bytesMax);
}

async function collect(stream: AsyncIterable<Buffer>, bytesMax: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of stream) {
      pieces.push(piece);
      length += piece.length;
      if (length > bytesMax) break;
    }
  } catch (error) {
    throw new BadInput(`The value cannot be read: ${(error as Error).message}.`, { cause: error });
  }
  return limited(pieces, bytesMax);
}

function limited(pieces: Buffer[], bytesMax: number): Buffer {
  const value = Buffer.concat(pieces);
  if (value.length > bytesMax) {
    throw new BadInput(
      `The value is longer than the limit of ${bytesMax} bytes (PENNCLOUD_KV_VALUE_BYTES_MAX).`,
    );
  }
  return value;
}
