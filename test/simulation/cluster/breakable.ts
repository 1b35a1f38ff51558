/** What faults see of a cluster: all that can be broken, and who judges whether it may be. */
import type { World } from '../engine/world.ts';
import type { Network } from '../machines/network.ts';
import type { Checkers } from './checkers.ts';
import type { SimMaster } from './master.ts';
import type { SimNode } from './node.ts';
import type { Profile } from './profile.ts';

export interface Breakable {
  readonly world: World;
  readonly profile: Profile;
  readonly nodes: readonly SimNode[];
  readonly network: Network;
  readonly master: SimMaster;
  readonly checkers: Checkers;
  readonly peace: boolean;
  onAllLinks(node: string, what: (from: string, to: string) => void): void;
  disconnect(node: SimNode): void;
  disconnectClients(node: SimNode): void;
}
