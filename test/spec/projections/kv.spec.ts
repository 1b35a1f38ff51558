import { describe, expect, it } from 'vitest';
import { projected, type Said } from '../given.ts';

const put = (stream: string, column: string, value: string): Said => ({
  type: 'kv.CellPut',
  data: { column, part: 0 },
  stream,
  parts: [value],
});

describe('a user’s own cell', () => {
  it('is the row and column that were put, and points at the value', () => {
    const cells = projected([
      put('row', 'col', 'old'),
      put('row', 'col', 'new'),
      put('row/col', 'x', 'other'),
    ]);
    expect(cells.dump()).toEqual(['row\0col = part 0', 'row/col\0x = part 0']);
    expect(Buffer.from(cells.bytes({ row: 'row', column: 'col' }) ?? []).toString()).toBe('new');
  });

  it('is gone when it is deleted', () => {
    const deleted: Said = { type: 'kv.CellDeleted', data: { column: 'col' }, stream: 'row' };
    expect(projected([put('row', 'col', 'value'), deleted]).dump()).toEqual([]);
  });
});
