/**
 * A gateway: the pages and the console behind one HTTP server. It keeps nothing that matters: kill it at
 * any moment, and another one answers the next request. What every answer has in common is set up here:
 * security headers, compression, cookies, forms, templates, and how an error is told.
 */
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

/** Large enough for the longest message that the compose form takes, percent-encoded. */
const FORM_BYTES_MAX = 8 * 1024 * 1024;

export async function createGatewayApp(options: {
  deps: GatewayDeps;
  logger: Logger;
}): Promise<FastifyInstance> {
  const { deps, logger } = options;
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: FORM_BYTES_MAX,
    // Uploads take as long as they take; a client that sends no headers is still cut off by Node.
    requestTimeout: 0,
    keepAliveTimeout: 75_000,
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
    // Before any hook has run: there are no cookies and no templates yet.
    frameworkErrors: (_error, _request, reply) => unreadable(reply as FastifyReply),
  }) as unknown as FastifyInstance;
  const pages = new Pages(deps);
  const failed = (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
    answerError(pages, error, request, reply);

  countLoad(app);
  app.decorateRequest('visit', undefined);
  const assets = assetUrls();
  await app.register(helmet, headers(deps.cookieSecure));
  await app.register(compress, { threshold: 1024, encodings: ['br', 'gzip'] });
  await app.register(cookie);
  await app.register(formbody, { bodyLimit: FORM_BYTES_MAX });
  await app.register(multipart, { throwFileSizeLimit: true });
  await app.register(rateLimit, { global: false, keyGenerator: (request) => network(request.ip) });
  await registerTemplates(app, assets);
  await registerAssets(app, assets);

  app.setErrorHandler((error: FastifyError, request, reply) => failed(error, request, reply));
  app.setNotFoundHandler(async (request, reply) => {
    await pages.visits.find(request);
    return failed(notFound('There is no page at this address.'), request, reply);
  });
  app.get('/healthz', (_request, reply) => reply.send({ status: 'serving', id: deps.gatewayId }));
  registerWeb(app, deps);
  registerAdmin(app, deps);
  return app;
}

/** Everything a page may load comes from this gateway; nothing inline, nothing from elsewhere. */
function headers(secure: boolean) {
  const self = ["'self'"];
  return {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: self,
        styleSrc: self,
        imgSrc: ["'self'", 'data:'],
        connectSrc: self,
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
    strictTransportSecurity: secure && { maxAge: 180 * 24 * 3600 },
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
