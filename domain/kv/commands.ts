/** What can be asked of a cell, and the checks that untrusted data passes first. The stream is the row. */
import type { Content } from '../decider.ts';
import { fieldsOf, nameFault, parsed, partAtMost, partsAre, refuse, sha256Hex } from '../fields.ts';

export const KEY_BYTES_MAX = 4096;

export type Put = { readonly column: string };
/** `expected`: sha256 of the value that must be there, null when the cell must be absent. */
export type CompareAndPut = { readonly column: string; readonly expected: string | null };
export type Delete = { readonly column: string };

/** Part: the value. */
export function parsePut(data: unknown, content: Content, valueBytesMax: number) {
  return parsed((): Put => {
    const { column } = fieldsOf(data, ['column']);
    partsAre(content, 'value');
    partAtMost(content, 0, 'value', valueBytesMax);
    return { column: columnName(column) };
  });
}

/** Part: the new value. */
export function parseCompareAndPut(data: unknown, content: Content, valueBytesMax: number) {
  return parsed((): CompareAndPut => {
    const { column, expected } = fieldsOf(data, ['column', 'expected']);
    partsAre(content, 'value');
    partAtMost(content, 0, 'value', valueBytesMax);
    return {
      column: columnName(column),
      expected: expected === null ? null : sha256Hex(expected, 'expected'),
    };
  });
}

export function parseDelete(data: unknown, content: Content) {
  return parsed((): Delete => {
    const { column } = fieldsOf(data, ['column']);
    partsAre(content);
    return { column: columnName(column) };
  });
}

function columnName(value: unknown): string {
  const fault =
    typeof value === 'string' ? nameFault(value, KEY_BYTES_MAX) : `be 1 to ${KEY_BYTES_MAX} bytes of UTF-8`;
  if (fault !== undefined)
    refuse('Malformed', `Column must ${fault}.`, { field: 'column', limit: KEY_BYTES_MAX });
  return value as string;
}
