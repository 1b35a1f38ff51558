/**
 * Clients that write kv cells to several rows until they are told to stop, and what was acknowledged to them. Each
 * cell's value is its column's name. They leave the processor to others between two writes: what is looked for are
 * errors, losses and pauses, not speed.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import type { CommandRequest, StoreClient } from '../../storage-nodes/client/client.ts';

export type Acknowledged = {
  readonly id: string;
  readonly row: string;
  readonly column: string;
  readonly seq: number;
  /** In ms, by `performance.now()`. */
  readonly at: number;
};

export type KvWriters = {
  /** In the order of the answers. */
  readonly acknowledged: readonly Acknowledged[];
  /** The longest time without an acknowledged write, in ms, of all that went on between these two times. */
  longestGap(from?: number, to?: number): number;
  /** The longest that a row waited for its next acknowledged write, in ms. */
  longestGapOfARow(): number;
  /** Rejects with what a writer was told that is not an acknowledgement. */
  stop(): Promise<void>;
};

const BETWEEN_WRITES_MS = 4;

/** `id`: of the command; another one writes again. */
export function putColumn(row: string, column: string, id: string = randomUUID()): CommandRequest {
  return {
    id,
    expiresAt: Date.now() + 600_000,
    stream: row,
    type: 'kv.Put',
    data: { column },
    parts: [Buffer.from(column)],
    actor: 'test',
    session: '',
    action: 'Put',
  };
}

/** Each writer goes from row to row; what it wrote it reads at once. */
export function startWriters(client: StoreClient, rows: readonly string[], writers: number): KvWriters {
  const acknowledged: Acknowledged[] = [];
  const name = randomUUID().slice(0, 8);
  let going = true;
  const write = async (writer: number): Promise<void> => {
    for (let n = 0; going; n++) {
      const row = rows[(writer + n) % rows.length]!;
      const column = `${name}.${writer}.${n}`;
      const command = putColumn(row, column);
      const { seq } = await client.execute(command);
      acknowledged.push({ id: command.id, row, column, seq, at: performance.now() });
      expect(await valueOf(client, row, column)).toBe(column);
      await pause(BETWEEN_WRITES_MS);
    }
  };
  const all = Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  // Whoever fails first is reported when it is waited for.
  all.catch(() => undefined);
  return {
    acknowledged,
    longestGap: (from, to) => longestGap(acknowledged, from, to),
    longestGapOfARow: () =>
      Math.max(...rows.map((row) => longestGap(acknowledged.filter((one) => one.row === row)))),
    async stop() {
      going = false;
      await all;
    },
  };
}

export async function expectAllThere(client: StoreClient, written: readonly Acknowledged[]): Promise<void> {
  for (const { row, column } of written) expect(await valueOf(client, row, column)).toBe(column);
}

async function valueOf(client: StoreClient, row: string, column: string): Promise<string | undefined> {
  const { results } = await client.read(row, [{ get: { row, column } }]);
  return results[0]![0]?.bytes?.toString();
}

function longestGap(written: readonly Acknowledged[], from = 0, to = Infinity): number {
  let longest = 0;
  for (const [i, { at }] of written.slice(1).entries()) {
    const before = written[i]!.at;
    if (at >= from && before <= to) longest = Math.max(longest, at - before);
  }
  return longest;
}
