/**
 * Carries out the reactions of one tablet while its primary serves: each pending reaction is a command
 * to another stream, with an id derived from the entry that asked for it, remembered there for good; so
 * it is delivered at least once and in effect once, over any failover. Its outcome, accepted or refused,
 * becomes an event of the asking stream, which removes it. The id holds a hash of the entry: its seq may
 * have been another's, of which a forced recovery knows nothing, and whose mail was delivered (rule 10).
 *
 * Reactions to one stream are delivered in the order in which they were asked for: each target stream
 * has a *lane*, one delivery at a time. A stream that cannot be reached holds up its own lane only.
 */
import type { Logger } from 'pino';
import type { DomainEvent } from '../../domain/decider.ts';
import { SPACE, type CellStore } from '../cells/cells.ts';
import { Rejected, type Accepted, type CommandRequest } from '../client/client.ts';
import { Fault } from '../faults.ts';
import { decodeHead, sha256, type LogRecord } from '../log/entry.ts';
import type { NodeLog } from '../log/log.ts';
import { pause, type Timers } from '../timers.ts';
import type { Seq, TabletId } from '../words.ts';
import { contentOf, REACTION_SETTLED, type Application } from './application.ts';
import { decodeJson, reactionOfColumn, type PendingReaction } from './platform-cells.ts';
import { SETTLE_REACTION, type Settlement } from './settlement.ts';

const AT_ONCE = 8;
/** Parts being delivered; one delivery is let through whatever its size. */
const BYTES_AT_ONCE_MAX = 16 * 1024 * 1024;
const RETRY_MS = 250;
const RETRY_MS_MAX = 10_000;
const SETTLE_EXPIRES_MS = 60 * 60 * 1000;
const PENDING_PAGE = 500;

type Work = { readonly seq: Seq; readonly n: number; readonly reaction: PendingReaction };
type Lane = { readonly works: Work[]; retryMs: number };
type Delivery = { readonly outcome: 'accepted' } | { readonly outcome: 'refused'; readonly code: string };

export type ReactorOptions = {
  readonly tablet: TabletId;
  readonly cells: CellStore;
  readonly log: NodeLog;
  readonly application: Application;
  readonly logger: Logger;
  /** Wall clock, ms since 1970. */
  readonly clock: () => number;
  readonly timers: Timers;
  /** Sends a command to whoever owns its stream, this node included, and retries. */
  readonly execute: (command: CommandRequest) => Promise<Accepted>;
};

export class Reactor {
  readonly #options: ReactorOptions;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes whose first delivery may begin, longest waiting first. */
  #ready: string[] = [];
  readonly #known = new Set<string>();
  /** Asked for while the pending ones are still being read: they come behind those. */
  #late: Work[] | undefined = [];
  #running = 0;
  #bytes = 0;
  #forRoom: (() => void)[] = [];
  #stopped = false;

  constructor(options: ReactorOptions) {
    this.#options = options;
  }

