/**
 * A client and what it remembers. It follows the rules of storage-nodes/client: straight to the primary
 * that it knows of; what is refused with a retriable fault, or gets no answer, is asked again with the same
 * command id wherever the tablet is led now, until its patience ends. What was not answered by then stays
 * open in the history: it may take effect at any time, or never.
 */
import { Fault, type FaultCode } from '../../../storage-nodes/faults.ts';
import { decodeCells, encodeCommand, encodeQuery } from '../../../storage-nodes/client/codec.ts';
import type { CommandRequest } from '../../../storage-nodes/client/client.ts';
import { sha256 } from '../../../storage-nodes/log/entry.ts';
import { Rejected } from '../../../storage-nodes/rejected.ts';
import type { Rejection } from '../../../domain/errors.ts';
import type { Configuration } from '../../../storage-nodes/replication/configuration.ts';
import { decodeConfiguration } from '../../../storage-nodes/wire/peer-codec.ts';
import type { Message } from '../../../storage-nodes/wire/frame.ts';
import { inRange, type NodeId } from '../../../storage-nodes/words.ts';
import type { World } from '../engine/world.ts';
import type { History, Operation } from './history.ts';
import { frame, messageOf } from './frames.ts';
import { valueOf, valueName } from './values.ts';

const BACKOFF_MS = 20;
const BACKOFF_MS_MAX = 250;
const LOOK_AROUND_MS = 500;
/** How long a node has to tell the map. */
const LEARN_MS = 50;

export type ClientSurroundings = {
  readonly world: World;
  readonly history: History;
  readonly nodes: readonly NodeId[];
  readonly request: (client: string, node: NodeId, bytes: Uint8Array) => void;
  /** Wall clock, ms since 1970. */
  readonly clock: () => number;
  readonly patienceMs: number;
  readonly expiryMs: number;
};

type Waiting = {
  readonly node: NodeId;
  readonly resolve: (m: Message) => void;
  readonly reject: (e: Error) => void;
};

export class SimClient {
  readonly id: string;
  readonly #around: ClientSurroundings;
  readonly #map = new Map<string, Configuration>();
  readonly #waiting = new Map<number, Waiting>();
  #nextRequest = 1;
  #nextCommand = 1;
  /** Whom it asks for the map next. */
  #asks = 0;
  /** What it last saw in each cell: what it expects when it compares. */
  readonly #seen = new Map<string, string | null>();

  constructor(id: string, around: ClientSurroundings) {
    this.id = id;
    this.#around = around;
  }

  receive(bytes: Uint8Array): void {
    const message = messageOf(bytes);
    const [word, id, ...rest] = message.fields;
    const waiting = this.#waiting.get(id as number);
    if (!waiting) return;
    this.#waiting.delete(id as number);
    if (word === 'answer') waiting.resolve({ fields: rest, blobs: message.blobs });
    else if (word === 'rejected') waiting.reject(new Rejected(rest[0] as Rejection));
    else {
      const [code, text, hint] = rest;
      waiting.reject(new Fault(code as FaultCode, String(text), typeof hint === 'string' ? { hint } : {}));
    }
  }

