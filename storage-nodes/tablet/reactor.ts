/**
 * Carries out the reactions of one tablet while its primary serves: each pending reaction is a command
 * to another stream, with an id derived from the entry that asked for it, remembered there for good; so
 * it is delivered at least once and in effect once, over any failover. Its outcome, accepted or refused,
 * becomes an event of the asking stream, which removes it. The id holds a hash of the entry: its seq may
 * have been another's, of which a forced recovery knows nothing, and whose mail was delivered (rule 10).
 *
 * Reactions to one stream are delivered in the order in which they were asked for: each target stream
 * has a *lane*, one delivery at a time (and one more for each name of a lane that reactions ask for). A
 * stream that cannot be reached holds up its own lane only.
 *
 * A reaction that is not due yet stays a cell; those due within the next minute are in memory. So the time
 * of a due reaction is kept by whoever is the primary then, and by nobody else: its lease is the claim.
 */
import type { Logger } from 'pino';
import type { DomainEvent } from '../../domain/decider.ts';
import { SPACE, type CellStore } from '../cells/cells.ts';
import { Rejected, type Accepted, type CommandRequest } from '../client/client.ts';
import { Fault } from '../faults.ts';
import { decodeHead, sha256 } from '../log/entry.ts';
import type { NodeLog } from '../log/log.ts';
import { pause, type Timers } from '../timers.ts';
import type { Seq, TabletId } from '../words.ts';
import { contentOf, REACTION_SETTLED, type Application } from './application.ts';
import { decodeJson, dueColumn, reactionOfColumn, type PendingReaction } from './platform-cells.ts';
import { SETTLE_REACTION, type Settlement } from './settlement.ts';

