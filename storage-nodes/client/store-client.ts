/**
 * The store's client (see client.ts for what callers rely on). Every request goes straight to a storage
 * node; the master is never asked. What a node refuses with a retriable fault is tried again, at the node
 * that is primary then, with the same command id, until the deadline: a caller sees latency, not errors.
 */
import type { Logger } from 'pino';
import { Fault } from '../faults.ts';
import type { Configuration } from '../replication/configuration.ts';
import type { Role } from '../replication/messages.ts';
import { compareRows } from '../words.ts';
import type {
  Accepted,
  CommandRequest,
  LoggedEntry,
  PartReference,
  ReadAnswer,
  ReadCell,
  ReadQuery,
  StoreClient,
  TabletInfo,
  TabletStatus,
} from './client.ts';
import { NodePool, type NodeAddress } from './node-pool.ts';
import { decodeCells, encodeCommand, encodeQuery } from './codec.ts';
import { LearnedMap } from './learned-map.ts';
import { Calls } from './calls.ts';
import type { Answer } from '../wire/requests.ts';

const DEADLINE_MS = 20_000;
const PIECE_BYTES = 1024 * 1024;

export type NodeDigest = { readonly applied: number; readonly digest: string; readonly cells: number };
export type NodeTablet = {
  readonly tablet: string;
  readonly role: Role;
  /** Quarantined, though all of its bytes read well. */
  readonly isSuspect: boolean;
  readonly serving: boolean;
  readonly version: number;
  readonly epoch: number;
  readonly last: number;
  readonly committed: number;
  readonly applied: number;
};

export class TcpStoreClient implements StoreClient {
  readonly #pool: NodePool;
  readonly #map: LearnedMap;
  readonly #calls: Calls;

  constructor(options: { nodes: readonly NodeAddress[]; secret: string; clientId: string; logger: Logger }) {
    this.#pool = new NodePool(options);
    this.#map = new LearnedMap(this.#pool);
    this.#calls = new Calls(this.#pool, this.#map);
  }

  execute(command: CommandRequest, { deadlineMs = DEADLINE_MS } = {}): Promise<Accepted> {
    const to = { row: command.stream };
    const args = [encodeCommand(command)];
    return this.#calls.run({ kind: 'execute', to, args, blobs: command.parts, read: accepted }, deadlineMs);
  }

  read(row: string, queries: readonly ReadQuery[], { deadlineMs = DEADLINE_MS } = {}): Promise<ReadAnswer> {
    return this.#readAt({ row }, row, queries, deadlineMs);
  }

