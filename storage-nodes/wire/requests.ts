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

type Waiting = { resolve: (answer: Answer) => void; reject: (error: Error) => void };

/** The asking side. */
export class Requester {
  readonly connection: Connection;
  onPush: (fields: readonly unknown[]) => void = () => {};
  onClose: () => void = () => {};
  #waiting = new Map<number, Waiting>();
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
      if (!this.connection.open) return reject(new Fault('Closed', 'the connection is closed'));
      if (this.connection.backlogBytes > UNSENT_BYTES_MAX)
        return reject(new Fault('Overloaded', 'the other side does not read its requests now; try again'));
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      try {
        this.connection.send(['ask', id, kind, ...args], blobs);
      } catch (error) {
        this.#waiting.delete(id);
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  get inFlight(): number {
    return this.#waiting.size;
  }

  close(): void {
    this.connection.close('no longer needed');
  }

  #received({ fields, blobs }: Message): void {
    const [word, id, ...rest] = fields;
    if (word === 'push') return this.onPush(fields.slice(1));
    const waiting = this.#waiting.get(id as number);
    if (!waiting) return;
    this.#waiting.delete(id as number);
    if (word === 'answer') waiting.resolve({ results: rest, blobs });
    else if (word === 'rejected') waiting.reject(new Rejected(rest[0] as Rejection));
    else waiting.reject(toFault(rest));
  }

  #closed(reason: string): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new Fault('Closed', `the connection broke: ${reason}`));
    this.onClose();
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
const IN_FLIGHT_MAX = 256;
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
  let inFlight = 0;
  let inFlightBytes = 0;
  let paused = false;
  /** Received together with the one that was too much. */
  const waiting: Message[] = [];
  const isTooMuch = (): boolean =>
    inFlight >= IN_FLIGHT_MAX ||
    inFlightBytes >= IN_FLIGHT_BYTES_MAX ||
    connection.backlogBytes >= UNREAD_BYTES_MAX;

  const begin = ({ fields, blobs }: Message): void => {
    const [word, id, kind, ...args] = fields;
    const handler = typeof kind === 'string' && Object.hasOwn(handlers, kind) ? handlers[kind] : undefined;
    if (word !== 'ask' || typeof id !== 'number' || !handler)
      return connection.close(`an unknown request: ${String(word)} ${String(kind)}`);
    const bytes = blobs.reduce((sum, blob) => sum + blob.length, 0);
    inFlight++;
    inFlightBytes += bytes;
    void answer(connection, id, async () => handler(args, blobs, connection), onDefect)
      .catch((error: unknown) => {
        onDefect(error);
        connection.close('an answer cannot be put into a frame');
      })
      .then(() => {
        inFlight--;
        inFlightBytes -= bytes;
        goOn();
      });
  };
  const goOn = (): void => {
    while (waiting.length > 0 && connection.open && !isTooMuch()) begin(waiting.shift()!);
    const mustPause = waiting.length > 0 || isTooMuch();
    if (mustPause === paused) return;
    paused = mustPause;
    if (paused) connection.pause();
    else connection.resume();
  };
  connection.onDrained = goOn;
  connection.onMessage = (message) => {
    waiting.push(message);
    goOn();
  };
  connection.start();
}

async function answer(
  connection: Connection,
  id: number,
  handle: () => Promise<Answer>,
  onDefect: (error: unknown) => void,
): Promise<void> {
  try {
    const { results, blobs } = await handle();
    connection.send(['answer', id, ...results], blobs);
  } catch (error) {
    const refusal = refusalOf(error);
    if (!refusal) onDefect(error);
    connection.send(
      refusal
        ? [refusal[0], id, ...refusal.slice(1)]
        : ['fault', id, 'Unavailable', 'the node failed to answer; it wrote down why', null],
    );
  }
}

/** What is told to the asker; undefined: a defect, of which the asker learns nothing. */
function refusalOf(error: unknown): [word: string, ...fields: unknown[]] | undefined {
  if (error instanceof Rejected) return ['rejected', error.rejection];
  if (error instanceof Fault) return ['fault', error.code, error.message, error.hint ?? null];
  return undefined;
}
