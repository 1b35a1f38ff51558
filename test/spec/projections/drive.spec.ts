import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES, FILE_BYTES_MAX } from '../../../domain/drive/commands.ts';
import { chunkStream } from '../../../domain/streams.ts';
import { readDriveRow, readDriveUsage, readFileManifest } from '../../../projections/drive.ts';
import {
  chunkCell,
  driveFileCell,
  driveFolderRow,
  manifestCell,
  usageCell,
} from '../../../projections/keys.ts';
import type { CellKey } from '../../../projections/projection.ts';
import { ALICE, hash, id, projected, type Said } from '../given.ts';
import { START, type Part } from '../in-memory-shell.ts';

function read<Model>(
  history: readonly Said[],
  cell: CellKey,
  reader: (bytes: Uint8Array) => Model,
): Model | undefined {
  const bytes = projected(history).bytes(cell);
  return bytes && reader(bytes);
}

const added = (name: Part, number = 1, size = CHUNK_BYTES + 1): Said => ({
  type: 'drive.FileAdded',
  data: { fileId: id(number), folderId: 'root', size, chunks: 2, sha256: hash('a') },
  parts: [name, 'application/pdf'],
});

describe('a file', () => {
  it('is a row of its folder', () => {
    expect(read([added('report.pdf')], driveFileCell(ALICE, 'root', 'report.pdf'), readDriveRow)).toEqual({
      fileId: id(1),
      name: 'report.pdf',
      size: CHUNK_BYTES + 1,
      mediaType: 'application/pdf',
      addedAt: START,
    });
    const names = ['b', 'a', 'Z', 'ä'].map((name, number) => added(name, number));
    expect(projected(names).columns(driveFolderRow(ALICE, 'root'))).toEqual(['Z', 'a', 'b', 'ä']);
  });

  it('has a manifest that says where its bytes are', () => {
    expect(read([added('report.pdf')], manifestCell(ALICE, id(1)), readFileManifest)).toEqual({
      fileId: id(1),
      name: 'report.pdf',
      folderId: 'root',
      size: CHUNK_BYTES + 1,
      chunks: 2,
      chunkBytes: CHUNK_BYTES,
      sha256: hash('a'),
      mediaType: 'application/pdf',
      addedAt: START,
    });
  });

  it('whose name was erased is listed under its id, with the problem', () => {
    const nameless = added({ erased: 10 });
    expect(read([nameless], driveFileCell(ALICE, 'root', id(1)), readDriveRow)).toMatchObject({
      name: id(1),
      problem: 'The name of this file was erased.',
    });
    expect(read([nameless], manifestCell(ALICE, id(1)), readFileManifest)).toMatchObject({ name: id(1) });
  });

  it('adds to the space used, up to what a number holds', () => {
    const usage = (history: readonly Said[]) => read(history, usageCell(ALICE), readDriveUsage);
    expect(usage([added('a', 1, 5), added('b', 2, 7)])).toEqual({ files: 2, bytes: 12 });
    const huge = Array.from({ length: 8193 }, (_, number) => added(`${number}`, number, FILE_BYTES_MAX));
    expect(usage(huge)).toEqual({ files: 8193, bytes: Number.MAX_SAFE_INTEGER });
  });
});

describe('a chunk', () => {
  it('is a cell of its own stream that points at the bytes', () => {
    const stream = chunkStream(id(1), 2);
    const stored: Said = {
      type: 'drive.ChunkStored',
      data: { fileId: id(1), chunk: 2 },
      stream,
      parts: ['bytes'],
    };
    const cells = projected([stored]);
    expect(cells.dump()).toEqual([`${stream}\0bytes = part 0`]);
    expect(Buffer.from(cells.bytes(chunkCell(id(1), 2)) ?? []).toString()).toBe('bytes');
  });
});
