import { describe, it } from 'vitest';
import { ALICE, domain, given, type Said } from '../given.ts';
import { contentOf, LIMITS } from '../in-memory-shell.ts';

const stream = 'row';
const sha = (value: string) => contentOf([value]).digest(0) ?? '';
const cellPut = (value = 'old'): Said => ({
  type: 'kv.CellPut',
  data: { column: 'col', part: 0 },
  stream,
  parts: [value],
});
const cellDeleted: Said = { type: 'kv.CellDeleted', data: { column: 'col' }, stream };
const put = (more: object = {}) => ({
  type: 'kv.Put',
  data: { column: 'col' },
  stream,
  parts: ['new'],
  ...more,
});
const compareAndPut = (expected: unknown) => ({
  type: 'kv.CompareAndPut',
  data: { column: 'col', expected },
  stream,
  parts: ['new'],
});
const remove = { type: 'kv.Delete', data: { column: 'col' }, stream };

describe('putting a value', () => {
  it('writes the cell, whether it was there or not', () => {
    given(domain, []).when(put()).then([cellPut()]);
    given(domain, [cellPut()]).when(put()).then([cellPut()]);
  });

  it('takes an empty value, and one of exactly the limit', () => {
    for (const value of ['', 'x'.repeat(LIMITS.kvValueBytesMax)]) {
      given(domain, [])
        .when(put({ parts: [value] }))
        .then([cellPut()]);
    }
  });

  it('is refused over the limit of values', () => {
    given(domain, [])
      .when(put({ parts: ['x'.repeat(LIMITS.kvValueBytesMax + 1)] }))
      .thenRejected('TooLarge', {
        field: 'value',
        limit: 4096,
        message: 'Value must be at most 4 KiB; this one has 4097 bytes.',
      });
  });

  it.each([
    ['empty', '', /1 to 4096 bytes/],
    ['over 4096 bytes', 'é'.repeat(2049), /1 to 4096 bytes/],
    ['with NUL', 'a\0b', /NUL/],
    ['with a lone surrogate', 'a\udc00', /lone surrogates/],
  ])('is refused with a row or a column %s', (_what, name, message) => {
    given(domain, [])
      .when(put({ stream: name }))
      .thenRejected('Malformed', { field: 'row', limit: 4096, message });
    given(domain, [])
      .when(put({ data: { column: name } }))
      .thenRejected('Malformed', { field: 'column', limit: 4096, message });
  });

  it('takes rows and columns of any other text', () => {
    for (const name of ['a/b', ' ', 'é'.repeat(2048), '😀', 'a~', '__proto__']) {
      const event = { type: 'kv.CellPut', data: { column: name, part: 0 } };
      given(domain, [])
        .when(put({ stream: name, data: { column: name } }))
        .then([event]);
    }
  });

  it('is refused in the platform’s rows', () => {
    for (const row of ['~', '~x', `${ALICE}/account`]) {
      given(domain, [])
        .when(put({ stream: row }))
        .thenRejected('Malformed', { field: 'row', message: /platform's own/ });
      given(domain, [])
        .when({ ...compareAndPut(null), stream: row })
        .thenRejected('Malformed', { field: 'row' });
      given(domain, [])
        .when({ ...remove, stream: row })
        .thenRejected('Malformed', { field: 'row' });
    }
  });

  it('is refused with wrong fields or parts', () => {
    given(domain, [])
      .when(put({ data: { column: 1 } }))
      .thenRejected('Malformed', { field: 'column' });
    given(domain, [])
      .when(put({ data: { column: 'col', row: 'r' } }))
      .thenRejected('Malformed', { field: 'row' });
    given(domain, [])
      .when(put({ parts: [] }))
      .thenRejected('Malformed', { field: 'parts' });
  });
});

describe('comparing and putting a value', () => {
  it('replaces the value that was expected', () => {
    given(domain, [cellPut()])
      .when(compareAndPut(sha('old')))
      .then([cellPut()]);
  });

  it('makes a cell that was expected to be absent', () => {
    given(domain, []).when(compareAndPut(null)).then([cellPut()]);
    given(domain, [cellPut(), cellDeleted]).when(compareAndPut(null)).then([cellPut()]);
  });

  it('is refused with the current digest when the value is another one', () => {
    const details = { currentDigest: sha('old') };
    given(domain, [cellPut()])
      .when(compareAndPut(sha('older')))
      .thenRejected('ValueMismatch', { field: 'expected', details });
    given(domain, [cellPut()])
      .when(compareAndPut(null))
      .thenRejected('ValueMismatch', { details, message: /exists already/ });
  });

  it('is refused when the cell is absent', () => {
    const details = { currentDigest: null };
    given(domain, [])
      .when(compareAndPut(sha('old')))
      .thenRejected('ValueMismatch', { details });
  });

  it('is refused whatever was expected of a value that was erased', () => {
    const erased: Said = { ...cellPut(), parts: [{ erased: 3 }] };
    for (const expected of [null, sha('old')]) {
      given(domain, [erased])
        .when(compareAndPut(expected))
        .thenRejected('ValueMismatch', { message: /was erased/ });
    }
  });

  it('is refused when what is expected is no digest', () => {
    for (const expected of ['old', undefined, sha('old').toUpperCase()]) {
      given(domain, [cellPut()])
        .when(compareAndPut(expected))
        .thenRejected('Malformed', { field: 'expected' });
    }
  });

  it('is refused over the limit of values', () => {
    given(domain, [])
      .when({ ...compareAndPut(null), parts: ['x'.repeat(4097)] })
      .thenRejected('TooLarge', { field: 'value' });
  });
});

describe('deleting a value', () => {
  it('removes the cell', () => {
    given(domain, [cellPut()]).when(remove).then([cellDeleted]);
  });

  it('changes nothing when the cell is absent', () => {
    given(domain, []).when(remove).then([]);
    given(domain, [cellPut(), cellDeleted]).when(remove).then([]);
  });

  it('is refused with wrong fields or parts', () => {
    given(domain, [])
      .when({ ...remove, data: {} })
      .thenRejected('Malformed', { field: 'column' });
    given(domain, [])
      .when({ ...remove, parts: ['x'] })
      .thenRejected('Malformed', { field: 'parts' });
  });
});
