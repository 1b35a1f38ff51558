/** The relays that chaos cuts, with real sockets. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Network, type Place } from '../../ops/chaos/network.ts';

let server: Server;
let network: Network;
let place: Place;
let heard: string;
const sockets: Socket[] = [];

beforeEach(async () => {
  heard = '';
  network = new Network();
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      heard += bytes.toString();
      socket.write('heard');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  place = await network.relay('a', { id: 'b', host: '127.0.0.1', port });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await network.close();
  server.close();
});

async function dial(): Promise<Socket> {
  const socket = connect({ host: place.host, port: place.port });
  socket.on('error', () => {});
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

const fromAToB = (from: string, to: string): boolean => from === 'a' && to === 'b';

describe('a relay', () => {
  it('carries both ways', async () => {
    const socket = await dial();
    socket.write('hello');
    expect(String((await once(socket, 'data'))[0])).toBe('heard');
    expect(heard).toBe('hello');
  });

  it('that holds delivers late what was sent meanwhile, whole and in order', async () => {
    const socket = await dial();
    socket.write('1');
    await once(socket, 'data');
    network.set('holding', fromAToB);
    socket.write('2');
    const late = await dial();
    late.write('3');
    await expect(
      Promise.race([once(socket, 'data'), new Promise((resolve) => setTimeout(resolve, 200, 'nothing'))]),
    ).resolves.toBe('nothing');
    expect(heard).toBe('1');
    network.set('open', fromAToB);
    await expect.poll(() => [...heard].sort().join('')).toBe('123');
  });

  it('that is broken ends its connections, and new ones at once', async () => {
    const socket = await dial();
    const ended = once(socket, 'close');
    network.set('broken', fromAToB);
    await ended;
    const next = connect({ host: place.host, port: place.port });
    next.on('error', () => {});
    await once(next, 'close');
    network.set('open', fromAToB);
    (await dial()).write('again');
    await expect.poll(() => heard).toBe('again');
  });

  it('is left alone when others are meant', async () => {
    network.set('broken', (from) => from === 'b');
    (await dial()).write('through');
    await expect.poll(() => heard).toBe('through');
  });
});
