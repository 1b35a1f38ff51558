/**
 * Decisions on a user's own cells: put, compare-and-put, delete. What always holds:
 *
 *   a row of the platform is never written here
 *   compare-and-put compares digests, so that values of any size are compared without reading them
 */
import type { CommandHandler, Decision, DomainArea, EventHandler, Slices, StateKey } from '../decider.ts';
import { rejection, type Rejection } from '../errors.ts';
import { nameFault } from '../fields.ts';
import { isPlatformRow, PLATFORM_PREFIX } from '../streams.ts';
import {
  KEY_BYTES_MAX,
  parseCompareAndPut,
  parseDelete,
  parsePut,
  type CompareAndPut,
  type Delete,
  type Put,
} from './commands.ts';
import type { CellDeleted, CellPut, KvEvent } from './events.ts';

/** The state key is the column. `digest` is null once the value is erased: it then equals nothing. */
export type CellSlice = { readonly digest: string | null; readonly length: number };

export function createKv(limits: { readonly valueBytesMax: number }): DomainArea {
  return {
    commands: {
      'kv.Put': put(limits.valueBytesMax),
      'kv.CompareAndPut': compareAndPut(limits.valueBytesMax),
      'kv.Delete': deleteCell,
    },
    events: kvEvents,
  };
}

const reads = ({ column }: { readonly column: string }): readonly StateKey[] => [column];

const put = (valueBytesMax: number): CommandHandler<Put> => ({
  parse: (data, content) => parsePut(data, content, valueBytesMax),
  // Whatever is there is replaced, unseen.
  reads: () => [],
  decide({ column }, _slices, { stream }) {
    const fault = rowFault(stream);
    return fault ? { rejection: fault } : cellPut(column);
  },
});

const compareAndPut = (valueBytesMax: number): CommandHandler<CompareAndPut> => ({
  parse: (data, content) => parseCompareAndPut(data, content, valueBytesMax),
  reads,
  decide({ column, expected }, slices, { stream }) {
    const fault = rowFault(stream) ?? mismatch(expected, cellOf(slices, column));
    return fault ? { rejection: fault } : cellPut(column);
  },
});

const deleteCell: CommandHandler<Delete> = {
  parse: parseDelete,
  reads,
  decide({ column }, slices, { stream }) {
    const fault = rowFault(stream);
    if (fault) return { rejection: fault };
    if (cellOf(slices, column) === undefined) return { events: [] };
    const event: CellDeleted = { type: 'kv.CellDeleted', version: 1, data: { column } };
    return { events: [event] };
  },
};

const kvEvents: { readonly [Type in KvEvent['type']]: EventHandler } = {
  'kv.CellPut': {
    isBlind: () => true,
    touches: (event: CellPut) => [event.data.column],
    evolve: (_key, _slice, event: CellPut, content): CellSlice => ({
      digest: content.digest(event.data.part) ?? null,
      length: content.length(event.data.part),
    }),
  },
  'kv.CellDeleted': {
    isBlind: () => true,
    touches: (event: CellDeleted) => [event.data.column],
    evolve: () => undefined,
  },
};

function cellPut(column: string): Decision {
  const event: CellPut = { type: 'kv.CellPut', version: 1, data: { column, part: 0 } };
  return { events: [event] };
}

function cellOf(slices: Slices, column: string): CellSlice | undefined {
  return slices(column) as CellSlice | undefined;
}

function rowFault(row: string): Rejection | undefined {
  const field = { field: 'row', limit: KEY_BYTES_MAX };
  const fault = nameFault(row, KEY_BYTES_MAX);
  if (fault !== undefined) return rejection('Malformed', `Row must ${fault}.`, field);
  if (isPlatformRow(row)) {
    const message = `Row must not start with "${PLATFORM_PREFIX}": those rows are the platform's own, and can only be read.`;
    return rejection('Malformed', message, { field: 'row', limit: `not starting with "${PLATFORM_PREFIX}"` });
  }
  return undefined;
}

function mismatch(expected: string | null, current: CellSlice | undefined): Rejection | undefined {
  if (current === undefined ? expected === null : expected !== null && expected === current.digest)
    return undefined;
  return rejection('ValueMismatch', mismatchMessage(expected, current), {
    field: 'expected',
    details: { currentDigest: current?.digest ?? null },
  });
}

function mismatchMessage(expected: string | null, current: CellSlice | undefined): string {
  if (current === undefined) return 'The cell does not exist, and another value was expected.';
  if (current.digest === null)
    return 'The value of this cell was erased: it can be replaced, but not compared.';
  const found = `its value has ${current.length} bytes and the sha256 ${current.digest}`;
  return expected === null ? `The cell exists already: ${found}.` : `The cell has another value: ${found}.`;
}
