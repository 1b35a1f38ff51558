/**
 * What a storage node answers to clients: one handler per kind of request. All that comes in is checked
 * here or in client/codec.ts; all that goes out is bounded.
 *
 *   execute   tablet, command + parts            -> seq, time, reply
 *   read      tablet, row, queries               -> applied index, cells of each query
 *   part      tablet, seq, part, offset, length  -> true + bytes, or false: erased
 *   log       tablet, from, limit                -> committed entries
 *   map       -                                  -> every configuration known here
 *   tablets   -                                  -> the copies on this node
 *   digest    tablet                             -> digest of the live cells of this copy
 */
import type { CellStore } from './cells/cells.ts';
import type { NodeDigest, NodeTablet } from './client/store-client.ts';
import { Fault } from './faults.ts';
import type { NodeLog } from './log/log.ts';
import { canonical, type Configuration } from './replication/configuration.ts';
import type { Bundle } from './tablet/bundle.ts';
import type { Tablet } from './tablet/tablet.ts';
import { decodeCommand, decodeQueries, encodeCell, loggedEntry } from './client/codec.ts';
import type { Answer, Handler } from './wire/requests.ts';
import { inRange, type Seq } from './words.ts';

/** Values up to this length travel inside an answer; longer ones are fetched piece by piece. */
const INLINE_BYTES_MAX = 64 * 1024;
/** Beyond this total, values that lie in the log are fetched piece by piece too. */
const ANSWER_INLINE_BYTES_MAX = 4 * 1024 * 1024;
const PIECE_BYTES_MAX = 4 * 1024 * 1024;
const LOG_PAGE_MAX = 1000;

export type RequestSurroundings = {
  /** Throws Fault NotPrimary. */
  readonly tablet: (id: string) => Tablet;
  readonly log: NodeLog;
  readonly cells: CellStore;
  readonly views: () => NodeTablet[];
  readonly configurations: () => readonly Configuration[];
  /** A request that counts as load began, or ended. */
  readonly began: () => void;
  readonly ended: () => void;
};

export function requestHandlers(node: RequestSurroundings): Readonly<Record<string, Handler>> {
  /** Requires of a handler that it throws into its promise only. */
  const counted =
    (handler: (...request: Parameters<Handler>) => Promise<Answer>): Handler =>
    (...request) => {
      node.began();
      return handler(...request).finally(() => node.ended());
    };
  return {
    execute: counted(async ([id, fields], blobs) => {
      const { seq, time, reply } = await tabletOf(node, id).execute(decodeCommand(fields, blobs));
      return { results: [seq, time, reply], blobs: [] };
    }),
    read: counted((args) => read(node, args)),
    part: counted((args) => part(node, args)),
    log: counted((args) => log(node, args)),
    map: () => ({ results: [node.configurations().map(canonical)], blobs: [] }),
    tablets: () => ({ results: [node.views()], blobs: [] }),
    digest: async ([id]) => {
      const tablet = tabletOf(node, id).id;
      const digest: NodeDigest = await node.cells.digest(tablet);
      // Whoever compares it reads the files.
      await node.log.copied(tablet);
      return { results: [digest], blobs: [] };
    },
  };
}

async function read(node: RequestSurroundings, [id, row, fields]: readonly unknown[]): Promise<Answer> {
  const tablet = tabletOf(node, id);
  const queries = decodeQueries(fields);
  if (typeof row !== 'string') throw new Fault('Malformed', 'a read names a row');
  const { configuration } = tablet.view;
  if (configuration && !inRange(row, configuration.range))
    throw new Fault('WrongRange', `tablet ${tablet.id} does not own row ${row}`);
  return encodeBundle(node, tablet, await tablet.read(queries));
}

/** The bytes of a value in the log never change: they may be read after the cells. */
async function encodeBundle(node: RequestSurroundings, tablet: Tablet, bundle: Bundle): Promise<Answer> {
  const blobs: Uint8Array[] = [];
  const results: unknown[] = [];
  let room = ANSWER_INLINE_BYTES_MAX;
  for (const cells of bundle.results) {
    const encoded: unknown[] = [];
    for (const cell of cells) {
      const { content } = cell;
      let inline: Uint8Array | undefined;
      if ('bytes' in content) inline = content.bytes;
      else if (content.part.length <= INLINE_BYTES_MAX && content.part.length <= room) {
        const { seq, part, length } = content.part;
        room -= length;
        inline = await tablet.readingLog(seq, () => node.log.readPart(tablet.id, seq, part, 0, length));
      }
      encoded.push(encodeCell(cell, inline, blobs));
    }
    results.push(encoded);
  }
  return { results: [bundle.applied, results], blobs };
}

async function part(node: RequestSurroundings, args: readonly unknown[]): Promise<Answer> {
  const [id, seq, number, offset, length] = args;
  const numbers = [seq, number, offset, length];
  const isSound =
    numbers.every((n) => Number.isSafeInteger(n) && (n as number) >= 0) &&
    (length as number) <= PIECE_BYTES_MAX;
  if (!isSound) throw new Fault('Malformed', `a piece of a part has at most ${PIECE_BYTES_MAX} bytes`);
  const tablet = tabletOf(node, id);
  const bytes = await tablet.readingLog(seq as Seq, () =>
    node.log.readPart(tablet.id, seq as Seq, number as number, offset as number, length as number),
  );
  return bytes ? { results: [true], blobs: [bytes] } : { results: [false], blobs: [] };
}

async function log(node: RequestSurroundings, [id, from, limit]: readonly unknown[]): Promise<Answer> {
  const tablet = tabletOf(node, id);
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(limit))
    throw new Fault(
      'Malformed',
      'a page of a log begins at a whole number and has a whole number of entries',
    );
  const start = Math.max(1, from as number) as Seq;
  const count = Math.min(LOG_PAGE_MAX, Math.max(1, limit as number));
  const heads = await tablet.readingLog(start, async () => {
    const { readable } = tablet.view;
    return start > readable
      ? []
      : node.log.readHeads(tablet.id, start, Math.min(count, readable - start + 1));
  });
  return { results: [heads.map((record) => loggedEntry(tablet.id, record))], blobs: [] };
}

function tabletOf(node: RequestSurroundings, id: unknown): Tablet {
  if (typeof id !== 'string') throw new Fault('Malformed', "a request names its tablet by the tablet's id");
  return node.tablet(id);
}
