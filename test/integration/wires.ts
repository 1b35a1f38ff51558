/**
 * The wires between the processes of a local store: each pair speaks through a small relay of its own,
 * which a test can freeze (nothing arrives, nothing is refused: what a process that stands still, or a
 * network that swallows everything, looks like) or cut (connections break at once).
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Address } from '../../storage-nodes/node.ts';

type Relay = {
  readonly from: string;
  readonly to: string;
  readonly server: Server;
  readonly sockets: Set<Socket>;
  frozen: boolean;
};

export class Wires {
  readonly #relays: Relay[] = [];
  readonly #ports: number[];

  /** `ports`: free ones, one for each pair that will speak. */
  constructor(ports: readonly number[]) {
    this.#ports = [...ports];
  }

  readonly route = (from: string, to: Address): Address => {
    const port = this.#ports.pop()!;
    const relay: Relay = { from, to: to.id, sockets: new Set(), frozen: false, server: createServer() };
    relay.server.on('connection', (near) => {
      const far = connect({ host: to.host, port: to.port });
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        relay.sockets.add(one);
        one.on('data', (bytes) => other.write(bytes));
        one.on('error', () => other.destroy());
        one.on('close', () => {
          relay.sockets.delete(one);
          other.destroy();
        });
        if (relay.frozen) one.pause();
      }
    });
    relay.server.listen(port, '127.0.0.1');
    this.#relays.push(relay);
    return { ...to, port };
  };

  /** All that the process says and hears. */
  freeze(id: string, except: (from: string, to: string) => boolean = () => false): void {
    for (const relay of this.#of(id)) {
      if (except(relay.from, relay.to)) continue;
      relay.frozen = true;
      for (const socket of relay.sockets) socket.pause();
    }
  }

  thaw(id: string): void {
    for (const relay of this.#of(id)) {
      relay.frozen = false;
      for (const socket of relay.sockets) socket.resume();
    }
  }

  cut(from: string, to: string): void {
    for (const relay of this.#relays) {
      if (relay.from === from && relay.to === to) for (const socket of relay.sockets) socket.destroy();
    }
  }

  async close(): Promise<void> {
    for (const { sockets, server } of this.#relays) {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  #of(id: string): Relay[] {
    return this.#relays.filter((relay) => relay.from === id || relay.to === id);
  }
}
