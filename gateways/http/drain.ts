/**
 * Leaving without cutting anything off:
 *
 *   announce   the health check says "draining"; answers carry `connection: close`
 *   linger     whoever was sent here a moment ago still arrives and is served
 *   close      nobody new; live streams end; idle connections are closed as they become idle
 *   wait       for the requests in flight, up to a limit; what is left then is cut
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Connections } from './connections.ts';

declare module 'fastify' {
  interface FastifyInstance {
    drain: Drain;
  }
}

const LOOK_EVERY_MS = 50;

export type DrainTimes = { readonly lingerMs: number; readonly limitMs: number };

/** Nobody is waited for. */
export const AT_ONCE: DrainTimes = { lingerMs: 0, limitMs: 0 };

export class Drain {
  readonly #app: FastifyInstance;
  readonly #connections: () => Connections;
  #announced = false;

  constructor(app: FastifyInstance, connections: () => Connections) {
    this.#app = app;
    this.#connections = connections;
    app.addHook('onSend', (request, reply, payload, done) => {
      if (this.#announced) this.#sayLast(request, reply);
      done(null, payload);
    });
  }

  get announced(): boolean {
    return this.#announced;
  }

  /** Requests whose answers are not yet sent. */
  get inFlight(): number {
    return this.#connections().requestsInFlight;
  }

  announce(): void {
    this.#announced = true;
  }

  /** Resolves with how many requests had to be cut, once the server is closed. */
  async finish({ lingerMs, limitMs }: DrainTimes): Promise<number> {
    this.announce();
    await sleep(lingerMs);
    const { server } = this.#app;
    const deadline = performance.now() + limitMs;
    let cut = 0;
    const looking = setInterval(() => {
      if (performance.now() < deadline) return this.#connections().closeIdle();
      cut = Math.max(cut, this.inFlight);
      server.closeAllConnections();
    }, LOOK_EVERY_MS);
    try {
      await this.#app.close();
    } finally {
      clearInterval(looking);
    }
    return cut;
  }

  /** With several requests sent at once, only the last answer may close the connection. */
  #sayLast(request: FastifyRequest, reply: FastifyReply): void {
    if (this.#connections().inFlight(request.raw.socket) <= 1) void reply.header('connection', 'close');
  }
}
