/**
 * The front door: one address for everybody. It sends each client on to a live, least busy gateway (307,
 * which keeps method, path and query, on the host name that the client used) and takes no further part:
 * cookies hold for all ports of a host, so the client stays logged in whichever gateway it meets.
 */
import Fastify, {
  LogController,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Logger } from 'pino';
import type { Notices } from '../../storage-nodes/client/notices.ts';
import { Liveness } from '../liveness/liveness.ts';
import { hostNameOf, leastBusy, liveGateways, portOf, type Candidate, type Gateway } from './choice.ts';
import { takesConnections } from './reachable.ts';

const PROBE_MS = 1_000;

export type FrontDoorOptions = {
  readonly notices: Notices;
  readonly logger: Logger;
  /** The gateways known from the start; others are found by their heartbeats. */
  readonly gateways: readonly Gateway[];
  /** How the gateways are reached. Default: http. */
  readonly scheme?: 'http' | 'https';
};

/** A server to `listen` on; `close` ends its probes too. */
export function createFrontDoor(options: FrontDoorOptions): FastifyInstance {
  const { notices, logger, gateways, scheme = 'http' } = options;
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
  });
  const liveness = new Liveness(notices);
  const answering = new Set<string>();
  let turn = 0;

  const candidates = () => liveGateways(gateways, liveness.signs(), notices.connected(), answering);
  const probing = setInterval(() => {
    if (notices.connected()) answering.clear();
    else for (const gateway of gateways) void probe(gateway, answering, scheme);
  }, PROBE_MS);
  app.addHook('onClose', () => {
    clearInterval(probing);
    liveness.close();
  });

  // Bodies are not for us: whatever their type, they are left unread.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.get('/healthz', (_request, reply) => reply.send({ status: 'serving', gateways: candidates().length }));
  app.all('/*', async (request, reply) => {
    const hostName = hostNameOf(request.headers.host);
    if (hostName === undefined) return plain(reply, 400, 'The Host header is missing or malformed.');
    const chosen = await firstReachable(candidates(), turn++);
    if (chosen === undefined) return noGateway(reply);
    const location = `${scheme}://${hostName}:${portOf(chosen.address)}${pathOf(request)}`;
    return reply.header('cache-control', 'no-store').redirect(location, 307);
  });
  // A client that asks before it sends a large body is sent on before it does.
  app.server.on('checkContinue', (request, response) => app.server.emit('request', request, response));
  return app as unknown as FastifyInstance;
}

/** The least busy one that takes connections at this moment. */
async function firstReachable(gateways: readonly Candidate[], turn: number): Promise<Candidate | undefined> {
  let left = gateways;
  for (;;) {
    const chosen = leastBusy(left, turn);
    if (chosen === undefined || (await takesConnections(chosen.address))) return chosen;
    left = left.filter((gateway) => gateway !== chosen);
  }
}

async function probe(gateway: Gateway, answering: Set<string>, scheme: string): Promise<void> {
  try {
    const answer = await fetch(`${scheme}://${gateway.address}/healthz`, {
      signal: AbortSignal.timeout(PROBE_MS),
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`healthz answered ${answer.status}`);
    answering.add(gateway.id);
  } catch {
    answering.delete(gateway.id);
  }
}

/** RFC 9112 §3.2: a request's target may also be a whole URL. */
function pathOf(request: FastifyRequest): string {
  if (request.url.startsWith('/')) return request.url;
  if (!URL.canParse(request.url)) return '/';
  const { pathname, search } = new URL(request.url);
  return pathname + search;
}

function plain(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply.status(status).type('text/html; charset=utf-8').send(page(message));
}

function noGateway(reply: FastifyReply): FastifyReply {
  void reply.header('retry-after', 2);
  return plain(
    reply,
    503,
    'PennCloud cannot answer just now: no gateway is running. Please try again in a moment.',
  );
}

function page(message: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>PennCloud</title></head><body><main><h1>PennCloud</h1><p role="alert">${message}</p></main></body></html>`;
}
