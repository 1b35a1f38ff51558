/** `penncloud kv …`: the table's own operations, from a terminal. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Rejected, type ReadCell } from '../../storage-nodes/client/client.ts';
import { operatorCommand, withStore } from './connection.ts';
import { BadInput, Failed } from './outcome.ts';
import { printable, printJson, printTable } from './print.ts';
import { readValue } from './value-source.ts';

const PREVIEW_CHARACTERS_MAX = 60;

export async function put(
  row: string,
  column: string,
  argument: string | undefined,
  file?: string,
): Promise<void> {
  await withStore(async (store, { settings }) => {
    const value = await readValue({ argument, file }, settings.kvValueBytesMax);
    const command = { stream: row, type: 'kv.Put', data: { column }, parts: [value], action: 'Put a cell' };
    await store.execute(operatorCommand(command));
  });
}

/** The cell's bytes, as they are, to standard output. */
export async function get(row: string, column: string): Promise<void> {
  await withStore(async (store) => {
    const { results } = await store.read(row, [{ get: { row, column } }]);
    const cell = results[0]?.[0];
    if (!cell) throw new Failed(`There is no cell at row ${quoted(row)}, column ${quoted(column)}.`);
    if (cell.part) for await (const piece of store.readPart(cell.part)) await write(piece);
    else await write(await store.bytes(cell));
  });
}

export type CompareAndPut = {
  readonly row: string;
  readonly column: string;
  /** OLD NEW; NEW alone with `absent`; without NEW where `file` is given. */
  readonly values: readonly string[];
  readonly absent: boolean;
  readonly file: string | undefined;
};

/** Digests are compared, so that the old value need not travel. */
export async function compareAndPut({ row, column, values, absent, file }: CompareAndPut): Promise<void> {
  const [old, argument] = absent ? [undefined, values[0]] : values;
  if (values.length > (absent ? 1 : 2) || (!absent && old === undefined)) {
    throw new BadInput('Give OLD and NEW; or NEW alone, with --absent, for a cell that must not exist.');
  }
  await withStore(async (store, { settings }) => {
    const value = await readValue({ argument, file }, settings.kvValueBytesMax);
    const expected = old === undefined ? null : createHash('sha256').update(old).digest('hex');
    const data = { column, expected };
    const command = {
      stream: row,
      type: 'kv.CompareAndPut',
      data,
      parts: [value],
      action: 'Compare and put a cell',
    };
    await store.execute(operatorCommand(command)).catch((error: unknown) => {
      if (!(error instanceof Rejected) || error.rejection.code !== 'ValueMismatch') throw error;
      const current = error.rejection.details?.['currentDigest'];
      const found = current ? `its value has the sha256 digest ${current}` : 'the cell does not exist';
      throw new Failed(
        `Not changed: ${absent ? 'the cell exists' : 'the cell holds another value'}; ${found}.`,
      );
    });
  });
}

export async function remove(row: string, column: string): Promise<void> {
  await withStore(async (store) => {
    const command = { stream: row, type: 'kv.Delete', data: { column }, parts: [], action: 'Delete a cell' };
    await store.execute(operatorCommand(command));
  });
}

export async function scan(options: {
  from?: string;
  to?: string;
  limit: number;
  json?: boolean;
}): Promise<void> {
  await withStore(async (store) => {
    const { from, to, limit } = options;
    const cells = await store.scanTable({
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
      limit,
    });
    if (options.json) return printJson(cells.map(cellAsJson));
    printTable(
      ['ROW', 'COLUMN', 'SEQ', 'BYTES', 'VALUE'],
      cells.map((cell) => [cell.row, cell.column, cell.seq, lengthOf(cell), preview(cell)]),
    );
  });
}

/** `text` for UTF-8, else `base64`; neither for a value too long to come with a scan. */
function cellAsJson(cell: ReadCell): object {
  const { row, column, seq, bytes } = cell;
  const text = bytes && utf8(bytes);
  const value = text !== undefined ? { text } : bytes ? { base64: bytes.toString('base64') } : {};
  return { row, column, seq, length: lengthOf(cell), ...value };
}

function lengthOf({ bytes, part }: ReadCell): number {
  return part?.length ?? bytes?.length ?? 0;
}

function preview({ bytes }: ReadCell): string {
  if (!bytes) return '(long)';
  const text = utf8(bytes);
  if (text === undefined) return '(binary)';
  const shown = printable(text);
  return shown.length > PREVIEW_CHARACTERS_MAX ? `${shown.slice(0, PREVIEW_CHARACTERS_MAX)}…` : shown;
}

function utf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function quoted(name: string): string {
  return `"${printable(name)}"`;
}

async function write(bytes: Buffer): Promise<void> {
  if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
}
