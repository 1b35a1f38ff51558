/**
 * Callers on few cells, through the ordinary client, and what they were answered. A call that gets no
 * answer in time stays open in the history, and its caller goes on. Every fourth caller only reads, with a
 * client apart: no write that waits tells it of a new primary, so that it asks an old one for as long as
 * that one answers. What is kept:
 *
 *   the history, for its judge
 *   each acknowledged write with its place in the log, to be found there in the end
 *   when each cell answered, for the gaps
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Rejected, type StoreClient } from '../../storage-nodes/client/client.ts';
import { Fault, type FaultCode } from '../../storage-nodes/faults.ts';
import { bytesOf, CELLS, contentOf, digestOf, type Cell } from './cells.ts';
import { HistoryRecorder, type CellContent, type KvAction } from './history.ts';
import { SeededRandom } from './seeded-random.ts';

/** A caller waits so long for one answer; the client retries meanwhile. */
const DEADLINE_MS = 8_000;
const COMMAND_VALID_MS = 10 * 60 * 1000;
const THINK_MS_MAX = 20;
/** What stands for no answer; the client hides the rest. */
const UNANSWERED: ReadonlySet<FaultCode> = new Set(['Unavailable', 'OutcomeUnknown']);

export interface AcknowledgedWrite {
  readonly commandId: string;
  readonly tablet: string;
  readonly seq: number;
  readonly story: string;
}

export class Load {
  readonly history = new HistoryRecorder();
  readonly acknowledged: AcknowledgedWrite[] = [];
  readonly writeAnswers = new Map<string, number[]>(CELLS.map(({ row }) => [row, []]));
  readonly readAnswers = new Map<string, number[]>(CELLS.map(({ row }) => [row, []]));
  /** How often each kind of fault was all that a caller heard. */
  readonly unanswered = new Map<string, number>();
  readonly #store: StoreClient;
  readonly #readers: StoreClient;
  readonly #nameOfDigest = new Map<string, string>();
  readonly #callers: Promise<void>[];
  readonly #defects: string[] = [];
  #stopping = false;
  #values = 0;

  constructor(options: { store: StoreClient; readers: StoreClient; callers: number; seed: number }) {
    this.#store = options.store;
    this.#readers = options.readers;
    this.#callers = Array.from({ length: options.callers }, (_, caller) =>
      this.#call(new SeededRandom(options.seed * 1009 + caller), caller % 4 === 3).catch((error: unknown) => {
        this.#defects.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
      }),
    );
  }

  /** Resolves when every caller has its last answer, or has given up; with what none should ever hear. */
  async stop(): Promise<readonly string[]> {
    this.#stopping = true;
    await Promise.all(this.#callers);
    return this.#defects.map((defect) => `a caller heard what it never should: ${defect}`);
  }

  /** One read of every cell: the history's last words. Throws if a cell does not answer. */
  async readAll(): Promise<void> {
    for (const cell of CELLS) await this.#read(this.#store, cell, 60_000);
  }

  async #call(random: SeededRandom, onlyReads: boolean): Promise<void> {
    const seen = new Map<Cell, CellContent>();
    while (!this.#stopping) {
      const cell = random.pick(CELLS);
      try {
        if (onlyReads) await this.#read(this.#readers, cell, DEADLINE_MS);
        else await this.#once(cell, random, seen);
      } catch (error) {
        if (!(error instanceof Fault) || !UNANSWERED.has(error.code)) throw error;
        this.unanswered.set(error.code, (this.unanswered.get(error.code) ?? 0) + 1);
      }
      await sleep(random.between(0, THINK_MS_MAX));
    }
  }

  async #once(cell: Cell, random: SeededRandom, seen: Map<Cell, CellContent>): Promise<void> {
    const dice = random.next();
    if (dice < 0.45) {
      seen.set(cell, await this.#read(this.#store, cell, DEADLINE_MS));
      return;
    }
    const value = `v${++this.#values}`;
    if (dice < 0.7) {
      await this.#write(cell, { kind: 'put', value });
      seen.set(cell, value);
    } else if (dice < 0.76) {
      await this.#write(cell, { kind: 'delete' });
      seen.set(cell, null);
    } else {
      const expected = seen.get(cell) ?? null;
      const action: KvAction = { kind: 'cput', expected, value, swapped: undefined };
      const answer = await this.#write(cell, action);
      if (answer.kind !== 'cput') return;
      if (answer.swapped) seen.set(cell, value);
      else if (answer.found !== undefined) seen.set(cell, answer.found);
    }
  }

  async #read(store: StoreClient, cell: Cell, deadlineMs: number): Promise<CellContent> {
    const { row, column } = cell;
    const answer = this.history.call(row, column, { kind: 'get', found: null });
    const { results } = await store.read(row, [{ get: { row, column } }], { deadlineMs });
    const found = results[0]?.[0];
    const content = contentOf(found && (await store.bytes(found)), cell);
    answer({ kind: 'get', found: content });
    this.readAnswers.get(row)!.push(performance.now());
    return content;
  }

  /** Resolves with the action as answered. */
  async #write(cell: Cell, asked: KvAction): Promise<KvAction> {
    const { row, column } = cell;
    const commandId = randomUUID();
    const request = this.#requestOf(asked, cell);
    const answer = this.history.call(row, column, asked);
    const answered = (action: KvAction): KvAction => {
      answer(action);
      this.writeAnswers.get(row)!.push(performance.now());
      return action;
    };
    try {
      const { tablet, seq } = await this.#store.execute(
        {
          ...request,
          id: commandId,
          expiresAt: Date.now() + COMMAND_VALID_MS,
          stream: row,
          actor: 'chaos',
          session: '',
          action: asked.kind,
        },
        { deadlineMs: DEADLINE_MS },
      );
      // Deleting what is not there is answered, and leaves no entry.
      if (asked.kind !== 'delete') {
        const story = `${asked.kind} ${'value' in asked ? asked.value : ''} on ${row}`;
        this.acknowledged.push({ commandId, tablet, seq, story });
      }
      return answered(asked.kind === 'cput' ? { ...asked, swapped: true } : asked);
    } catch (error) {
      if (asked.kind !== 'cput' || !(error instanceof Rejected) || error.rejection.code !== 'ValueMismatch')
        throw error;
      const digest = error.rejection.details?.['currentDigest'] as string | null | undefined;
      const found = digest ? (this.#nameOfDigest.get(digest) ?? `sha256 ${digest}`) : null;
      return answered({ ...asked, swapped: false, found });
    }
  }

  #requestOf(action: KvAction, cell: Cell): { type: string; data: object; parts: readonly Buffer[] } {
    const { column } = cell;
    switch (action.kind) {
      case 'put':
        return { type: 'kv.Put', data: { column }, parts: [this.#bytes(action.value, cell)] };
      case 'cput': {
        const expected = action.expected === null ? null : digestOf(action.expected, cell);
        return {
          type: 'kv.CompareAndPut',
          data: { column, expected },
          parts: [this.#bytes(action.value, cell)],
        };
      }
      case 'delete':
        return { type: 'kv.Delete', data: { column }, parts: [] };
      case 'get':
        throw new Error('Defect: a read is no command');
    }
  }

  #bytes(name: string, cell: Cell): Buffer {
    this.#nameOfDigest.set(digestOf(name, cell), name);
    return bytesOf(name, cell);
  }
}
