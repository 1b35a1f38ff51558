/** Connects to a master over TCP. */
import { dial } from '../wire/connection.ts';
import { Requester } from '../wire/requests.ts';
import type { MasterLink } from './config-client.ts';

export type MasterAddress = { readonly id: string; readonly host: string; readonly port: number };

/** `self`: the name that the master knows this process by. Rejects with Fault Closed. */
export async function dialMaster(self: string, to: MasterAddress, secret: string): Promise<MasterLink> {
  return new Requester(await dial(to, { purpose: 'client', id: self, link: '' }, secret));
}
