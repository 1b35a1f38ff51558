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

const DEADLINE_MS = 20_000;
const BACKOFF_MS = 20;
const BACKOFF_MS_MAX = 250;
const PIECE_BYTES = 1024 * 1024;
/** A node that has not answered for so long is left if the tablet has another primary by then. */
const LOOK_AROUND_MS = 1500;

export type NodeDigest = { readonly applied: number; readonly digest: string; readonly cells: number };
export type NodeTablet = {
  readonly tablet: string;
  readonly role: Role;
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
  #closed = false;

  constructor(options: { nodes: readonly NodeAddress[]; secret: string; clientId: string; logger: Logger }) {
    this.#pool = new NodePool(options);
    this.#map = new LearnedMap(this.#pool);
  }

  async execute(command: CommandRequest, { deadlineMs = DEADLINE_MS } = {}): Promise<Accepted> {
    return this.#atPrimary(
      () => this.#owner(command.stream),
      deadlineMs,
      async (tablet, node) => {
        const requester = await this.#pool.to(node);
        const { results } = await requester.ask('execute', [tablet, encodeCommand(command)], command.parts);
        const [seq, time, reply] = results as [number, number, unknown];
        return { tablet, seq, time, reply };
      },
    );
  }

  async read(
    row: string,
    queries: readonly ReadQuery[],
    { deadlineMs = DEADLINE_MS } = {},
  ): Promise<ReadAnswer> {
    return this.#atPrimary(
      () => this.#owner(row),
      deadlineMs,
      (tablet, node) => this.#readAt(tablet, node, row, queries),
    );
  }

  async #readAt(
    tablet: string,
    node: string,
    row: string,
    queries: readonly ReadQuery[],
  ): Promise<ReadAnswer> {
    const requester = await this.#pool.to(node);
    const { results, blobs } = await requester.ask('read', [tablet, row, queries.map(encodeQuery)]);
    return {
      tablet,
      applied: results[0] as number,
      results: decodeCells(tablet, results[1] as unknown[], blobs),
    };
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
      const answer = await this.#atPrimary(
        () => Promise.resolve(tablet as string),
        DEADLINE_MS,
        (id, node) =>
          this.#readAt(id, node, range.from, [
            { scan: { from: low, to: high, limit: limit - found.length, reverse } },
          ]),
      );
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
      yield await this.#atAnyCopy(reference.tablet, async (tablet, node) => {
        const requester = await this.#pool.to(node);
        const place = [tablet, reference.seq, reference.part, offset, length];
        const { results, blobs } = await requester.ask('part', place);
        if (results[0] === false || !blobs[0]) throw new Fault('Malformed', 'these bytes were erased');
        return Buffer.from(blobs[0].buffer, blobs[0].byteOffset, blobs[0].byteLength);
      });
    }
  }

  async bytes(cell: ReadCell): Promise<Buffer> {
    if (cell.bytes) return cell.bytes;
    const pieces: Buffer[] = [];
    for await (const piece of this.readPart(cell.part!)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  async readLog(tablet: string, from: number, limit: number): Promise<LoggedEntry[]> {
    return this.#atAnyCopy(tablet, async (id, node) => {
      const requester = await this.#pool.to(node);
      const { results } = await requester.ask('log', [id, from, limit]);
      return results[0] as LoggedEntry[];
    });
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
    this.#closed = true;
    this.#pool.close();
  }

  async #owner(row: string): Promise<string> {
    const owner = this.#map.owner(row);
    if (owner) return owner.tablet;
    await this.#map.learn();
    const learned = this.#map.owner(row);
    if (!learned)
      throw new Fault('NotServing', `no tablet for row ${row} is known yet (${this.#map.trouble})`);
    return learned.tablet;
  }

  /** Runs `request` at the tablet's primary, again and again until it answers or the deadline passes. */
  async #atPrimary<T>(
    tabletOf: () => Promise<string>,
    deadlineMs: number,
    request: (tablet: string, node: string) => Promise<T>,
  ): Promise<T> {
    const deadline = performance.now() + deadlineMs;
    let backoff = BACKOFF_MS;
    let hint: string | undefined;
    for (;;) {
      try {
        const tablet = await this.#within(deadline, tabletOf());
        const node = hint ?? (await this.#within(deadline, this.#primaryOf(tablet)));
        return await this.#attempt(deadline, tablet, node, request(tablet, node));
      } catch (error) {
        if (this.#closed) throw new Fault('Closed', 'the client is closed', { cause: error });
        if (!(error instanceof Fault) || !error.retry) throw error;
        if (performance.now() + backoff >= deadline) {
          throw new Fault('Unavailable', `no answer within ${deadlineMs} ms: ${error.message}`, {
            cause: error,
          });
        }
        const known = error.code === 'NotPrimary' ? error.hint : undefined;
        // Two nodes that name each other are asked ever more slowly.
        if (known === undefined || hint !== undefined) {
          await new Promise((resolve) => setTimeout(resolve, backoff));
          backoff = Math.min(backoff * 2, BACKOFF_MS_MAX);
          await this.#within(deadline, this.#map.learn());
        }
        hint = known;
      }
    }
  }

  async #primaryOf(tablet: string): Promise<string> {
    if (!this.#map.get(tablet)) await this.#map.learn();
    const configuration = this.#map.get(tablet);
    if (configuration) return configuration.primary;
    if (this.#map.all().length > 0) throw new Fault('Malformed', `there is no tablet ${tablet}`);
    throw new Fault('NotServing', `no tablet is known yet (${this.#map.trouble})`);
  }

  /**
   * A node that froze must not hold a caller: not beyond the deadline (the outcome is then unknown), and
   * not while another serves. Sending the same again there is safe: a command has its id, a read none.
   */
  async #attempt<T>(deadline: number, tablet: string, node: string, answer: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const elsewhere = new Promise<never>((_, reject) => {
      const lookAround = async (): Promise<void> => {
        await this.#map.learn();
        const primary = this.#map.get(tablet)?.primary;
        if (primary !== undefined && primary !== node)
          reject(new Fault('NotPrimary', `${node} did not answer for ${tablet}`, { hint: primary }));
        else if (timer !== undefined) wait();
      };
      const wait = (): void => {
        timer = setTimeout(() => void lookAround().catch(reject), LOOK_AROUND_MS).unref();
      };
      wait();
    });
    try {
      return await this.#within(deadline, Promise.race([answer, elsewhere]));
    } finally {
      // Once nothing refers to the promise that lost, the answer does not outlive its reader.
      clearTimeout(timer);
      timer = undefined;
    }
  }

  async #within<T>(deadline: number, answer: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Fault('Unavailable', 'no answer before the deadline; the outcome is unknown')),
        Math.max(0, deadline - performance.now()),
      );
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Bytes of the log are the same on every copy: where one is damaged or behind, another is asked. */
  async #atAnyCopy<T>(tablet: string, request: (tablet: string, node: string) => Promise<T>): Promise<T> {
    return this.#atPrimary(
      () => Promise.resolve(tablet),
      DEADLINE_MS,
      async (id, node) => {
        try {
          return await request(id, node);
        } catch (error) {
          if (!(error instanceof Fault) || error.code !== 'Damaged') throw error;
          const others = this.#map.get(id)?.replicas.filter((other) => other !== node) ?? [];
          for (const other of others) {
            const answer = await request(id, other).catch(() => undefined);
            if (answer !== undefined) return answer;
          }
          throw error;
        }
      },
    );
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
