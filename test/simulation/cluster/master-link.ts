/**
 * A connection of a node to the master: what the production ConfigClient asks over, made of messages of
 * the simulated network. It breaks when either process dies, or the network resets it.
 */
import { Fault, type FaultCode } from '../../../storage-nodes/faults.ts';
import type { MasterLink } from '../../../storage-nodes/master/config-client.ts';
import type { Session } from '../../../storage-nodes/master/master.ts';
import type { Configuration } from '../../../storage-nodes/replication/configuration.ts';
import { decodeConfiguration } from '../../../storage-nodes/wire/peer-codec.ts';
import type { NodeId } from '../../../storage-nodes/words.ts';
import type { Network } from '../machines/network.ts';
import type { Process } from '../machines/process.ts';
import { frame, messageOf } from './frames.ts';

const DIAL_MS = 1000;

type Waiting = {
  readonly resolve: (results: readonly unknown[]) => void;
  readonly reject: (error: Error) => void;
};

/** Whom links lead to. */
export interface MasterEnd {
  readonly up: boolean;
  readonly links: Set<SimMasterLink>;
  receive(link: SimMasterLink, bytes: Uint8Array): void;
  left(session: Session): void;
  /** Somebody asks for this, and it may be stored from now on. */
  noteProposed(next: Configuration): void;
}

export class SimMasterLink implements MasterLink {
  onPush: (fields: readonly unknown[]) => void = () => {};
  onClose: () => void = () => {};
  open = true;
  readonly node: NodeId;
  readonly session: Session;
  readonly #process: Process;
  readonly #network: Network;
  readonly #master: MasterEnd;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;

  constructor(node: NodeId, process: Process, network: Network, master: MasterEnd) {
    this.node = node;
    this.#process = process;
    this.#network = network;
    this.#master = master;
    this.session = {
      id: node,
      push: (fields) => {
        const bytes = frame(['push', ...fields]);
        network.send('master', node, '', true, () => this.receive(bytes));
      },
    };
  }

  async ask(kind: string, args: readonly unknown[]): Promise<{ readonly results: readonly unknown[] }> {
    if (!this.open) throw new Fault('Closed', 'the connection is closed');
    const id = this.#nextId++;
    if (kind === 'config.cas') this.#master.noteProposed(decodeConfiguration(args[0]));
    const bytes = frame(['ask', id, kind, ...args]);
    if (this.#process.acts())
      this.#network.send(this.node, 'master', '', true, () => this.#master.receive(this, bytes));
    return new Promise((resolve, reject) =>
      this.#waiting.set(id, { resolve: (results) => resolve({ results }), reject }),
    );
  }

  receive(bytes: Uint8Array): void {
    this.#process.happens(() => {
      if (!this.open) return;
      const [word, id, ...rest] = messageOf(bytes).fields;
      if (word === 'push') return this.onPush([id, ...rest]);
      const waiting = this.#waiting.get(id as number);
      this.#waiting.delete(id as number);
      if (word === 'answer') waiting?.resolve(rest);
      else waiting?.reject(new Fault(rest[0] as FaultCode, String(rest[1])));
    });
  }

  /** From the node's side. */
  close(): void {
    this.broken();
  }

  broken(): void {
    if (!this.open) return;
    this.open = false;
    this.#master.links.delete(this);
    this.#master.left(this.session);
    this.#process.later(1, () => {
      for (const { reject } of this.#waiting.values()) reject(new Fault('Closed', 'the connection broke'));
      this.#waiting.clear();
      this.onClose();
    });
  }
}

/** Rejects when nobody answers. */
export function dialSimMaster(
  node: NodeId,
  process: Process,
  network: Network,
  master: MasterEnd,
): Promise<MasterLink> {
  return new Promise((resolve, reject) => {
    process.later(DIAL_MS, () => reject(new Fault('Closed', 'nobody answers')));
    network.send(node, 'master', '', true, () => {
      if (!master.up) return process.later(1, () => reject(new Fault('Closed', 'nobody is there')));
      network.send('master', node, '', true, () =>
        process.happens(() => {
          if (!master.up) return reject(new Fault('Closed', 'it is gone'));
          const link = new SimMasterLink(node, process, network, master);
          master.links.add(link);
          resolve(link);
        }),
      );
    });
  });
}