  #readAt(
    to: { row: string } | { tablet: string },
    row: string,
    queries: readonly ReadQuery[],
    deadlineMs: number,
  ): Promise<ReadAnswer> {
    const args = [row, queries.map(encodeQuery)];
    return this.#calls.run({ kind: 'read', to, args, blobs: [], read: readAnswer }, deadlineMs);
  }

  async scanTable(options: Parameters<StoreClient['scanTable']>[0]): Promise<ReadCell[]> {
    const { after, before, limit, reverse = false } = options;
    const from = after
      ? { row: after.row, column: `${after.column}\u0000` }
      : { row: options.from ?? '', column: '' };
    const to = before ?? (options.to !== undefined ? { row: options.to, column: '' } : null);
    if (this.#map.all().length === 0) await this.#map.learn();
    const tablets = this.#map
      .all()
      .filter(
        ({ range }) =>
          (to === null || compareRows(range.from, to.row) <= 0) &&
          (range.to === null || compareRows(from.row, range.to) < 0),
      );
    const found: ReadCell[] = [];
    for (const { tablet, range } of reverse ? [...tablets].reverse() : tablets) {
      if (found.length >= limit) break;
      const low = compareRows(from.row, range.from) >= 0 ? from : { row: range.from, column: '' };
      const high =
        to !== null && (range.to === null || compareRows(to.row, range.to) < 0)
          ? to
          : range.to === null
            ? null
            : { row: range.to, column: '' };
      const scan = { from: low, to: high, limit: limit - found.length, reverse };
      const answer = await this.#readAt({ tablet }, range.from, [{ scan }], DEADLINE_MS);
      found.push(...answer.results[0]!);
    }
    return found;
  }

  async *readPart(
    reference: PartReference,
    range = { offset: 0, length: reference.length },
  ): AsyncIterable<Buffer> {
    const end = Math.min(range.offset + range.length, reference.length);
    for (let offset = range.offset; offset < end; offset += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, end - offset);
      const args = [reference.seq, reference.part, offset, length];
      const to = { tablet: reference.tablet };
      yield await this.#calls.run(
        { kind: 'part', to, args, blobs: [], read: piece, anyCopy: true },
        DEADLINE_MS,
      );
    }
  }

  async bytes(cell: ReadCell): Promise<Buffer> {
    if (cell.bytes) return cell.bytes;
    const pieces: Buffer[] = [];
    for await (const piece of this.readPart(cell.part!)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  async readLog(tablet: string, from: number, limit: number): Promise<LoggedEntry[]> {
    const to = { tablet };
    const read = (_tablet: string, { results }: Answer): LoggedEntry[] => results[0] as LoggedEntry[];
    return this.#calls.run(
      { kind: 'log', to, args: [from, limit], blobs: [], read, anyCopy: true },
      DEADLINE_MS,
    );
  }

  async tablets(): Promise<TabletInfo[]> {
    await this.#map.learn();
    return this.#map.all().map(info);
  }

  async tabletStatus(): Promise<TabletStatus[]> {
    await this.#map.learn();
    const byNode = new Map<string, NodeTablet[]>();
    await Promise.all(
      this.#pool.nodes.map(async ({ id }) => {
        try {
          byNode.set(id, await this.nodeTablets(id));
        } catch {
          // A node that does not answer serves nothing.
        }
      }),
    );
    return this.#map.all().map((configuration) => {
      const own = byNode.get(configuration.primary)?.find((t) => t.tablet === configuration.tablet);
      return {
        ...info(configuration),
        committed: own?.committed ?? 0,
        applied: own?.applied ?? 0,
        serving: own?.serving ?? false,
      };
    });
  }

  /** What one node says of its copies. Throws a Fault when it cannot be reached. */
  async nodeTablets(node: string): Promise<NodeTablet[]> {
    const requester = await this.#pool.to(node);
    const { results } = await requester.ask('tablets', []);
    return results[0] as NodeTablet[];
  }

  /** The digest of a node's live cells of a tablet, with the index they stand at. */
  async nodeDigest(node: string, tablet: string): Promise<NodeDigest> {
    const requester = await this.#pool.to(node);
    const { results } = await requester.ask('digest', [tablet]);
    return results[0] as NodeDigest;
  }

  async close(): Promise<void> {
    this.#calls.close();
    this.#pool.close();
  }
}

export function createStoreClient(options: {
  nodes: readonly NodeAddress[];
  secret: string;
  clientId: string;
  logger: Logger;
}): TcpStoreClient {
  return new TcpStoreClient(options);
}

function info(c: Configuration): TabletInfo {
  return {
    id: c.tablet,
    from: c.range.from,
    to: c.range.to,
    version: c.version,
    epoch: c.epoch,
    primary: c.primary,
    inSync: c.inSync,
    replicas: c.replicas,
  };
}

function accepted(tablet: string, { results }: Answer): Accepted {
  const [seq, time, reply] = results as [number, number, unknown];
  return { tablet, seq, time, reply };
}

function readAnswer(tablet: string, { results, blobs }: Answer): ReadAnswer {
  return {
    tablet,
    applied: results[0] as number,
    results: decodeCells(tablet, results[1] as unknown[], blobs),
  };
}

function piece(_tablet: string, { results, blobs }: Answer): Buffer {
  const [bytes] = blobs;
  if (results[0] === false || !bytes) throw new Fault('Malformed', 'these bytes were erased');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
