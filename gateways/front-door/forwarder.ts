/**
 * Proxy mode: a request goes on to a gateway and its answer comes back, both streamed, a few tens of
 * kilobytes in between however long they are. Of the gateways the client sees nothing: when one dies, the
 * next request is another one's.
 *
 * Sent again is only what nobody can have begun: a request whose connection was not made; and a GET or HEAD
 * without a body, which changes nothing, until its answer has begun. Everything else goes once, on a
 * connection of its own: on a kept one that closes at that moment nobody could tell.
 */
import {
  Agent,
  request as send,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { sealedOrigin } from '../http/forwarded.ts';
import { leastBusy, placeOf, type Candidate } from './choice.ts';
import type { GatewayWatch } from './gateway-watch.ts';
import { hasBody, requestLines, responseLines } from './header-lines.ts';

const CONNECT_MS = 1_000;
const LOOK_EVERY_MS = 500;

/**
 * `unsent`: nothing was begun. `stale`: it went on a kept connection that was about to close. `lost`: it was
 * begun, and no answer came. `frozen`: none came for too long.
 */
type Outcome = 'answered' | 'unsent' | 'stale' | 'lost' | 'frozen';
/** Of a request that got no answer. `none`: no gateway took it. */
export type Failure = 'none' | 'lost' | 'frozen';

type Attempt = {
  readonly gateway: Candidate;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** On a connection that was used before, if there is one. */
  readonly kept: boolean;
  /** Whether the request could be sent to another gateway now. */
  readonly elsewhere: () => boolean;
};

export type ForwarderOptions = {
  readonly watch: Pick<GatewayWatch, 'candidates' | 'isFrozen' | 'isSilent'>;
  readonly sealKey: string;
  /** As the client speaks to the front door. */
  readonly proto: 'http' | 'https';
};

export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #kept = new Agent({ keepAlive: true, maxFreeSockets: 64, scheduling: 'lifo' });
  /** Answers that have no end of their own. */
  readonly #live = new Set<ServerResponse>();
  /** By gateway: requests on their way. Live streams do not count once they are open. */
  readonly #inFlight = new Map<string, number>();
  #turn = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** Resolves when the answer is on its way (undefined), or with why there is none; then nothing was written. */
  async forward(request: IncomingMessage, response: ServerResponse): Promise<Failure | undefined> {
    const mayRepeat = (request.method === 'GET' || request.method === 'HEAD') && !hasBody(request);
    const tried = new Set<string>();
    let failure: Failure = 'none';
    let kept = mayRepeat;
    for (;;) {
      const gateway = leastBusy(this.#left(tried), this.#turn++);
      if (gateway === undefined || response.destroyed) return failure;
      const elsewhere = (): boolean => mayRepeat && this.#left(tried).length > 0;
      tried.add(gateway.id);
      const outcome = await this.#attempt({ gateway, request, response, kept, elsewhere });
      if (outcome === 'answered') return undefined;
      kept = false;
      if (outcome === 'stale') tried.delete(gateway.id);
      if (outcome === 'stale' || outcome === 'unsent') continue;
      failure = outcome;
      if (!mayRepeat) return failure;
    }
  }

  /** Ends live streams: they would keep this process from leaving, and their pages open others. */
  endLive(): void {
    for (const response of this.#live) response.end();
  }

  close(): void {
    this.#kept.destroy();
  }

  #left(tried: ReadonlySet<string>): Candidate[] {
    const left = this.#options.watch.candidates().filter(({ id }) => !tried.has(id));
    // What goes through here is known to the moment; a heartbeat is up to a second old.
    return left.map((gateway) => ({ ...gateway, load: this.#inFlight.get(gateway.id) ?? 0 }));
  }

  #attempt(attempt: Attempt): Promise<Outcome> {
    const { gateway, request, response, kept, elsewhere } = attempt;
    const { watch } = this.#options;
    return new Promise((resolve) => {
      const upstream = send({
        ...placeOf(gateway.address),
        method: request.method,
        path: request.url,
        headers: this.#headersFor(request),
        agent: kept ? this.#kept : false,
      });
      let [connected, answered, frozen] = [false, false, false];
      const settle = this.#count(gateway.id, resolve);
      whenConnected(upstream, () => {
        connected = true;
        sendBody(request, response, upstream);
      });
      const looking = setInterval(() => {
        const better = !answered && watch.isSilent(gateway.id) && elsewhere();
        if (!better && !watch.isFrozen(gateway.id)) return;
        frozen = true;
        upstream.destroy();
      }, LOOK_EVERY_MS);
      // The client has gone: so may the gateway's work.
      const left = (): void => void upstream.destroy();
      response.once('close', left);
      upstream.on('response', (answer) => {
        answered = true;
        if (isLive(answer)) {
          this.#live.add(response);
          response.once('close', () => this.#live.delete(response));
        }
        giveBack(answer, response);
        settle('answered');
      });
      upstream.on('error', () => {
        // What it means is told by `close`, which follows.
      });
      upstream.on('close', () => {
        clearInterval(looking);
        response.off('close', left);
        // What still comes of a refused body goes by, so that the client gets to read the answer.
        request.unpipe(upstream);
        if (connected && !request.complete) request.resume();
        settle(frozen ? 'frozen' : !connected ? 'unsent' : kept && upstream.reusedSocket ? 'stale' : 'lost');
      });
    });
  }

  #headersFor(request: IncomingMessage): Record<string, string | string[]> {
    const host = request.headers.host ?? '';
    const { sealKey, proto } = this.#options;
    const lines = requestLines(request);
    return {
      ...lines,
      ...(request.headers['transfer-encoding'] !== undefined && { 'transfer-encoding': 'chunked' }),
      host,
      via: [lines['via'] ?? [], `${request.httpVersion} penncloud`].flat(),
      ...sealedOrigin(sealKey, { address: request.socket.remoteAddress ?? '0.0.0.0', host, proto }),
    };
  }

  /** Counts the request until its outcome is known; for the first word only. */
  #count(id: string, resolve: (outcome: Outcome) => void): (outcome: Outcome) => void {
    this.#inFlight.set(id, (this.#inFlight.get(id) ?? 0) + 1);
    let settled = false;
    return (outcome) => {
      if (settled) return;
      settled = true;
      this.#inFlight.set(id, this.#inFlight.get(id)! - 1);
      resolve(outcome);
    };
  }
}

/** A connection that is not made in time is given up; then nothing was sent. */
function whenConnected(upstream: ClientRequest, then: () => void): void {
  upstream.once('socket', (socket) => {
    if (!socket.connecting) return then();
    const timer = setTimeout(() => upstream.destroy(), CONNECT_MS);
    upstream.once('close', () => clearTimeout(timer));
    socket.once('connect', () => {
      clearTimeout(timer);
      then();
    });
  });
}

function sendBody(request: IncomingMessage, response: ServerResponse, upstream: ClientRequest): void {
  if (!hasBody(request)) return void upstream.end();
  // Not a pipeline: a gateway that refuses the body must not take the client's connection with it.
  if (request.headers.expect === undefined) return void request.pipe(upstream);
  // RFC 9110 §10.1.1: the gateway decides whether it wants the body.
  upstream.once('continue', () => {
    response.writeContinue();
    request.pipe(upstream);
  });
  // It may answer without ever asking for the body: then this request will have no end of its own.
  upstream.once('response', (answer) => answer.once('end', () => upstream.destroy()));
  upstream.flushHeaders();
}

function isLive({ headers }: IncomingMessage): boolean {
  return headers['content-type']?.startsWith('text/event-stream') === true;
}

function giveBack(answer: IncomingMessage, response: ServerResponse): void {
  response.sendDate = false;
  response.writeHead(answer.statusCode!, answer.statusMessage, responseLines(answer));
  // A live stream says nothing at first, yet the page must know that it is open.
  response.flushHeaders();
  answer.pipe(response);
  // One that breaks off must not look like one that has ended.
  answer.once('close', () => {
    if (!answer.complete) response.destroy();
  });
}
