/** The raw cells, ten at a time across the whole table, forwards and backwards, with a seek by row. */
import type { FastifyInstance } from 'fastify';
import { accountOf, accountStream } from '../../domain/streams.ts';
import { credentialsCell, secondFactorCell } from '../../projections/keys.ts';
import type { CellKey } from '../../projections/projection.ts';
import type { ReadCell } from '../../storage-nodes/client/client.ts';
import { badField } from '../pages/refusals.ts';
import type { Console } from './console.ts';

const CELLS_PER_PAGE = 10;
const PREVIEW_CHARS = 240;
const NAME_BYTES_MAX = 4096;

type CellsRoute = { Querystring: Record<string, unknown> };
type Place = { readonly row: string; readonly column: string };

export function registerCells(app: FastifyInstance, consoles: Console): void {
  app.get<CellsRoute>('/admin/cells', async (request, reply) => {
    await consoles.admit(request);
    const { after, before, from } = placesOf(request.query);
    const { store } = consoles.pages.deps;
    const limit = CELLS_PER_PAGE + 1;
    const scanned = before
      ? await store.scanTable({ before, limit, reverse: true })
      : await store.scanTable({ ...(after ? { after } : { from }), limit });
    const more = scanned.length > CELLS_PER_PAGE;
    const kept = scanned.slice(0, CELLS_PER_PAGE);
    const cells = before ? kept.reverse() : kept;
    const [first, last] = [cells[0], cells.at(-1)];
    const hasPrevious = before ? more : after !== undefined || from !== '';
    const hasNext = before ? true : more;
    return consoles.show(request, reply, {
      title: 'Cells',
      tab: 'cells',
      template: 'admin/cells.hbs',
      data: {
        cells: cells.map(cellView),
        from,
        previous: hasPrevious && first ? link('before', first) : undefined,
        next: hasNext && last ? link('after', last) : undefined,
      },
    });
  });
}

/** Where to scan from. Throws PageRefusal 400 naming the field and its limit. */
function placesOf(query: Record<string, unknown>): { after?: Place; before?: Place; from: string } {
  const name = (field: string): string => {
    const value = query[field] ?? '';
    if (typeof value !== 'string' || Buffer.byteLength(value) > NAME_BYTES_MAX) {
      throw badField(`The ${field} is too long: at most ${NAME_BYTES_MAX} bytes.`);
    }
    return value;
  };
  const place = { row: name('row'), column: name('column') };
  if (query['go'] === 'after') return { after: place, from: '' };
  if (query['go'] === 'before') return { before: place, from: '' };
  return { from: name('from') };
}

function link(go: 'after' | 'before', { row, column }: Place): string {
  return `/admin/cells?${new URLSearchParams({ go, row, column })}`;
}

function cellView(cell: ReadCell) {
  const { row, column, seq, bytes, part } = cell;
  const size = bytes?.length ?? part?.length ?? 0;
  const secret = secretOf(cell);
  const shown = secret === undefined ? preview(cell) : { preview: secret, kind: 'reference' };
  return { row, column, seq, bytes: size, ...shown };
}

/** Whoever looks over an operator's shoulder learns no hash to try passwords against, and no sealed factor. */
function secretOf({ row, column }: ReadCell): string | undefined {
  const account = accountOf(row);
  if (account === undefined) return undefined;
  const owner = accountStream(account);
  const is = (cell: CellKey) => row === cell.row && column === cell.column;
  if (is(credentialsCell(owner))) return 'a password hash: not shown';
  return is(secondFactorCell(owner)) ? 'a sealed secret: not shown' : undefined;
}

/** The beginning of the value: as text if it is text, else in hexadecimal. */
function preview({ bytes, part }: ReadCell): { preview: string; kind: string } {
  if (bytes === undefined)
    return {
      preview: part === undefined ? '' : `in the log: entry ${part.seq}, part ${part.part}`,
      kind: 'reference',
    };
  const head = bytes.subarray(0, PREVIEW_CHARS * 2);
  const text = head.toString('utf8');
  const readable = !/[\0-\x08\x0e-\x1f]/.test(text) && !text.slice(0, -1).includes('\ufffd');
  const shown = readable
    ? text.slice(0, PREVIEW_CHARS)
    : (head.subarray(0, 48).toString('hex').match(/../g) ?? []).join(' ');
  const cut = readable ? text.length > PREVIEW_CHARS || bytes.length > head.length : bytes.length > 48;
  return { preview: cut ? `${shown}…` : shown, kind: readable ? 'text' : 'binary' };
}
