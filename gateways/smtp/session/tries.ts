/**
 * Which message each connection is at, and whether its client has read the 250 to the last one (decision 0030): bytes
 * that come in after a reply was written prove that it was read; a connection that ends without any was broken.
 */
import { Repeats, type Attempt } from './repeats.ts';

type Connection = {
  /** Between the end of its data and the reply. */
  underWay: Attempt | undefined;
  /** Messages answered with 250, and how much the client had sent by then. */
  unread: { readonly attempt: Attempt; readonly at: number }[];
};

export class Tries {
  readonly #repeats = new Repeats(Date.now());
  readonly #connections = new Map<string, Connection>();
  readonly #bytesRead: (sessionId: string) => number;

  /** `bytesRead`: what came in over a session's connection so far. */
  constructor(bytesRead: (sessionId: string) => number) {
    this.#bytesRead = bytesRead;
  }

  opened(sessionId: string): void {
    this.#connections.set(sessionId, { underWay: undefined, unread: [] });
  }

  /** A message has come in whole. Followed by `kept` or `refused`. */
  begin(sessionId: string, fingerprint: string): Attempt {
    const attempt = this.#repeats.begin(fingerprint, Date.now());
    const connection = this.#connections.get(sessionId);
    if (connection) connection.underWay = attempt;
    return attempt;
  }

  /** Its 250 is written. */
  kept(sessionId: string, attempt: Attempt): void {
    attempt.answered(Date.now());
    const connection = this.#connections.get(sessionId);
    if (!connection) return attempt.broke();
    connection.underWay = undefined;
    connection.unread.push({ attempt, at: this.#bytesRead(sessionId) });
  }

  refused(sessionId: string, attempt: Attempt): void {
    attempt.broke();
    const connection = this.#connections.get(sessionId);
    if (connection) connection.underWay = undefined;
  }

  /** The client has said something. */
  goesOn(sessionId: string): void {
    const connection = this.#connections.get(sessionId);
    if (!connection) return;
    const read = this.#bytesRead(sessionId);
    for (const { attempt, at } of connection.unread) if (read > at) attempt.read();
    connection.unread = connection.unread.filter(({ at }) => read <= at);
  }

  /** The connection is over. Requires that `bytesRead` still knows it. */
  ended(sessionId: string): void {
    this.goesOn(sessionId);
    const connection = this.#connections.get(sessionId);
    this.#connections.delete(sessionId);
    for (const { attempt } of connection?.unread ?? []) attempt.broke();
    connection?.underWay?.broke();
  }
}