  /** The connection to a node broke. */
  disconnected(node: NodeId): void {
    for (const [id, waiting] of [...this.#waiting]) {
      if (waiting.node !== node) continue;
      this.#waiting.delete(id);
      waiting.reject(new Fault('Closed', `the connection to ${node} broke`));
    }
  }

  async put(row: string, column: string, value: string): Promise<void> {
    const operation = this.#around.history.called(this.id, row, column, { kind: 'put', value });
    await this.#execute(operation, 'kv.Put', { column }, [valueOf(value)]);
    if (operation.answered !== undefined) this.#seen.set(`${row}/${column}`, value);
  }

  async compareAndPut(row: string, column: string, value: string): Promise<void> {
    const expected = this.#seen.get(`${row}/${column}`) ?? null;
    const action = { kind: 'cput' as const, expected, value, swapped: undefined };
    const operation = this.#around.history.called(this.id, row, column, action);
    const digest = expected === null ? null : sha256(valueOf(expected)).toString('hex');
    await this.#execute(operation, 'kv.CompareAndPut', { column, expected: digest }, [valueOf(value)]);
    if (operation.action.kind === 'cput' && operation.action.swapped)
      this.#seen.set(`${row}/${column}`, value);
  }

  async delete(row: string, column: string): Promise<void> {
    const operation = this.#around.history.called(this.id, row, column, { kind: 'delete' });
    await this.#execute(operation, 'kv.Delete', { column }, []);
    if (operation.answered !== undefined) this.#seen.set(`${row}/${column}`, null);
  }

  async get(row: string, column: string): Promise<void> {
    const { history, world } = this.#around;
    const operation = history.called(this.id, row, column, { kind: 'get', found: null });
    try {
      const found = await this.#atPrimary(row, async (tablet, node) => {
        const { fields, blobs } = await this.#ask(node, 'read', [
          tablet,
          row,
          [encodeQuery({ get: { row, column } })],
        ]);
        const cell = decodeCells(tablet, fields[1] as unknown[], blobs)[0]![0];
        if (!cell) return null;
        if (cell.bytes) return valueName(cell.bytes);
        const { seq, part, length } = cell.part!;
        const answer = await this.#ask(node, 'part', [tablet, seq, part, 0, length]);
        return valueName(answer.blobs[0]!);
      });
      this.#seen.set(`${row}/${column}`, found);
      history.answered(operation, { kind: 'get', found });
    } catch (error) {
      if (!(error instanceof Fault)) world.fail(`${this.id}: ${(error as Error).stack}`);
      // Nobody saw anything: a read without an answer says nothing.
      history.forget(operation);
    }
  }

  async #execute(operation: Operation, type: string, data: unknown, parts: Uint8Array[]): Promise<void> {
    const { history, world, clock, expiryMs } = this.#around;
    const command: CommandRequest = {
      id: `${this.id}-${this.#nextCommand++}`,
      expiresAt: clock() + expiryMs,
      stream: operation.row,
      type,
      data,
      parts,
      actor: this.id,
      session: '',
      action: type,
    };
    operation.commandId = command.id;
    try {
      const seq = await this.#atPrimary(operation.row, async (tablet, node) => {
        const { fields } = await this.#ask(node, 'execute', [tablet, encodeCommand(command)], parts);
        return fields[0] as number;
      });
      const { action } = operation;
      history.answered(operation, action.kind === 'cput' ? { ...action, swapped: true } : action, seq);
    } catch (error) {
      const { action } = operation;
      if (error instanceof Rejected && error.rejection.code === 'ValueMismatch' && action.kind === 'cput') {
        history.answered(operation, { ...action, swapped: false });
      } else if (!(error instanceof Fault) || error.code === 'Malformed') {
        world.fail(`${this.id}: ${type} of ${operation.row}: ${(error as Error).stack}`);
      }
    }
  }

  async #atPrimary<T>(row: string, request: (tablet: string, node: NodeId) => Promise<T>): Promise<T> {
    const { world, patienceMs } = this.#around;
    const deadline = world.now + patienceMs;
    let backoff = BACKOFF_MS;
    let hint: NodeId | undefined;
    for (;;) {
      try {
        const owner = this.#owner(row);
        if (!owner) throw new Fault('NotServing', 'no tablet is known yet');
        const node = hint ?? owner.primary;
        return await this.#attempt(deadline, owner.tablet, node, request(owner.tablet, node));
      } catch (error) {
        if (!(error instanceof Fault) || !error.retry) throw error;
        if (world.now + backoff >= deadline) throw new Fault('Unavailable', error.message, { cause: error });
        world.count('client retry');
        const known = error.code === 'NotPrimary' ? (error.hint as NodeId | undefined) : undefined;
        if (known === undefined || hint !== undefined) {
          await this.#wait(backoff);
          backoff = Math.min(backoff * 2, BACKOFF_MS_MAX);
          await this.#learn();
        }
        hint = known;
      }
    }
  }

  /** A node that froze must not hold a caller while another serves. */
  #attempt<T>(deadline: number, tablet: string, node: NodeId, answer: Promise<T>): Promise<T> {
    const { world } = this.#around;
    return new Promise((resolve, reject) => {
      let done = false;
      const end = (finish: () => void): void => {
        if (done) return;
        done = true;
        finish();
      };
      answer.then(
        (value) => end(() => resolve(value)),
        (error: Error) => end(() => reject(error)),
      );
      const look = async (): Promise<void> => {
        if (done) return;
        if (world.now >= deadline)
          return end(() => reject(new Fault('Unavailable', 'no answer before the deadline')));
        await this.#learn();
        const primary = this.#map.get(tablet)?.primary;
        if (primary !== undefined && primary !== node)
          return end(() => reject(new Fault('NotPrimary', `${node} did not answer`, { hint: primary })));
        world.after(Math.min(LOOK_AROUND_MS, Math.max(1, deadline - world.now)), () => void look());
      };
      world.after(Math.min(LOOK_AROUND_MS, Math.max(1, deadline - world.now)), () => void look());
    });
  }

  /** Asks the nodes for the map, one after another, until one answers. */
  async #learn(): Promise<void> {
    const { nodes } = this.#around;
    for (let asked = 0; asked < nodes.length; asked++) {
      const node = nodes[this.#asks++ % nodes.length]!;
      if (await this.#learnFrom(node)) return;
    }
  }

  #learnFrom(node: NodeId): Promise<boolean> {
    return new Promise((resolve) => {
      this.#around.world.after(LEARN_MS, () => resolve(false));
      this.#ask(node, 'map', []).then(
        ({ fields }) => {
          for (const text of fields[0] as unknown[]) this.#note(decodeConfiguration(text));
          resolve(true);
        },
        () => resolve(false),
      );
    });
  }

  #note(configuration: Configuration): void {
    const known = this.#map.get(configuration.tablet);
    if (known && known.lineage === configuration.lineage && known.version >= configuration.version) return;
    this.#map.set(configuration.tablet, configuration);
  }

  #owner(row: string): Configuration | undefined {
    for (const configuration of this.#map.values())
      if (inRange(row, configuration.range)) return configuration;
    return undefined;
  }

  #ask(
    node: NodeId,
    kind: string,
    args: readonly unknown[],
    blobs: readonly Uint8Array[] = [],
  ): Promise<Message> {
    return new Promise((resolve, reject) => {
      const id = this.#nextRequest++;
      this.#waiting.set(id, { node, resolve, reject });
      this.#around.request(this.id, node, frame(['ask', id, kind, ...args], blobs));
    });
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#around.world.after(ms, resolve));
  }
}
