/**
 * The network between the processes of a cluster: each ordered pair speaks through a relay on a port of
 * its own. A relay is open, or it *holds* (nothing arrives and nothing is refused, and what was sent
 * arrives late: a network that drops packets under TCP) or *breaks* (connections end, new ones end at
 * once). A link between nodes goes one way, so that one relay alone is a one-way partition.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

export type Place = { readonly id: string; readonly host: string; readonly port: number };
export type RelayState = 'open' | 'holding' | 'broken';

interface Relay {
  readonly from: string;
  readonly to: Place;
  readonly server: Server;
  readonly sockets: Set<Socket>;
  state: RelayState;
}

export class Network {
  readonly #relays: Relay[] = [];

  /** Resolves with where `from` reaches `to` from now on. */
  async relay(from: string, to: Place): Promise<Place> {
    const relay: Relay = { from, to, server: createServer(), sockets: new Set(), state: 'open' };
    relay.server.on('connection', (near) => carry(relay, near));
    relay.server.listen(0, '127.0.0.1');
    await once(relay.server, 'listening');
    this.#relays.push(relay);
    return { id: to.id, host: '127.0.0.1', port: (relay.server.address() as AddressInfo).port };
  }

  set(state: RelayState, which: (from: string, to: string) => boolean): void {
    for (const relay of this.#relays) {
      if (!which(relay.from, relay.to.id)) continue;
      relay.state = state;
      for (const socket of relay.sockets) {
        if (state === 'broken') socket.destroy();
        else if (state === 'holding') socket.pause();
        else socket.resume();
      }
    }
  }

  async close(): Promise<void> {
    for (const { sockets, server } of this.#relays) {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    }
  }
}

function carry(relay: Relay, near: Socket): void {
  if (relay.state === 'broken') {
    near.destroy();
    return;
  }
  const far = connect({ host: relay.to.host, port: relay.to.port });
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    relay.sockets.add(one);
    one.setNoDelay(true);
    one.on('data', (bytes) => {
      if (other.write(bytes)) return;
      one.pause();
      other.once('drain', () => {
        if (relay.state === 'open') one.resume();
      });
    });
    one.on('error', () => other.destroy());
    one.on('close', () => {
      relay.sockets.delete(one);
      other.destroy();
    });
    if (relay.state === 'holding') one.pause();
  }
}
