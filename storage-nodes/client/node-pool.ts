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
  #open = new Map<string, Promise<Requester>>();
  #closed = false;

  constructor(options: { nodes: readonly NodeAddress[]; secret: string; clientId: string; logger: Logger }) {
    this.nodes = options.nodes;
    this.#secret = options.secret;
    this.#clientId = options.clientId;
    this.#logger = options.logger;
  }

  /** Throws Fault Closed when the node cannot be reached. */
  async to(nodeId: string): Promise<Requester> {
    if (this.#closed) throw new Fault('Closed', 'the client is closed');
    const open = this.#open.get(nodeId);
    if (open) return open;
    const address = this.nodes.find((node) => node.id === nodeId);
    if (!address) throw new Fault('Closed', `no address is known for node ${nodeId}`);
    const opening = this.#dial(address);
    this.#open.set(nodeId, opening);
    opening.catch(() => this.#forget(nodeId, opening));
    return opening;
  }

  close(): void {
    this.#closed = true;
    for (const opening of this.#open.values())
      opening.then(
        (requester) => requester.close(),
        () => {},
      );
    this.#open.clear();
  }

  async #dial(address: NodeAddress): Promise<Requester> {
    const connection = await dial(address, { purpose: 'client', id: this.#clientId, link: '' }, this.#secret);
    const requester = new Requester(connection);
    // It may have closed before anybody listened.
    if (!connection.open) throw new Fault('Closed', `node ${address.id} closed the connection`);
    requester.onClose = () => {
      this.#logger.debug({ node: address.id }, 'connection to a node closed');
      this.#forgetRequester(address.id, requester);
    };
    return requester;
  }

  #forget(nodeId: string, opening: Promise<Requester>): void {
    if (this.#open.get(nodeId) === opening) this.#open.delete(nodeId);
  }

  #forgetRequester(nodeId: string, requester: Requester): void {
    const open = this.#open.get(nodeId);
    void open?.then(
      (current) => {
        if (current === requester) this.#forget(nodeId, open);
      },
      () => {},
    );
  }
}
