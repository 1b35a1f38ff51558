/** A store whose disks, processes and bytes fail one after the other. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountStream } from '../../domain/streams.ts';
import { createApplication } from '../../ops/processes/platform.ts';
import { MemoryCells } from '../../storage-nodes/cells/memory-cells.ts';
import type { CommandRequest, TabletInfo } from '../../storage-nodes/client/client.ts';
import { DiskLog } from '../../storage-nodes/log/disk-log.ts';
import type { FilePort, OpenFile } from '../../storage-nodes/log/files.ts';
import { realFiles } from '../../storage-nodes/log/real-files.ts';
import { StorageNode } from '../../storage-nodes/node.ts';
import { LIMITS, SECRET, startLocalStore, type LocalStore } from './local-store.ts';

let store: LocalStore;
const full = new Set<string>();
let count = 0;

/** A disk without room for writes while its node is in `full`. */
function filesOf(id: string): FilePort {
  const guarded = (file: OpenFile): OpenFile =>
    new Proxy(file, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          if (name === 'writeAll' && full.has(id))
            return Promise.reject(Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }));
          return (value as (...a: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  return { ...realFiles, open: async (path, mode) => guarded(await realFiles.open(path, mode)) };
}

beforeAll(async () => {
  store = await startLocalStore({ files: filesOf });
  await store.settled();
}, 60_000);
afterAll(async () => {
  full.clear();
  await store?.stop();
});

function command(
  type: string,
  stream: string,
  data: object,
  parts: Uint8Array[],
  id?: string,
): CommandRequest {
  const action = type;
  return {
    id: id ?? `trouble-${++count}`,
    expiresAt: 0,
    stream,
    type,
    data,
    parts,
    actor: 'test',
    session: '',
    action,
  };
}
const put = (row: string, column: string, value: string | Uint8Array) =>
  store.client.execute(command('kv.Put', row, { column }, [Buffer.from(value)]));
async function get(row: string, column: string): Promise<Buffer | undefined> {
  const { results } = await store.client.read(row, [{ get: { row, column } }]);
  return results[0]![0] && store.client.bytes(results[0]![0]);
}
async function tabletOf(row: string): Promise<TabletInfo> {
  const tablets = await store.client.tablets();
  return tablets.find((t) => t.from <= row && (t.to === null || row < t.to))!;
}

describe('a node whose disk is full (rule 12)', () => {
  it(
    'as primary or replica refuses, holds up nobody, and takes part again without a restart',
    { timeout: 60_000 },
    async () => {
      const { primary } = await tabletOf('apple');
      await put('apple', 'before', '1');
      full.add(primary);
      const during = Array.from({ length: 20 }, (_, i) => put('apple', `during-${i}`, '2'));
      await Promise.all(during);
      await Promise.all(['house', 'night', 'zebra', '0'].map((row) => put(row, 'during', '2')));
      expect((await get('apple', 'before'))?.toString()).toBe('1');
      full.delete(primary);
      await store.settled();
      await put('apple', 'after', '3');
      for (let i = 0; i < 20; i++) expect((await get('apple', `during-${i}`))?.toString()).toBe('2');
      expect(store.fatal).toEqual([]);
    },
  );

  it('that is every node: writes wait, and go on when there is room', { timeout: 60_000 }, async () => {
    for (const { id } of store.nodes) full.add(id);
    const waiting = put('apple', 'waited', 'yes');
    await expect(
      store.client.execute(command('kv.Put', 'apple', { column: 'refused' }, [Buffer.from('x')]), {
        deadlineMs: 1000,
      }),
    ).rejects.toMatchObject({ code: 'Unavailable' });
    full.clear();
    await waiting;
    expect((await get('apple', 'waited'))?.toString()).toBe('yes');
    await store.settled();
    expect(store.fatal).toEqual([]);
  });
});

describe('bytes that rotted on the disk', () => {
  it(
    'of a primary: the value is read all the same, and the copy is fetched anew',
    { timeout: 90_000 },
    async () => {
      const value = randomBytes(3 * 1024 * 1024);
      const { seq } = await put('apple', 'large', value);
      const { id: tablet, primary } = await tabletOf('apple');
      const folder = join(store.folder, primary, 'log');
      const damaged = await flip(folder, value.subarray(1_500_000, 1_500_064));
      expect(damaged).toBe(true);
      expect((await get('apple', 'large'))?.equals(value)).toBe(true);
      await expect.poll(async () => (await tabletOf('apple')).primary, { timeout: 20_000 }).not.toBe(primary);
      await store.settled();
      await put('apple', 'large-after', 'x');
      // The others count on it a moment before it hears of that itself.
      const role = async () =>
        (await store.client.nodeTablets(primary)).find((view) => view.tablet === tablet)?.role;
      await expect.poll(role, { timeout: 20_000 }).toBe('replica');
      expect(seq).toBeGreaterThan(0);
      await sameEverywhere(tablet);
      expect(store.fatal).toEqual([]);
    },
  );
});

describe('mail between two tablets while their primaries die', () => {
  it('arrives exactly once each, and every delivery is recorded', { timeout: 120_000 }, async () => {
    const names = Array.from({ length: 40 }, (_, i) => `user${i}`);
    const from = 'alice';
    const home = await tabletOf(accountStream(from));
    let to: string | undefined;
    for (const name of names) if ((await tabletOf(accountStream(name))).id !== home.id) to ??= name;
    for (const name of [from, to!]) {
      const parts = [Buffer.from('$argon2id$x'), Buffer.from(name)];
      await store.client.execute(
        command('account.SignUp', accountStream(name), { name, admin: false }, parts),
      );
    }
    const summary = {
      from: { name: '', address: 'a@b' },
      to: [],
      cc: [],
      subject: 's',
      date: null,
      snippet: '',
      attachments: [],
    };
    const parts = [
      Buffer.alloc(100_000, 'raw'),
      Buffer.from(JSON.stringify(summary)),
      Buffer.from(JSON.stringify(summary)),
    ];
    const ids = Array.from(
      { length: 24 },
      (_, i) => `abcdefghijklmnopqrstuvwxy${String.fromCharCode(97 + i)}`,
    );
    const send = (messageId: string) =>
      store.client.execute(
        command(
          'mail.SendMessage',
          accountStream(from),
          { messageId, recipients: [to] },
          parts,
          `send-${messageId}`,
        ),
      );
    await Promise.all(ids.slice(0, 8).map(send));
    const target = (await tabletOf(accountStream(to!))).primary;
    await store.stopNode(target);
    await Promise.all(ids.slice(8, 16).map(send));
    await store.startNode(target);
    await store.settled();
    const origin = (await tabletOf(accountStream(from))).primary;
    const last = ids.slice(16).map(send);
    await Promise.all(last.slice(0, 2));
    await store.stopNode(origin);
    await Promise.all(last);
    await store.startNode(origin);
    await store.settled();

    const row = `${accountStream(to!)}/mail/folder/inbox`;
    const all = { scan: { from: { row, column: '' }, to: { row: `${row}~`, column: '' }, limit: 100 } };
    const inbox = async () => (await store.client.read(row, [all])).results[0]!;
    await expect.poll(async () => (await inbox()).length, { timeout: 20_000 }).toBe(24);
    const metas = async () => {
      const read = ids.map((id) => ({
        get: { row: `${accountStream(from)}/mail/message/${id}`, column: 'meta' },
      }));
      const { results } = await store.client.read(accountStream(from), read);
      return results.map(([cell]) => (JSON.parse(cell!.bytes!.toString()) as { delivery: object }).delivery);
    };
    await expect
      .poll(async () => (await metas()).every((delivery) => JSON.stringify(delivery).includes('delivered')), {
        timeout: 20_000,
      })
      .toBe(true);
    expect(await inbox()).toHaveLength(24);
    await sameEverywhere(home.id);
    expect(store.fatal).toEqual([]);
  });
});

describe('a node that stops or cannot start', () => {
  it('answers or refuses all that is under way when it stops', { timeout: 60_000 }, async () => {
    const writes = Array.from({ length: 300 }, (_, i) => put(`row ${i % 20}`, `c${i}`, String(i)));
    const { primary } = await tabletOf('row 1');
    await store.stopNode(primary);
    await Promise.all(writes);
    await store.startNode(primary);
    await store.settled();
  });

  it('says that its port is in use, and lets go of its folders', { timeout: 60_000 }, async () => {
    const folder = join(store.folder, 'newcomer');
    const again = () =>
      new StorageNode({
        self: { ...store.nodes[0]!, id: 'newcomer' },
        peers: [],
        masters: [store.master],
        secret: SECRET,
        log: new DiskLog({ folder }),
        cells: new MemoryCells(),
        application: createApplication(LIMITS),
        logger: pino({ level: 'silent' }),
        execute: (asked) => store.client.execute(asked),
        onCommitted: () => {},
        onConfiguration: () => {},
        onFatal: () => {},
      });
    const inUse = { code: 'EADDRINUSE', port: store.nodes[0]!.port };
    await expect(again().start()).rejects.toMatchObject(inUse);
    await expect(again().start()).rejects.toMatchObject(inUse);
  });
});

async function sameEverywhere(tablet: string): Promise<void> {
  const digests = () => Promise.all(store.nodes.map(({ id }) => store.client.nodeDigest(id, tablet)));
  await expect
    .poll(async () => new Set((await digests()).map((d) => `${d.applied} ${d.digest}`)).size, {
      timeout: 20_000,
    })
    .toBe(1);
}

/** Flips one bit in the middle of these bytes, wherever they lie in a folder. */
async function flip(folder: string, bytes: Uint8Array): Promise<boolean> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const content = await readFile(path);
    const at = content.indexOf(bytes);
    if (at < 0) continue;
    content[at + 10]! ^= 1;
    await writeFile(path, content);
    return true;
  }
  return false;
}
