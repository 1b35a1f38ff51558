import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES, chunkCount, fileNameFault, FILE_BYTES_MAX } from '../../../domain/drive/commands.ts';
import { chunkStream } from '../../../domain/streams.ts';
import { contentOf, START, type Part } from '../in-memory-shell.ts';
import { ALICE, domain, given, hash, id, signedUp, type Said } from '../given.ts';

const alice = signedUp('alice');
const sha = (value: string) => contentOf([value]).digest(0);

describe('storing a chunk', () => {
  const stream = chunkStream(id(1), 2);
  const store = (more: Partial<Said> = {}): Said => ({
    type: 'drive.StoreChunk',
    data: { fileId: id(1), chunk: 2 },
    stream,
    parts: ['bytes'],
    ...more,
  });
  const stored = { type: 'drive.ChunkStored', data: { fileId: id(1), chunk: 2 } };

  it('keeps its bytes', () => {
    given(domain, []).when(store()).then([stored]);
    given(domain, [])
      .when(store({ parts: [new Uint8Array(CHUNK_BYTES)] }))
      .then([stored]);
  });

  it('changes nothing when it is stored already', () => {
    given(domain, [{ ...stored, stream, parts: ['bytes'] }])
      .when(store())
      .then([]);
  });

  it('is refused when the chunk has other bytes', () => {
    given(domain, [{ ...stored, stream, parts: ['other bytes'] }])
      .when(store())
      .thenRejected('ValueMismatch', { field: 'chunk', details: { currentDigest: sha('other bytes') } });
  });

  it('is refused when the bytes that it had were erased', () => {
    given(domain, [{ ...stored, stream, parts: [{ erased: 5 }] }])
      .when(store())
      .thenRejected('ValueMismatch', { details: { currentDigest: null } });
  });

  it('is refused in the stream of another chunk', () => {
    given(domain, [])
      .when(store({ stream: chunkStream(id(1), 3) }))
      .thenRejected('Malformed', { field: 'stream' });
    given(domain, [alice])
      .when(store({ stream: ALICE }))
      .thenRejected('Malformed', { field: 'stream' });
  });

  it('is refused when it is empty or over 1 MiB', () => {
    given(domain, [])
      .when(store({ parts: [''] }))
      .thenRejected('Malformed', { field: 'chunk', limit: CHUNK_BYTES });
    given(domain, [])
      .when(store({ parts: [new Uint8Array(CHUNK_BYTES + 1)] }))
      .thenRejected('TooLarge', {
        field: 'chunk',
        limit: CHUNK_BYTES,
        message: 'Chunk must be at most 1 MiB; this one has 1048577 bytes.',
      });
  });

  it.each([
    ['fileId', { fileId: 'X', chunk: 2 }],
    ['chunk', { fileId: id(1), chunk: -1 }],
    ['chunk', { fileId: id(1), chunk: 2.5 }],
    ['chunk', { fileId: id(1), chunk: chunkCount(FILE_BYTES_MAX) }],
    ['offset', { fileId: id(1), chunk: 2, offset: 0 }],
  ])('is refused with a wrong %s', (field, data) => {
    given(domain, [])
      .when({ ...store(), data })
      .thenRejected('Malformed', { field });
  });
});

