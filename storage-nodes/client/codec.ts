/** How commands, reads and their answers lie in frames: tuples, in the order drawn here. */
import type { CommandRequest, LoggedEntry, ReadCell, ReadQuery } from './client.ts';
import type { Cell } from '../cells/cells.ts';
import { Fault } from '../faults.ts';
import { decodeHead, type LogRecord } from '../log/entry.ts';

const QUERIES_MAX = 256;
const SCAN_LIMIT_MAX = 10_000;
/** A million conversations are 10,000 pages of a bulk, and what they teach. */
const PARTS_MAX = 16_384;
const TEXT_LENGTH_MAX = 16 * 1024;

/** [id, expiresAt, stream, type, data, actor, session, action, causation | null] + one blob per part */
export function encodeCommand(c: CommandRequest): unknown[] {
  const causation = c.causation ? [c.causation.tablet, c.causation.seq, c.causation.reaction] : null;
  return [c.id, c.expiresAt, c.stream, c.type, c.data, c.actor, c.session, c.action, causation];
}

export function decodeCommand(fields: unknown, blobs: readonly Uint8Array[]): CommandRequest {
  if (!Array.isArray(fields) || fields.length !== 9) throw new Fault('Malformed', 'a command has 9 fields');
  const [id, expiresAt, stream, type, data, actor, session, action, causation] = fields as unknown[];
  for (const [name, value] of Object.entries({ id, stream, type, actor, session, action })) {
    if (typeof value !== 'string') throw new Fault('Malformed', `command field ${name} must be text`);
  }
  for (const [name, value] of Object.entries({ stream, type, actor, session, action })) {
    if ((value as string).length > TEXT_LENGTH_MAX || (value as string).includes('\u0000'))
      throw new Fault(
        'Malformed',
        `command field ${name} has at most ${TEXT_LENGTH_MAX} characters, none NUL`,
      );
  }
  if (!Number.isSafeInteger(expiresAt) || (expiresAt as number) < 0)
    throw new Fault('Malformed', 'command field expiresAt must be milliseconds since 1970, or 0');
  if (blobs.length > PARTS_MAX) throw new Fault('Malformed', `a command has at most ${PARTS_MAX} parts`);
  const cause = causation as [string, number, number] | null | undefined;
  const isCause =
    !cause ||
    (Array.isArray(cause) &&
      cause.length === 3 &&
      typeof cause[0] === 'string' &&
      Number.isSafeInteger(cause[1]) &&
      Number.isSafeInteger(cause[2]));
  if (!isCause) throw new Fault('Malformed', 'command field causation must be tablet, seq and reaction');
  return {
    id: id as string,
    expiresAt: expiresAt as number,
    stream: stream as string,
    type: type as string,
    data,
    parts: blobs,
    actor: actor as string,
    session: session as string,
    action: action as string,
    ...(cause ? { causation: { tablet: cause[0], seq: cause[1], reaction: cause[2] } } : {}),
  };
}

/** ['g', row, column] or ['s', fromRow, fromColumn, toRow | null, toColumn, limit, reverse] */
export function encodeQuery(query: ReadQuery): unknown[] {
  if ('get' in query) return ['g', query.get.row, query.get.column];
  const { from, to, limit, reverse } = query.scan;
  return ['s', from.row, from.column, to?.row ?? null, to?.column ?? '', limit, reverse ?? false];
}

export function decodeQueries(fields: unknown): ReadQuery[] {
  if (!Array.isArray(fields) || fields.length > QUERIES_MAX)
    throw new Fault('Malformed', `a read has at most ${QUERIES_MAX} queries`);
  return (fields as unknown[]).map((query) => {
    if (!Array.isArray(query)) throw new Fault('Malformed', 'a read query is a get or a scan');
    if (query[0] === 'g' && typeof query[1] === 'string' && typeof query[2] === 'string') {
      return { get: { row: query[1], column: query[2] } };
    }
    const [, fromRow, fromColumn, toRow, toColumn, limit, reverse] = query as unknown[];
    if (
      query[0] !== 's' ||
      typeof fromRow !== 'string' ||
      typeof fromColumn !== 'string' ||
      (toRow !== null && typeof toRow !== 'string') ||
      typeof toColumn !== 'string'
    ) {
      throw new Fault('Malformed', 'a read query is a get or a scan');
    }
    if (!Number.isSafeInteger(limit) || (limit as number) < 1 || (limit as number) > SCAN_LIMIT_MAX) {
      throw new Fault('Malformed', `a scan's limit is 1 to ${SCAN_LIMIT_MAX}`);
    }
    return {
      scan: {
        from: { row: fromRow, column: fromColumn },
        to: toRow === null ? null : { row: toRow, column: toColumn },
        limit: limit as number,
        reverse: reverse === true,
      },
    };
  });
}

/** [row, column, seq] and a blob, or [row, column, seq, partSeq, part, length] */
export function encodeCell(cell: Cell, inline: Uint8Array | undefined, blobs: Uint8Array[]): unknown[] {
  if (inline) {
    blobs.push(inline);
    return [cell.row, cell.column, cell.seq];
  }
  if (!('part' in cell.content)) throw new Error('Defect: a cell without bytes or part');
  const { seq, part, length } = cell.content.part;
  return [cell.row, cell.column, cell.seq, seq, part, length];
}

export function decodeCells(
  tablet: string,
  results: readonly unknown[],
  blobs: readonly Uint8Array[],
): ReadCell[][] {
  let next = 0;
  return (results as unknown[][][]).map((cells) =>
    cells.map(([row, column, seq, partSeq, part, length]) => {
      const blob = partSeq === undefined ? blobs[next++] : undefined;
      return {
        row: row as string,
        column: column as string,
        seq: seq as number,
        // Copied: the received memory holds the whole answer.
        bytes: blob && Buffer.from(blob),
        part:
          partSeq === undefined
            ? undefined
            : { tablet, seq: partSeq as number, part: part as number, length: length as number },
      };
    }),
  );
}

export function loggedEntry(tablet: string, record: Pick<LogRecord, 'head'>): LoggedEntry {
  const head = decodeHead(record.head);
  return {
    tablet,
    seq: head.seq,
    epoch: head.epoch,
    time: head.time,
    stream: head.stream,
    streamSeq: head.streamSeq,
    commandId: head.commandId,
    action: head.action,
    actor: head.actor,
    causation: head.causation,
    events: head.events,
    parts: head.parts.map((part) => ({ length: part.length })),
  };
}
