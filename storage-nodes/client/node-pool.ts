/** One connection per storage node, dialled when first needed and again after it broke. */
import type { Logger } from 'pino';
import { Fault } from '../faults.ts';
import { dial } from '../wire/connection.ts';
import { Requester } from '../wire/requests.ts';

export type NodeAddress = { readonly id: string; readonly host: string; readonly port: number };

export class NodePool {
  readonly nodes: readonly NodeAddress[];
  readonly #secret: string;
  readonly #clientId: string;
  readonly #logger: Logger;
  readonly #open = new Map<string, Requester>();
  readonly #opening = new Map<string, Promise<Requester>>();
  #closed = false;

  constructor(options: { nodes: readonly NodeAddress[]; secret: string; clientId: string; logger: Logger }) {
    this.nodes = options.nodes;
    this.#secret = options.secret;
    this.#clientId = options.clientId;
    this.#logger = options.logger;
  }

  /** The connection to a node, if there is one. */
  open(nodeId: string): Requester | undefined {
    return this.#open.get(nodeId);
  }

  /** Throws Fault Closed when the node cannot be reached. */
  async to(nodeId: string): Promise<Requester> {
    if (this.#closed) throw new Fault('Closed', 'the client is closed');
    const open = this.#open.get(nodeId);
    if (open) return open;
    let opening = this.#opening.get(nodeId);
    if (!opening) {
      const address = this.nodes.find((node) => node.id === nodeId);
      if (!address) throw new Fault('Closed', `no address is known for node ${nodeId}`);
      opening = this.#dial(address).finally(() => this.#opening.delete(nodeId));
      this.#opening.set(nodeId, opening);
    }
    return opening;
  }

  close(): void {
    this.#closed = true;
    for (const requester of this.#open.values()) requester.close();
  }

  async #dial(address: NodeAddress): Promise<Requester> {
    const hello = { purpose: 'client', id: this.#clientId, link: '' } as const;
    const connection = await dial(address, hello, this.#secret, this.#logger);
    const requester = new Requester(connection);
    if (this.#closed) requester.close();
    // It may have closed before anybody listened.
    if (!connection.open) throw new Fault('Closed', `node ${address.id} closed the connection`);
    this.#open.set(address.id, requester);
    requester.onClose = () => {
      this.#logger.debug({ node: address.id }, 'connection to a node closed');
      this.#open.delete(address.id);
    };
    return requester;
  }
}
