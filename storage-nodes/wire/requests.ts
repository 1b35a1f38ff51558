/**
 * Requests and answers over one connection, any number in flight.
 *
 *   ['ask', id, kind, ...arguments] + blobs   ->   ['answer', id, ...results] + blobs
 *                                             or   ['fault', id, code, message, hint]
 *                                             or   ['rejected', id, rejection]
 *   ['push', kind, ...fields]                      from the serving side, unasked
 */
import { Rejected } from '../rejected.ts';
import type { Rejection } from '../../domain/errors.ts';
import { Fault, type FaultCode } from '../faults.ts';
import type { Connection } from './connection.ts';
import type { Message } from './frame.ts';

export type Answer = { readonly results: readonly unknown[]; readonly blobs: readonly Uint8Array[] };

/** With more than this unread by the answering side, nothing is asked of it. */
const UNSENT_BYTES_MAX = 128 * 1024 * 1024;

/** Who hears what became of a request: one of the two, once. */
export interface Asker {
  answered(answer: Answer): void;
  /** With the Fault or Rejected that came back, or Fault Closed when the connection broke. */
  failed(error: Error): void;
}

/** The asking side. */
export class Requester {
  readonly connection: Connection;
  onPush: (fields: readonly unknown[]) => void = () => {};
  onClose: () => void = () => {};
  readonly #waiting = new Map<number, Asker>();
  #nextId = 1;

  constructor(connection: Connection) {
    this.connection = connection;
    connection.onMessage = (message) => this.#received(message);
    connection.onClose = (reason) => this.#closed(reason);
    connection.start();
  }

  /** Rejects with the Fault or Rejected that came back, or Fault Closed when the connection broke. */
  ask(kind: string, args: readonly unknown[], blobs: readonly Uint8Array[] = []): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.askFor({ answered: resolve, failed: reject }, kind, args, blobs);
    });
  }

  /** The same without a promise. Returns the number of the request, for `forget`; undefined: it failed already. */
  askFor(
    asker: Asker,
    kind: string,
    args: readonly unknown[],
    blobs: readonly Uint8Array[],
  ): number | undefined {
    if (!this.connection.open) {
      asker.failed(new Fault('Closed', 'the connection is closed'));
      return undefined;
    }
    if (this.connection.backlogBytes > UNSENT_BYTES_MAX) {
      asker.failed(new Fault('Overloaded', 'the other side does not read its requests now; try again'));
      return undefined;
    }
    const id = this.#nextId++;
    try {
      this.connection.send(['ask', id, kind, ...args], blobs);
    } catch (error) {
      asker.failed(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
    this.#waiting.set(id, asker);
    return id;
  }

  /** Whoever asked `request` does not wait any more: an answer that still comes is let drop. */
  forget(request: number): void {
    this.#waiting.delete(request);
  }

  get inFlight(): number {
    return this.#waiting.size;
  }

  close(): void {
    this.connection.close('no longer needed');
  }

  #received({ fields, blobs }: Message): void {
    const [word, id] = fields;
    if (word === 'push') return this.onPush(fields.slice(1));
    const asker = this.#waiting.get(id as number);
    if (!asker) return;
    this.#waiting.delete(id as number);
    if (word === 'answer') asker.answered({ results: fields.slice(2), blobs });
    else if (word === 'rejected') asker.failed(new Rejected(fields[2] as Rejection));
    else asker.failed(toFault(fields.slice(2)));
  }

  #closed(reason: string): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.onClose();
    for (const asker of waiting) asker.failed(new Fault('Closed', `the connection broke: ${reason}`));
  }
}

function toFault([code, message, hint]: readonly unknown[]): Fault {
  return new Fault(code as FaultCode, String(message), typeof hint === 'string' ? { hint } : {});
}

export type Handler = (
  args: readonly unknown[],
  blobs: readonly Uint8Array[],
  connection: Connection,
) => Promise<Answer> | Answer;

/** A connection with more than this under way, or more of it unread by the asker, is not read meanwhile. */
const IN_FLIGHT_MAX = 2048;
const IN_FLIGHT_BYTES_MAX = 32 * 1024 * 1024;
const UNREAD_BYTES_MAX = 16 * 1024 * 1024;

/**
 * The answering side: one handler per kind. Faults and rejections travel back; anything else is a defect
 * and is logged by `onDefect`. Asking faster than answers are read makes the asker wait, not this process
 * grow.
 */
