/**
 * The open connections of one server: how many requests are in flight on each, and which are idle.
 *
 * Node counts a connection as idle as soon as `response.end()` was called, while megabytes may still wait
 * for a slow reader: `closeIdleConnections`, which `server.close` calls, cuts them off. Here a
 * connection is idle when every answer has been handed to the system and nothing of a next request
 * has come. This takes Node's place on the server.
 *
 * So many connections at most: with one more, the one idle for longest is closed. And so many requests at
 * once on one connection: Node begins every request that it has read, however many wait for their answers.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';

/** Clients send one after the other; the few that do not send a handful. */
const PIPELINED_MAX = 64;

type State = {
  inFlight: number;
  /** How many bytes had been read when it became idle. */
  readonly idleAt: { bytesRead: number };
};

export class Connections {
  /** Those idle for longest come first. */
  readonly #open = new Map<Socket, State>();
  readonly #max: number;

  constructor(server: Server, { connectionsMax }: { connectionsMax: number }) {
    this.#max = connectionsMax;
    server.closeIdleConnections = () => this.closeIdle();
    // Connections that still shake hands count here alone.
    server.maxConnections = connectionsMax + Math.ceil(connectionsMax / 4);
    server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) =>
      this.#add(socket),
    );
    const begun = (request: IncomingMessage, response: ServerResponse): void =>
      this.#begin(request.socket, response);
    server.prependListener('request', begun);
  }

  get size(): number {
    return this.#open.size;
  }

  get requestsInFlight(): number {
    let count = 0;
    for (const { inFlight } of this.#open.values()) count += inFlight;
    return count;
  }

  /** Requests on this connection whose answers are not yet sent. */
  inFlight(socket: Socket): number {
    return this.#open.get(socket)?.inFlight ?? 0;
  }

  closeIdle(): void {
    for (const [socket, state] of this.#open) if (isIdle(socket, state)) socket.destroySoon();
  }

  #add(socket: Socket): void {
    this.#open.set(socket, { inFlight: 0, idleAt: { bytesRead: socket.bytesRead } });
    socket.once('close', () => this.#open.delete(socket));
    if (this.#open.size > this.#max) this.#makeRoom();
  }

  #begin(socket: Socket, response: ServerResponse): void {
    const state = this.#open.get(socket);
    if (state === undefined) return;
    if (++state.inFlight > PIPELINED_MAX) socket.destroy();
    response.once('close', () => {
      if (--state.inFlight > 0 || !this.#open.has(socket)) return;
      state.idleAt.bytesRead = socket.bytesRead;
      this.#open.delete(socket);
      this.#open.set(socket, state);
    });
  }

  #makeRoom(): void {
    for (const [socket, { inFlight }] of this.#open) {
      if (inFlight > 0) continue;
      this.#open.delete(socket);
      socket.destroy();
      return;
    }
  }
}

function isIdle(socket: Socket, { inFlight, idleAt }: State): boolean {
  return inFlight === 0 && socket.bytesRead === idleAt.bytesRead;
}
