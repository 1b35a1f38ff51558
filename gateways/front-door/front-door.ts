/**
 * The front door: one address for everybody, in one of two ways (decision 0019).
 *
 *   redirect   each client is sent on to a live, least busy gateway (307, which keeps method, path and query,
 *              on the host name that the client used); cookies hold for all ports of a host, so the client
 *              stays logged in whichever gateway it meets
 *   proxy      each request goes on to a gateway and its answer comes back: people see this one address
 */
import type { IncomingMessage } from 'node:http';
import Fastify, {
  LogController,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Logger } from 'pino';
import type { Notices } from '../../storage-nodes/client/notices.ts';
import type { Certificate } from '../http/certificate.ts';
import { Drain } from '../http/drain.ts';
import { createListener, type Listener } from '../http/listener.ts';
import { hostNameOf } from '../http/request-head.ts';
import { leastBusy, placeOf, type Candidate, type Gateway } from './choice.ts';
import { Forwarder, type Failure } from './forwarder.ts';
import { GatewayWatch } from './gateway-watch.ts';
import { takesConnections } from './health-check.ts';

export type FrontDoorOptions = {
  readonly notices: Notices;
  readonly logger: Logger;
  /** The gateways known from the start; others are found by their heartbeats. */
  readonly gateways: readonly Gateway[];
  readonly mode: 'redirect' | 'proxy';
  /** With one, HTTPS is spoken; in redirect mode by the gateways too. */
  readonly certificate?: Certificate | undefined;
  /** Proxy mode: seals the client's address for the gateways. */
  readonly sealKey?: string;
};

/** A server to `listen` on; `close` ends its health checks too. */
export function createFrontDoor(options: FrontDoorOptions): FastifyInstance {
  const { notices, logger, gateways, mode, certificate, sealKey = '' } = options;
  const proto = certificate ? 'https' : 'http';
  let listener: Listener | undefined;
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    serverFactory: (handler) => (listener = createListener(handler, { certificate })).server,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    frameworkErrors: (_error, _request, reply) =>
      tell(reply as FastifyReply, 400, 'This address is malformed: please check it.'),
  }) as unknown as FastifyInstance;
  const drain = new Drain(app, () => listener!.connections);
  app.decorate('drain', drain);
  const watch = new GatewayWatch({
    notices,
    configured: gateways,
    scheme: mode === 'proxy' ? 'http' : proto,
  });
  const forwarder = new Forwarder({ watch, sealKey, proto });
  app.addHook('preClose', (done) => {
    forwarder.endLive();
    done();
  });
  app.addHook('onClose', () => {
    watch.close();
    forwarder.close();
  });
  if (certificate) {
    app.addHook('onRequest', (_request, reply, done) => {
      reply.raw.setHeader('strict-transport-security', `max-age=${180 * 24 * 3600}`);
      done();
    });
  }

  // Bodies are not for us: whatever their type, they are left unread.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  // The page of a gateway that is gone asks from that gateway's port.
  app.get('/healthz', (_request, reply) =>
    reply
      .header('access-control-allow-origin', '*')
      .header('cache-control', 'no-store')
      .send({ status: drain.announced ? 'draining' : 'serving', gateways: watch.candidates().length }),
  );
  let turn = 0;
  app.all('/*', async (request, reply) => {
    if (mode === 'proxy') return carry(forwarder, drain, request, reply);
    const hostName = hostNameOf(request.headers.host);
    if (hostName === undefined) return tell(reply, 400, 'The Host line is missing.');
    const chosen = await firstReachable(watch.candidates(), turn++);
    if (chosen === undefined) return unanswered(reply, 'none');
    const place = `${hostName}:${placeOf(chosen.address).port}`;
    return reply.header('cache-control', 'no-store').redirect(`${proto}://${place}${request.url}`, 307);
  });
  // A client that asks before it sends a large body is answered before it does.
  app.server.on('checkContinue', (request: IncomingMessage, response) =>
    app.server.emit('request', request, response),
  );
  return app;
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

async function carry(
  forwarder: Forwarder,
  drain: Drain,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (drain.announced) reply.raw.setHeader('connection', 'close');
  const failure = await forwarder.forward(request.raw, reply.raw);
  if (failure === undefined || reply.raw.destroyed) return reply.hijack();
  return unanswered(reply, failure);
}

const NO_ANSWER = {
  none: [503, 'PennCloud cannot answer just now: no gateway is running. Please try again in a moment.'],
  lost: [
    502,
    'The connection broke while PennCloud was working: this may or may not have been done. Open the page again to see.',
  ],
  frozen: [
    504,
    'PennCloud did not answer in time: this may or may not have been done. Open the page again to see.',
  ],
} as const;

function unanswered(reply: FastifyReply, failure: Failure): FastifyReply {
  const [status, message] = NO_ANSWER[failure];
  // What still comes of a body that nobody reads would be taken for a next request.
  if (!reply.request.raw.complete) void reply.header('connection', 'close');
  return tell(reply.header('retry-after', 2), status, message);
}

function tell(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply
    .status(status)
    .headers({ 'cache-control': 'no-store', 'content-security-policy': "default-src 'none'" })
    .type('text/html; charset=utf-8')
    .send(
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>PennCloud</title></head><body><main><h1>PennCloud</h1><p role="alert">${message}</p></main></body></html>`,
    );
}
