/**
 * What of a message is handed to the checks of its signatures. They cost the more the more lines, signatures and bytes
 * there are, some of them quadratically, and whoever sends a message chooses all three.
 *
 * Always holds: of a message that would cost too much the From fields alone are looked at, as if it were not signed
 * (RFC 6376 §6.1 leaves it to us what is verified), so that the policy of the domain in From still holds; a long
 * message comes in pieces, and others are served in between.
 */
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { HeaderBlock } from '../../message/header-block.ts';

export const SIGNATURES_MAX = 10;
const HEADER_BYTES_MAX = 128 * 1024;
const HEADER_LINES_MAX = 3_000;
const FIELDS_MAX = 2_000;
/** Each signature may ask for a hash of its own of the whole body. */
const HASHED_BYTES_MAX = 128 * 1024 * 1024;
const PIECE_BYTES = 64 * 1024;
const LF = 0x0a;

/** Whether its signatures can be looked at. */
export function isWorthChecking(raw: Buffer, header: HeaderBlock): boolean {
  const head = raw.subarray(0, header.bodyAt);
  const hashes = header.all('dkim-signature').length + Math.min(1, header.all('arc-seal').length);
  return (
    head.length <= HEADER_BYTES_MAX &&
    header.list().length < FIELDS_MAX &&
    linesIn(head) <= HEADER_LINES_MAX &&
    header.all('dkim-signature').length <= SIGNATURES_MAX &&
    hashes * (raw.length - header.bodyAt) <= HASHED_BYTES_MAX
  );
}

/** Its From fields, as they are written but unfolded, and no body. */
export function fromFieldsOf(header: HeaderBlock): Buffer {
  const fields = header.all('from').slice(0, 2);
  return Buffer.from(`${fields.map((value) => `From: ${value}\r\n`).join('')}\r\n`);
}

/** As mailauth takes it. */
export function inPieces(raw: Buffer): Buffer | Readable {
  return raw.length <= PIECE_BYTES ? raw : Readable.from(pieces(raw), { objectMode: false });
}

async function* pieces(raw: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < raw.length; at += PIECE_BYTES) {
    await setImmediate();
    yield raw.subarray(at, at + PIECE_BYTES);
  }
}

function linesIn(head: Buffer): number {
  let lines = 0;
  for (let lf = head.indexOf(LF); lf >= 0; lf = head.indexOf(LF, lf + 1)) lines++;
  return lines;
}
