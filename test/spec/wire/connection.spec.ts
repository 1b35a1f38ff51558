import { createServer, connect, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import pino from 'pino';
import { accept, dial, type Connection } from '../../../storage-nodes/wire/connection.ts';
import { Requester, serve } from '../../../storage-nodes/wire/requests.ts';
import { Fault } from '../../../storage-nodes/faults.ts';
import { Rejected } from '../../../storage-nodes/client/client.ts';

const SECRET = 'right';
let server: Server;
let port: number;
let accepted: Connection[];
let lines: string[];
const sockets = new Set<Socket>();

beforeEach(async () => {
  accepted = [];
  lines = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    accept(socket, SECRET, logger, (connection) => {
      accepted.push(connection);
      serve(connection, handlers, () => {});
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  port = (server.address() as { port: number }).port;
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

const handlers = {
  echo: ([text]: readonly unknown[], blobs: readonly Uint8Array[]) => ({ results: [text], blobs }),
  fault: () => {
    throw new Fault('NotPrimary', 'not me', { hint: 'node-2' });
  },
  refuse: () => {
    throw new Rejected({ code: 'TooLarge', message: 'too large' });
  },
  defect: () => {
    throw new Error('secret detail');
  },
};
const hello = { purpose: 'client', id: 'tester', link: '' } as const;
const open = () => dial({ host: '127.0.0.1', port }, hello, SECRET);

describe('a connection between processes', () => {
  it('carries requests and answers once both sides proved the secret', async () => {
    const requester = new Requester(await open());
    const { results, blobs } = await requester.ask('echo', ['hi'], [Buffer.from('payload')]);
    expect(results).toEqual(['hi']);
    expect(Buffer.from(blobs[0]!).toString()).toBe('payload');
    requester.close();
  });

  it('is refused with another secret, with one log line, and nothing is served', async () => {
    await expect(dial({ host: '127.0.0.1', port }, hello, 'wrong')).rejects.toMatchObject({ code: 'Closed' });
    expect(accepted).toHaveLength(0);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('a wrong cluster secret');
  });

  it('cuts off a stranger that talks something else, with one log line', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await new Promise((resolve) => socket.on('close', resolve));
    expect(lines).toHaveLength(1);
    expect(accepted).toHaveLength(0);
  });

  it('brings back faults with code and hint, and rejections whole', async () => {
    const requester = new Requester(await open());
    await expect(requester.ask('fault', [])).rejects.toMatchObject({
      code: 'NotPrimary',
      hint: 'node-2',
      retry: true,
    });
    await expect(requester.ask('refuse', [])).rejects.toMatchObject({ rejection: { code: 'TooLarge' } });
    requester.close();
  });

  it('does not tell the asker what broke inside', async () => {
    const requester = new Requester(await open());
    await expect(requester.ask('defect', [])).rejects.not.toThrow('secret detail');
    requester.close();
  });

  it('closes on an unknown request', async () => {
    const requester = new Requester(await open());
    await expect(requester.ask('no such kind', [])).rejects.toMatchObject({ code: 'Closed' });
  });

  it('fails what is in flight when it breaks', async () => {
    const requester = new Requester(await open());
    const asked = requester.ask('echo', ['hi']);
    requester.close();
    await expect(asked).rejects.toMatchObject({ code: 'Closed' });
  });
});
