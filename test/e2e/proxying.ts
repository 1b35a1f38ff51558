/** The front door in proxy mode before servers of a test's own, which answer health checks as gateways do. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import pino from 'pino';
import { afterEach } from 'vitest';
import { createFrontDoor } from '../../gateways/front-door/front-door.ts';
import { connectNotices } from '../../storage-nodes/wire/nats-notices.ts';
import type { Notices } from '../../storage-nodes/wire/notices.ts';
import { until } from './cluster.ts';

export const SEAL_KEY = 'a key that clients do not know';
const logger = pino({ level: 'silent' });

/** For the tests of one file; what one of them opened ends with it. */
export function proxying() {
  let notices: Notices | undefined;
  let door: FastifyInstance | undefined;
  let servers: Server[] = [];

  const port = (): number => (door!.server.address() as AddressInfo).port;
  const url = (): string => `http://127.0.0.1:${port()}`;

  async function openBefore(addresses: readonly string[], serving: number): Promise<void> {
    notices ??= connectNotices({ port: 1, user: 'nobody', password: 'none', name: 'test', logger });
    const gateways = addresses.map((address, index) => ({ id: `gateway-${index}`, address }));
    door = createFrontDoor({ notices, logger, gateways, mode: 'proxy', sealKey: SEAL_KEY });
    await door.listen({ port: 0, host: '127.0.0.1' });
    await until('the gateways are found', async () => {
      const told = (await (await fetch(`${url()}/healthz`)).json()) as { gateways: number };
      return told.gateways === serving;
    });
  }

  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
    door?.server.closeAllConnections();
    await door?.close();
    await notices?.close();
    door = notices = undefined;
  });

  return {
    door: () => door!,
    servers: () => servers,
    port,
    url,
    /** Before servers that answer like this. */
    async open(...handlers: RequestListener[]): Promise<void> {
      servers = handlers.map((handler) =>
        createServer((asked, answer) =>
          asked.url === '/healthz' ? answer.end('{}') : handler(asked, answer),
        ),
      );
      await openBefore(await Promise.all(servers.map(listen)), handlers.length);
    },
    /** Before servers that do as they like, of which so many will be found. */
    async openBeforeThese(these: readonly Server[], serving: number): Promise<void> {
      servers = [...these];
      await openBefore(await Promise.all(servers.map(listen)), serving);
    },
  };
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
