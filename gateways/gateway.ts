/**
 * A gateway: the pages and the console behind one HTTP server. It keeps nothing that matters: kill it at
 * any moment, and another one answers the next request. What every answer has in common is set up here:
 * security headers, compression, cookies, forms, templates, and how an error is told.
 */
import type { IncomingMessage } from 'node:http';
import compress from '@fastify/compress';
import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import helmet from '@fastify/helmet';
import multipart from '@fastify/multipart';
import rateLimit from '@fastify/rate-limit';
import Fastify, {
  LogController,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Logger } from 'pino';
import { registerAdmin } from './admin/admin.ts';
import type { Certificate } from './http/certificate.ts';
import { Drain } from './http/drain.ts';
import { believeSealed } from './http/forwarded.ts';
import { createListener, type Listener } from './http/listener.ts';
import { hostNameOf } from './http/request-head.ts';
import { assetUrls, registerAssets } from './pages/assets.ts';
import type { GatewayDeps } from './pages/deps.ts';
import { network } from './pages/network.ts';
import { Pages } from './pages/pages.ts';
import { LoggedOut, notFound, tell, type Telling } from './pages/refusals.ts';
import { registerTemplates } from './pages/templates.ts';
import { registerWeb } from './web/web.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Requests in flight: the load that the front door compares. Open live streams do not count. */
    load(): number;
  }
}

export type GatewayOptions = {
  readonly deps: GatewayDeps;
  readonly logger: Logger;
  /** With one, HTTPS is spoken. */
  readonly certificate?: Certificate | undefined;
  /** The key that the front door seals with where a request comes from; without one nobody is believed. */
  readonly sealKey?: string;
  /** Where a page finds the front door when this gateway is gone: its port, on the host name that the client used. */
  readonly frontDoorPort?: number | undefined;
};

/** Large enough for the longest message that the compose form takes, percent-encoded. */
const FORM_BYTES_MAX = 8 * 1024 * 1024;

export async function createGatewayApp(options: GatewayOptions): Promise<FastifyInstance> {
  const { deps, logger, certificate, sealKey, frontDoorPort } = options;
  let listener: Listener | undefined;
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: FORM_BYTES_MAX,
    serverFactory: (handler) => (listener = createListener(handler, { certificate })).server,
    forceCloseConnections: 'idle',
    // Requests on connections that are still open while it stops are served like any other.
    return503OnClosing: false,
    // Of what says where a request comes from, only what the front door sealed is left (below).
    trustProxy: true,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
    // Before any hook has run: there are no cookies and no templates yet.
    frameworkErrors: (_error, _request, reply) => unreadable(reply as FastifyReply),
  }) as unknown as FastifyInstance;
  const pages = new Pages(deps);
  const failed = (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
    answerError(pages, error, request, reply);

  app.addHook('onRequest', (request, _reply, done) => {
    believeSealed(sealKey, request.raw.headers);
    done();
  });
  countLoad(app);
  const drain = new Drain(app, () => listener!.connections);
  app.decorate('drain', drain);
  app.decorateRequest('visit', undefined);
  const assets = assetUrls();
  await app.register(helmet, headers(deps.cookieSecure, frontDoorPort));
  await app.register(compress, { threshold: 1024, encodings: ['br', 'gzip'] });
  await app.register(cookie);
  await app.register(formbody, { bodyLimit: FORM_BYTES_MAX });
  await app.register(multipart, { throwFileSizeLimit: true });
  await app.register(rateLimit, { global: false, keyGenerator: (request) => network(request.ip) });
  await registerTemplates(app, assets, frontDoorPort);
  await registerAssets(app, assets);

  app.setErrorHandler((error: FastifyError, request, reply) => failed(error, request, reply));
  app.setNotFoundHandler(async (request, reply) => {
    await pages.visits.find(request);
    return failed(notFound('There is no page at this address.'), request, reply);
  });
  app.get('/healthz', { logLevel: 'silent' }, (_request, reply) => {
    const status = drain.announced ? 'draining' : 'serving';
    return reply
      .status(drain.announced ? 503 : 200)
      .header('cache-control', 'no-store')
      .send({ status, id: deps.gatewayId });
  });
  registerWeb(app, deps);
  registerAdmin(app, deps);
  return app;
}

/**
 * Everything a page may load comes from this gateway; nothing inline, nothing from elsewhere. The script may
 * ask the front door, on the same host, for its health.
 */
function headers(secure: boolean, frontDoorPort: number | undefined) {
  const self = ["'self'"];
  const frontDoor = (request: IncomingMessage): string => {
    const name = frontDoorPort === undefined ? undefined : hostNameOf(request.headers.host);
    return name === undefined ? "'self'" : `${secure ? 'https' : 'http'}://${name}:${frontDoorPort}`;
  };
  return {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: self,
        styleSrc: self,
        imgSrc: ["'self'", 'data:'],
        connectSrc: ["'self'", frontDoor],
        frameSrc: self,
        formAction: self,
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    // Not no-referrer: under that policy browsers send `Origin: null` with forms, which the check refuses.
    referrerPolicy: { policy: 'same-origin' as const },
    // The front door, on another port of this host, does not send it; browsers want one answer per origin.
    originAgentCluster: false,
    strictTransportSecurity: secure && { maxAge: 180 * 24 * 3600, includeSubDomains: false },
  };
}

function countLoad(app: FastifyInstance): void {
  let inFlight = 0;
  app.decorate('load', () => inFlight);
  app.addHook('onRequest', (request, reply, done) => {
    if (request.routeOptions.url !== '/live') {
      inFlight++;
      reply.raw.once('close', () => inFlight--);
    }
    done();
  });
}

function answerError(
  pages: Pages,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (error instanceof LoggedOut) return leadToLogIn(request, reply);
  const told = tell(error) ?? defect(error, request);
  if (told.retryAfterS !== undefined) void reply.header('retry-after', told.retryAfterS);
  return pages.show(request, reply, {
    title: told.title,
    template: 'pages/error.hbs',
    status: told.status,
    alert: told.message,
  });
}

function unreadable(reply: FastifyReply): FastifyReply {
  return reply
    .status(400)
    .header('content-security-policy', "default-src 'none'")
    .type('text/html; charset=utf-8')
    .send(
      '<!doctype html><title>PennCloud</title><h1>Malformed</h1><p role="alert">This address is malformed: please check it.</p>',
    );
}

/** A page that was asked for waits behind the log-in; what was sent by a form cannot. */
function leadToLogIn(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const readable = request.method === 'GET' || request.method === 'HEAD';
  const next = readable && request.url !== '/' ? `?next=${encodeURIComponent(request.url)}` : '?ended=1';
  return reply.header('cache-control', 'no-store').redirect(`/${next}`, 303);
}

function defect(error: unknown, request: FastifyRequest): Telling {
  request.log.error({ err: error, request: request.id, url: request.url }, 'request failed');
  return {
    status: 500,
    title: 'Something went wrong',
    message: `Something went wrong on our side, and it has been noted (${request.id}). Please try again.`,
  };
}
