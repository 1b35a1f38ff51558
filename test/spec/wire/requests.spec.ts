/** The answering side of a connection: bounds, and handlers that are given nonsense. */
import { createServer, type Server, type Socket } from 'node:net';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Rejected } from '../../../storage-nodes/client/client.ts';
import { accept, dial, type Connection } from '../../../storage-nodes/wire/connection.ts';
import { Requester, serve, type Handler } from '../../../storage-nodes/wire/requests.ts';

const SECRET = 'a secret';
const MIB = 1024 * 1024;
const logger = pino({ level: 'silent' });
let server: Server;
let port: number;
let serving: Connection[];
let defects: unknown[];
let asked: number;
const sockets = new Set<Socket>();

const handlers: Record<string, Handler> = {
  megabyte: () => {
    asked++;
    return { results: [], blobs: [Buffer.alloc(MIB / 4)] };
  },
  slow: async () => {
    asked++;
    return new Promise(() => {});
  },
  circle: () => {
    const circle: unknown[] = [];
    circle.push(circle);
    throw new Rejected({ code: 'TooLarge', message: 'no', details: { circle: circle as never } });
  },
  echo: ([text]) => ({ results: [text], blobs: [] }),
};

beforeEach(async () => {
  serving = [];
  defects = [];
  asked = 0;
  server = createServer((socket) => {
    sockets.add(socket);
    accept(socket, SECRET, logger, (connection) => {
      serving.push(connection);
      serve(connection, handlers, (error) => defects.push(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  port = (server.address() as { port: number }).port;
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});
const open = () => dial({ host: '127.0.0.1', port }, { purpose: 'client', id: 'tester', link: '' }, SECRET);

describe('serving requests', () => {
  it('makes an asker that reads no answers wait, and goes on when it reads', async () => {
    const connection = await open();
    const requester = new Requester(connection);
    connection.pause();
    const answers = Array.from({ length: 1000 }, () => requester.ask('megabyte', []));
    await vi.waitUntil(() => asked >= 16);
    // A turn of both processes later nothing more was taken on.
    await open().then((other) => other.close('seen'));
    const held = serving[0]!.backlogBytes;
    expect(asked).toBeLessThanOrEqual(300);
    expect(held).toBeLessThan(100 * MIB);
    connection.resume();
    expect(await Promise.all(answers)).toHaveLength(1000);
    requester.close();
  });

  it('takes on a bounded number of requests at a time', async () => {
    const requester = new Requester(await open());
    const answers = Array.from({ length: 5000 }, () => requester.ask('slow', []).catch(() => undefined));
    await vi.waitUntil(() => asked >= 2048);
    await open().then((other) => other.close('seen'));
    expect(asked).toBe(2048);
    requester.close();
    await Promise.all(answers);
  });

  it('closes a connection whose answer cannot be put into a frame, and nothing else', async () => {
    const requester = new Requester(await open());
    await expect(requester.ask('circle', [])).rejects.toMatchObject({ code: 'Closed' });
    expect(defects).toHaveLength(1);
    const other = new Requester(await open());
    expect((await other.ask('echo', ['still here'])).results).toEqual(['still here']);
    other.close();
  });
});
