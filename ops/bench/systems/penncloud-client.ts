/** PennCloud's client as gateways use it: `kv.Put` commands and reads of one cell at the primary. */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { createStoreClient, type TcpStoreClient } from '../../../storage-nodes/client/store-client.ts';
import type { Access, Client } from './system.ts';

const COLUMN = 'value';
const COMMAND_VALID_MS = 60_000;

export class PennCloudClient implements Client {
  readonly #store: TcpStoreClient;

  constructor({ servers, secret }: Access) {
    this.#store = createStoreClient({
      nodes: servers,
      secret,
      clientId: `bench-${process.pid}`,
      logger: pino({ level: 'silent' }),
    });
  }

  async put(key: string, value: Buffer): Promise<void> {
    await this.#store.execute({
      id: randomUUID(),
      expiresAt: Date.now() + COMMAND_VALID_MS,
      stream: key,
      type: 'kv.Put',
      data: { column: COLUMN },
      parts: [value],
      action: 'Put a cell',
      actor: 'bench',
      session: '',
    });
  }

  async get(key: string): Promise<Buffer | undefined> {
    const { results } = await this.#store.read(key, [{ get: { row: key, column: COLUMN } }]);
    const cell = results[0]?.[0];
    return cell && this.#store.bytes(cell);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