describe('adding a file', () => {
  const file = { fileId: id(1), folderId: 'root', size: CHUNK_BYTES + 1, chunks: 2, sha256: hash('a') };
  const add = (
    name: string | Uint8Array = 'report.pdf',
    data: object = file,
    mediaType = 'application/pdf',
  ) => ({
    type: 'drive.AddFile',
    data,
    parts: [name, mediaType],
  });
  const added = (name: Part, fileId = id(1)): Said => ({
    type: 'drive.FileAdded',
    data: { ...file, fileId },
    parts: [name, 'application/pdf'],
  });

  it('puts it in the folder', () => {
    given(domain, [alice])
      .when(add())
      .then([added('report.pdf')]);
  });

  it('takes an empty file, which has no chunks', () => {
    const empty = { ...file, size: 0, chunks: 0 };
    given(domain, [alice])
      .when(add('empty', empty))
      .then([{ type: 'drive.FileAdded', data: empty }]);
  });

  it('changes nothing when the same file is added again', () => {
    given(domain, [alice, added('report.pdf')])
      .when(add())
      .then([]);
  });

  it('changes nothing when it is added again after its first try had to take another name', () => {
    const first = [alice, added('report.pdf', id(2)), added('report (2).pdf')];
    given(domain, first).when(add()).then([]);
    given(domain, [alice, added({ erased: 10 })])
      .when(add())
      .then([]);
  });

  it('is refused when the folder has a file of that name', () => {
    given(domain, [alice, added('report.pdf', id(2))])
      .when(add())
      .thenRejected('NameTaken', { field: 'file name', message: /choose another name/ });
  });

  it('tells names apart by every byte', () => {
    given(domain, [alice, added('Report.pdf', id(2))])
      .when(add())
      .then([added('report.pdf')]);
    given(domain, [alice, added('é', id(2))])
      .when(add('e\u0301'))
      .then([added('e\u0301')]);
  });

  it('is refused when the id names a file of other bytes', () => {
    for (const more of [{ sha256: hash('b') }, { size: CHUNK_BYTES + 2 }]) {
      given(domain, [alice, added('report.pdf')])
        .when(add('other.pdf', { ...file, ...more }))
        .thenRejected('Malformed', { field: 'fileId' });
    }
  });

  it('frees a name that was erased', () => {
    given(domain, [alice, added({ erased: 10 }, id(2))])
      .when(add())
      .then([added('report.pdf')]);
  });

  it('is refused in a folder that does not exist', () => {
    given(domain, [alice])
      .when(add('report.pdf', { ...file, folderId: id(9) }))
      .thenRejected('NoSuchFolder', { field: 'folderId' });
  });

  it('is refused when there is no such account, or the stream is not an account’s', () => {
    given(domain, []).when(add()).thenRejected('NoSuchAccount');
    given(domain, [alice])
      .when({ ...add(), stream: `${ALICE}/drive` })
      .thenRejected('Malformed', { field: 'stream' });
  });

  it.each([
    ['empty', '', /1 to 255 bytes/],
    ['of 5,000 characters', 'x'.repeat(5000), /1 to 255 bytes/],
    ['of 256 bytes in 128 characters', 'é'.repeat(128), /1 to 255 bytes/],
    ['with a slash', '../etc/passwd', /not contain "\/"/],
    ['with NUL', 'a\0b', /NUL/],
    ['with a line break', 'a\nb', /control characters/],
    ['with a C1 control character', 'a\u0085b', /control characters/],
    ['that is a dot', '.', /not be "\." or "\.\."/],
    ['that is two dots', '..', /not be "\." or "\.\."/],
    ['that is not UTF-8', new Uint8Array([0x61, 0xff]), /valid UTF-8/],
  ])('is refused with a name %s', (_what, name, message) => {
    given(domain, [alice])
      .when(add(name))
      .thenRejected('Malformed', { field: 'file name', limit: 255, message });
  });

  it('takes every other name that people type', () => {
    for (const name of [
      '.profile',
      '...',
      ' a b ',
      'Übersicht 2026 – final (2).pdf',
      '😀',
      'é'.repeat(127),
      '-rf',
      'con',
      'a\\b',
    ]) {
      expect(fileNameFault(name)).toBeUndefined();
      given(domain, [alice])
        .when(add(name))
        .then([added(name)]);
    }
    expect(fileNameFault('\ud800')).toMatch(/lone surrogates/);
  });

  it.each([
    ['media type', { ...file }, 'not a type'],
    ['media type', { ...file }, ''],
    ['media type', { ...file }, 'text/plain\r\nX-Evil: 1'],
    ['chunks', { ...file, chunks: 3 }, 'text/plain'],
    ['chunks', { ...file, chunks: null }, 'text/plain'],
    ['size', { ...file, size: -1 }, 'text/plain'],
    ['sha256', { ...file, sha256: hash('A') }, 'text/plain'],
    ['folderId', { ...file, folderId: '..' }, 'text/plain'],
    ['fileId', { ...file, fileId: 1 }, 'text/plain'],
    ['name', { ...file, name: 'x' }, 'text/plain'],
  ])('is refused with a wrong %s', (field, data, mediaType) => {
    given(domain, [alice])
      .when(add('a', data, mediaType))
      .thenRejected('Malformed', { field });
  });

  it('is refused when it is over 1 TiB', () => {
    given(domain, [alice])
      .when(add('a', { ...file, size: FILE_BYTES_MAX + 1 }))
      .thenRejected('TooLarge', { field: 'size', limit: FILE_BYTES_MAX });
  });

  it('takes a media type with parameters', () => {
    given(domain, [alice])
      .when({ ...add('a', file, 'text/plain; charset=utf-8'), time: START })
      .then([added('a')]);
  });
});