const AT_ONCE = 8;
/** Parts being delivered; one delivery is let through whatever its size. */
const BYTES_AT_ONCE_MAX = 16 * 1024 * 1024;
const RETRY_MS = 250;
const RETRY_MS_MAX = 10_000;
const SETTLE_EXPIRES_MS = 60 * 60 * 1000;
const PENDING_PAGE = 500;
/** How far ahead due reactions are held in memory, and how often they are looked for. */
const DUE_AHEAD_MS = 60_000;
const DUE_LOOK_MS = 30_000;

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
  /** Due ones that wait for their time. */
  readonly #scheduled = new Set<string>();
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
        for (const work of await this.#pending({ before: dueColumn(0) })) this.#enqueue(work);
        const late = this.#late;
        this.#late = undefined;
        for (const work of late) this.#enqueue(work);
      } catch (error) {
        if (this.#stopped) return;
        logger.error({ tablet, reason: String(error) }, 'pending reactions cannot be read; trying again');
        await pause(timers, RETRY_MS_MAX);
      }
    }
    await this.#watchDue();
  }

  add(work: Work): void {
    if (work.reaction.notBefore !== undefined) this.#schedule(work);
    else if (this.#late) this.#late.push(work);
    else this.#enqueue(work);
  }

  stop(): void {
    this.#stopped = true;
    this.#lanes.clear();
    this.#ready = [];
    for (const go of this.#forRoom.splice(0)) go();
  }

  /** Those due within the next minute, again and again. */
  async #watchDue(): Promise<void> {
    const { tablet, logger, timers, clock } = this.#options;
    while (!this.#stopped) {
      try {
        const horizon = dueColumn(clock() + DUE_AHEAD_MS);
        for (const work of await this.#pending({ from: dueColumn(0), before: horizon })) this.#schedule(work);
      } catch (error) {
        if (this.#stopped) return;
        logger.error({ tablet, reason: String(error) }, 'due reactions cannot be read; trying again');
      }
      await pause(timers, DUE_LOOK_MS);
    }
  }

  #schedule(work: Work): void {
    const { clock, timers } = this.#options;
    const waitMs = (work.reaction.notBefore ?? 0) - clock();
    // A later one is found when its time comes near.
    if (waitMs > DUE_AHEAD_MS || this.#stopped || this.#scheduled.has(keyOf(work))) return;
    this.#scheduled.add(keyOf(work));
    timers.after(Math.max(0, waitMs), () => {
      this.#scheduled.delete(keyOf(work));
      this.#enqueue(work);
    });
  }

  async #pending({ from: first = '', before }: { from?: string; before: string }): Promise<Work[]> {
    const { cells, tablet } = this.#options;
    const found: Work[] = [];
    let from = { row: '', column: first };
    const to = { row: '', column: before };
    for (;;) {
      const page = await cells.scan(tablet, { space: SPACE.reactions, from, to, limit: PENDING_PAGE });
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
    const name = laneOf(work);
    const lane = this.#lanes.get(name);
    if (lane) return void lane.works.push(work);
    this.#lanes.set(name, { works: [work], retryMs: RETRY_MS });
    this.#ready.push(name);
    this.#go();
  }

  #go(): void {
    while (this.#running < AT_ONCE && this.#ready.length > 0) {
      this.#running++;
      void this.#carryOut(this.#ready.shift()!);
    }
  }

  async #carryOut(name: string): Promise<void> {
    const lane = this.#lanes.get(name)!;
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
    if (lane.works.length === 0) this.#lanes.delete(name);
    else if (waitMs === 0) this.#ready.push(name);
    else this.#options.timers.after(waitMs, () => this.#again(name));
    this.#go();
  }

  #again(lane: string): void {
    if (this.#stopped) return;
    this.#ready.push(lane);
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
    const { tablet, execute } = this.#options;
    const { head } = await this.#headAt(seq);
    const lengths = await this.#partLengths(work);
    const bytes = lengths.reduce((sum, length) => sum + length, 0);
    await this.#untilRoom(bytes);
    try {
      const parts = await this.#parts(work, lengths);
      this.#mustGoOn();
      await execute({
        id: `reaction:${tablet}:${seq}:${n}:${sha256(head).toString('hex', 0, 8)}`,
        expiresAt: 0,
        stream: reaction.stream,
        type: reaction.command,
        data: reaction.data,
        parts,
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

  async #headAt(seq: Seq): Promise<{ readonly head: Uint8Array }> {
    const { tablet, log } = this.#options;
    const [found] = await log.readHeads(tablet, seq, 1);
    if (found?.seq !== seq) throw new Fault('Damaged', `entry ${seq} of ${tablet} cannot be read`);
    return found;
  }

  async #partLengths({ seq, reaction: { parts, partsOf } }: Work): Promise<number[]> {
    if (parts.length === 0) return [];
    const of = decodeHead((await this.#headAt((partsOf ?? seq) as Seq)).head).parts;
    return parts.map((part) => of[part]?.length ?? 0);
  }

  /** Only those that the reaction takes along; the entry may have many more. A part that was erased is empty. */
  #parts({ seq, reaction: { parts, partsOf } }: Work, lengths: readonly number[]): Promise<Uint8Array[]> {
    const { tablet, log } = this.#options;
    const from = (partsOf ?? seq) as Seq;
    return Promise.all(
      parts.map(
        async (part, i) => (await log.readPart(tablet, from, part, 0, lengths[i] ?? 0)) ?? new Uint8Array(0),
      ),
    );
  }

  async #settle({ seq, n, reaction }: Work, delivery: Delivery): Promise<void> {
    const { tablet, application, clock, execute } = this.#options;
    this.#mustGoOn();
    const due = reaction.notBefore === undefined ? {} : { notBefore: reaction.notBefore };
    const event: DomainEvent = {
      type: REACTION_SETTLED,
      version: 1,
      data: {
        originSeq: seq,
        reaction: n,
        ...due,
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
      data: { seq, n, ...due, ...delivery, touches } satisfies Settlement,
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

function laneOf({ reaction: { stream, lane } }: Work): string {
  return lane === undefined ? stream : `${stream}\0${lane}`;
}

function keyOf({ seq, n }: Work): string {
  return `${seq}.${n}`;
}