export function serve(
  connection: Connection,
  handlers: Readonly<Record<string, Handler>>,
  onDefect: (error: unknown) => void,
): void {
  const serving = new ServedConnection(connection, handlers, onDefect);
  connection.onDrained = () => serving.goOn();
  connection.onMessage = (message) => serving.take(message);
  connection.start();
}

class ServedConnection {
  readonly #connection: Connection;
  readonly #handlers: Readonly<Record<string, Handler>>;
  readonly #onDefect: (error: unknown) => void;
  #inFlight = 0;
  #inFlightBytes = 0;
  #paused = false;
  /** Received together with the one that was too much. */
  readonly #waiting: Message[] = [];
  #goingOn = false;

  constructor(
    connection: Connection,
    handlers: Readonly<Record<string, Handler>>,
    onDefect: (error: unknown) => void,
  ) {
    this.#connection = connection;
    this.#handlers = handlers;
    this.#onDefect = onDefect;
  }

  take(message: Message): void {
    if (this.#waiting.length > 0 || this.#isTooMuch()) {
      this.#waiting.push(message);
      if (!this.#paused) this.#pause();
    } else this.#begin(message);
  }

  /** Something was finished or read: perhaps there is room again. */
  goOn(): void {
    // One that is answered at once comes back here: the loop below goes on anyway.
    if (!this.#paused || this.#goingOn) return;
    this.#goingOn = true;
    while (this.#waiting.length > 0 && this.#connection.open && !this.#isTooMuch())
      this.#begin(this.#waiting.shift()!);
    this.#goingOn = false;
    if (this.#waiting.length > 0 || this.#isTooMuch()) return;
    this.#paused = false;
    this.#connection.resume();
  }

  #pause(): void {
    this.#paused = true;
    this.#connection.pause();
  }

  #isTooMuch(): boolean {
    return (
      this.#inFlight >= IN_FLIGHT_MAX ||
      this.#inFlightBytes >= IN_FLIGHT_BYTES_MAX ||
      this.#connection.backlogBytes >= UNREAD_BYTES_MAX
    );
  }

  #begin({ fields, blobs }: Message): void {
    const [word, id, kind] = fields;
    const handler =
      typeof kind === 'string' && Object.hasOwn(this.#handlers, kind) ? this.#handlers[kind] : undefined;
    if (word !== 'ask' || !Number.isSafeInteger(id) || !handler)
      return this.#connection.cutOff(`not a request: ${inShort(word)} ${inShort(id)} ${inShort(kind)}`);
    let bytes = 0;
    for (const blob of blobs) bytes += blob.length;
    this.#inFlight++;
    this.#inFlightBytes += bytes;
    let answer: Answer | Promise<Answer>;
    try {
      answer = handler(fields.slice(3), blobs, this.#connection);
    } catch (error) {
      return this.#refuse(id as number, bytes, error);
    }
    if (!(answer instanceof Promise)) return this.#answer(id as number, bytes, answer);
    answer.then(
      (given) => this.#answer(id as number, bytes, given),
      (error: unknown) => this.#refuse(id as number, bytes, error),
    );
  }

  #answer(id: number, bytes: number, { results, blobs }: Answer): void {
    this.#end(bytes, ['answer', id, ...results], blobs);
  }

  #refuse(id: number, bytes: number, error: unknown): void {
    const refusal = refusalOf(error);
    if (!refusal) this.#onDefect(error);
    const [word, ...fields] = refusal ?? [
      'fault',
      'Unavailable',
      'the node failed to answer; it wrote down why',
      null,
    ];
    this.#end(bytes, [word, id, ...fields], []);
  }

  #end(bytes: number, fields: readonly unknown[], blobs: readonly Uint8Array[]): void {
    this.#inFlight--;
    this.#inFlightBytes -= bytes;
    try {
      this.#connection.send(fields, blobs);
    } catch (error) {
      this.#onDefect(error);
      this.#connection.close('an answer cannot be put into a frame');
    }
    if (this.#paused) this.goOn();
  }
}

/** What is told to the asker; undefined: a defect, of which the asker learns nothing. */
function refusalOf(error: unknown): [word: string, ...fields: unknown[]] | undefined {
  if (error instanceof Rejected) return ['rejected', error.rejection];
  if (error instanceof Fault) return ['fault', error.code, error.message, error.hint ?? null];
  return undefined;
}

/** For a log line: whatever came, in a few letters. */
function inShort(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : typeof value;
}
