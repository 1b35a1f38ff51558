/**
 * The server under a gateway and under the front door: HTTP, or HTTPS with a certificate, with the limits
 * that keep a few clients from holding it: a head comes within seconds and fits into 16 KiB, a
 * connection on which nothing moves for two minutes is closed, and so many are open at most. Bodies
 * take as long as they take.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Certificate } from './certificate.ts';
import { Connections } from './connections.ts';
import { readHead } from './request-head.ts';

const LIMITS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 15_000,
  connectionsCheckingInterval: 2_000,
  requestTimeout: 0,
  // Longer than other servers keep theirs to us, so that it is the client who lets go.
  keepAliveTimeout: 75_000,
};
const STILL_MS = 120_000;
const HANDSHAKE_MS = 10_000;
const CONNECTIONS_MAX = 5_000;

export type Listener = { readonly server: Server; readonly connections: Connections };

export function createListener(
  handler: RequestListener,
  options: { certificate?: Certificate | undefined; connectionsMax?: number } = {},
): Listener {
  const { certificate, connectionsMax = CONNECTIONS_MAX } = options;
  const server = certificate
    ? createTlsServer({ ...LIMITS, ...certificate, handshakeTimeout: HANDSHAKE_MS })
    : createServer(LIMITS);
  server.timeout = STILL_MS;
  server.on('request', plain(handler));
  return { server, connections: new Connections(server, { connectionsMax }) };
}

/**
 * Hands on requests whose head is plain, with their host and path in one form. After one that is not, the
 * connection is not read on: nobody knows where the next one would begin.
 */
function plain(handler: RequestListener): RequestListener {
  const refused = new WeakSet<Socket>();
  return (request, response) => {
    if (refused.has(request.socket) || request.socket.destroyed) return;
    const head = readHead(request);
    if (typeof head === 'string') {
      refused.add(request.socket);
      response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
      response.end(`${head}\n`);
      return;
    }
    request.url = head.path;
    if (head.host !== '') request.headers.host = head.host;
    handler(request, response);
  };
}