  /** Picks up what an earlier primary left pending. */
  async start(): Promise<void> {
    const { tablet, logger, timers } = this.#options;
    while (!this.#stopped && this.#late) {
      try {
        for (const work of await this.#pending()) this.#enqueue(work);
        const late = this.#late;
        this.#late = undefined;
        for (const work of late) this.#enqueue(work);
      } catch (error) {
        if (this.#stopped) return;
        logger.error({ tablet, reason: String(error) }, 'pending reactions cannot be read; trying again');
        await pause(timers, RETRY_MS_MAX);
      }
    }
  }

  add(work: Work): void {
    if (this.#late) this.#late.push(work);
    else this.#enqueue(work);
  }

  stop(): void {
    this.#stopped = true;
    this.#lanes.clear();
    this.#ready = [];
    for (const go of this.#forRoom.splice(0)) go();
  }

  async #pending(): Promise<Work[]> {
    const { cells, tablet } = this.#options;
    const found: Work[] = [];
    let from = { row: '', column: '' };
    for (;;) {
      const page = await cells.scan(tablet, { space: SPACE.reactions, from, to: null, limit: PENDING_PAGE });
      for (const cell of page) {
        const reaction = decodeJson<PendingReaction>(cell);
        if (reaction) found.push({ ...reactionOfColumn(cell.column), reaction });
      }
      if (page.length < PENDING_PAGE) return found.sort((a, b) => a.seq - b.seq || a.n - b.n);
      from = { row: '', column: `${page.at(-1)!.column}\u0001` };
    }
  }

  #enqueue(work: Work): void {
    const key = keyOf(work);
    if (this.#stopped || this.#known.has(key)) return;
    this.#known.add(key);
    const { stream } = work.reaction;
    const lane = this.#lanes.get(stream);
    if (lane) return void lane.works.push(work);
    this.#lanes.set(stream, { works: [work], retryMs: RETRY_MS });
    this.#ready.push(stream);
    this.#go();
  }

  #go(): void {
    while (this.#running < AT_ONCE && this.#ready.length > 0) {
      this.#running++;
      void this.#carryOut(this.#ready.shift()!);
    }
  }

  async #carryOut(stream: string): Promise<void> {
    const lane = this.#lanes.get(stream)!;
    const work = lane.works[0]!;
    let waitMs = 0;
    try {
      await this.#settle(work, await this.#deliver(work));
      this.#known.delete(keyOf(work));
      lane.works.shift();
      lane.retryMs = RETRY_MS;
    } catch (error) {
      waitMs = lane.retryMs;
      lane.retryMs = Math.min(waitMs * 2, RETRY_MS_MAX);
      if (!this.#stopped) this.#report(work, error);
    }
    this.#running--;
    if (this.#stopped) return;
    if (lane.works.length === 0) this.#lanes.delete(stream);
    else if (waitMs === 0) this.#ready.push(stream);
    else this.#options.timers.after(waitMs, () => this.#again(stream));
    this.#go();
  }

  #again(stream: string): void {
    if (this.#stopped) return;
    this.#ready.push(stream);
    this.#go();
  }

  #report({ seq, n, reaction }: Work, error: unknown): void {
    const { tablet, logger } = this.#options;
    const reason = error instanceof Error ? error.message : String(error);
    logger.warn(
      { tablet, seq, reaction: n, stream: reaction.stream, reason },
      'reaction will be tried again',
    );
  }

  async #deliver(work: Work): Promise<Delivery> {
    const { seq, n, reaction } = work;
    const { tablet, log, execute } = this.#options;
    const [head] = await log.readHeads(tablet, seq, 1);
    if (head?.seq !== seq) throw unreadable(tablet, seq);
    const bytes = decodeHead(head.head).parts.reduce((sum, part) => sum + part.length, 0);
    await this.#untilRoom(bytes);
    try {
      const [record] = await log.read(tablet, seq, 1);
      if (record?.seq !== seq) throw unreadable(tablet, seq);
      this.#mustGoOn();
      await execute({
        id: `reaction:${tablet}:${seq}:${n}:${sha256(head.head).toString('hex', 0, 8)}`,
        expiresAt: 0,
        stream: reaction.stream,
        type: reaction.command,
        data: reaction.data,
        parts: partsOf(record, reaction),
        actor: reaction.origin,
        session: '',
        action: 'Deliver',
        causation: { tablet, seq, reaction: n },
      });
      return { outcome: 'accepted' };
    } catch (error) {
      if (error instanceof Rejected) return { outcome: 'refused', code: error.rejection.code };
      throw error;
    } finally {
      this.#bytes -= bytes;
      for (const go of this.#forRoom.splice(0)) go();
    }
  }

  async #settle({ seq, n, reaction }: Work, delivery: Delivery): Promise<void> {
    const { tablet, application, clock, execute } = this.#options;
    this.#mustGoOn();
    const event: DomainEvent = {
      type: REACTION_SETTLED,
      version: 1,
      data: {
        originSeq: seq,
        reaction: n,
        command: reaction.command,
        stream: reaction.stream,
        data: reaction.data,
        ...delivery,
      },
    };
    const touches = application.events[REACTION_SETTLED]?.touches(event, contentOf([])) ?? [];
    await execute({
      id: `settle:${tablet}:${seq}:${n}`,
      expiresAt: clock() + SETTLE_EXPIRES_MS,
      stream: reaction.origin,
      type: SETTLE_REACTION,
      data: { seq, n, ...delivery, touches } satisfies Settlement,
      parts: [],
      actor: 'platform',
      session: '',
      action: 'Record a delivery',
      causation: { tablet, seq, reaction: n },
    });
  }

  async #untilRoom(bytes: number): Promise<void> {
    while (this.#bytes > 0 && this.#bytes + bytes > BYTES_AT_ONCE_MAX && !this.#stopped) {
      await new Promise<void>((resolve) => this.#forRoom.push(resolve));
    }
    this.#bytes += bytes;
  }

  /** Once this copy has lost its place the next primary carries out what is left. */
  #mustGoOn(): void {
    if (this.#stopped) throw new Fault('NotServing', `${this.#options.tablet} has another primary`);
  }
}

function partsOf(record: LogRecord, reaction: PendingReaction): Uint8Array[] {
  return reaction.parts.map((part) => record.parts[part] ?? new Uint8Array(0));
}

function keyOf({ seq, n }: Work): string {
  return `${seq}.${n}`;
}

function unreadable(tablet: TabletId, seq: Seq): Fault {
  return new Fault('Damaged', `entry ${seq} of ${tablet} cannot be read`);
}
