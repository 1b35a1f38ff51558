/** Work that is due later, or takes many steps, in a store whose primaries die meanwhile: done once, all of it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSummary } from '../../domain/mail/message/summary.ts';
import { accountStream } from '../../domain/streams.ts';
import { readConversation, readFolderLine } from '../../projections/mailbox-cells.ts';
import { folderCountsCell, folderRow, metaCell, threadCell } from '../../projections/keys.ts';
import { readMessageMeta } from '../../projections/message.ts';
import type { CommandRequest, TabletInfo } from '../../storage-nodes/client/client.ts';
import { startLocalStore, type LocalStore } from './local-store.ts';

/** A valid id that tells its number (up to 99). */
const id = (number: number) =>
  `${'m'.repeat(24)}${[...`${number}`.padStart(2, '0')].map((d) => 'abcdefghij'[Number(d)]).join('')}`;
const summary = () =>
  encodeSummary({
    from: { name: '', address: 'a@b' },
    to: [],
    cc: [],
    subject: 's',
    date: null,
    snippet: '',
    attachments: [],
  });

let store: LocalStore;
let count = 0;

beforeAll(async () => {
  store = await startLocalStore();
  await store.settled();
}, 60_000);
afterAll(async () => {
  await store?.stop();
});

function command(type: string, stream: string, data: object, parts: (string | Uint8Array)[]): CommandRequest {
  return {
    id: `due-${++count}`,
    expiresAt: 0,
    stream,
    type,
    data,
    parts: parts.map((part) => Buffer.from(part as string)),
    actor: 'test',
    session: '',
    action: type,
  };
}
const ask = (type: string, name: string, data: object, parts: (string | Uint8Array)[] = []) =>
  store.client.execute(command(type, accountStream(name), data, parts));
async function signUp(...names: string[]): Promise<void> {
  for (const name of names) {
    await ask('account.SignUp', name, { name, admin: false }, ['$argon2id$x', name]);
  }
}
async function tabletOf(row: string): Promise<TabletInfo> {
  const tablets = await store.client.tablets();
  return tablets.find((t) => t.from <= row && (t.to === null || row < t.to))!;
}
async function cellOf(cell: { row: string; column: string }): Promise<Buffer | undefined> {
  const { results } = await store.client.read(cell.row, [{ get: cell }]);
  return results[0]![0] && store.client.bytes(results[0]![0]);
}
async function lines(name: string, folder: string): Promise<string[]> {
  const row = folderRow(accountStream(name), folder);
  const scan = { scan: { from: { row, column: '' }, to: { row: `${row}~`, column: '' }, limit: 1000 } };
  const { results } = await store.client.read(row, [scan]);
  const cells = await Promise.all(results[0]!.map((cell) => store.client.bytes(cell)));
  return cells.map((bytes) => readFolderLine(bytes!).newest);
}
/** Stops the node that leads the account's tablet, and starts it again once another one does. */
async function loseThePrimaryOf(name: string): Promise<void> {
  const { primary } = await tabletOf(accountStream(name));
  await store.stopNode(primary);
  const successor = async () => (await tabletOf(accountStream(name))).primary;
  await expect.poll(successor, { timeout: 30_000 }).not.toBe(primary);
  await store.startNode(primary);
}
async function sameEverywhere(name: string): Promise<void> {
  const { id: tablet } = await tabletOf(accountStream(name));
  const digests = () => Promise.all(store.nodes.map((node) => store.client.nodeDigest(node.id, tablet)));
  await expect
    .poll(async () => new Set((await digests()).map((d) => `${d.applied} ${d.digest}`)).size, {
      timeout: 30_000,
    })
    .toBe(1);
}

describe('a message that is to be sent later', () => {
  it(
    'is delivered once, at its time, though the primary that took it is gone by then',
    { timeout: 120_000 },
    async () => {
      await signUp('alice', 'bob', 'carol');
      const dueAt = Date.now() + 6000;
      const parts = ['the message', summary(), summary()];
      for (const number of [1, 2, 3]) {
        const data = { messageId: id(number), recipients: ['bob', 'carol', 'alice'] };
        const at = number === 2 ? dueAt + 600_000 : dueAt;
        await ask('mail.SendMessage', 'alice', { ...data, dueAt: at }, parts);
      }
      await ask('mail.CancelSending', 'alice', { messageId: id(2) });
      await loseThePrimaryOf('alice');

      const expected = [id(1), id(3)].map((sent) => `${sent}-in`);
      for (const name of ['bob', 'carol', 'alice']) {
        await expect
          .poll(async () => (await lines(name, 'inbox')).toSorted(), { timeout: 60_000 })
          .toEqual(expected);
      }
      expect((await lines('alice', 'sent')).toSorted()).toEqual([id(1), id(3)]);
      expect(await lines('alice', 'outbox')).toEqual([]);
      const meta = async () => readMessageMeta((await cellOf(metaCell(accountStream('alice'), id(1))))!);
      await expect
        .poll(async () => (await meta()).delivery, { timeout: 30_000 })
        .toEqual({ bob: 'delivered', carol: 'delivered', alice: 'delivered' });
      expect((await meta()).at).toBeGreaterThanOrEqual(dueAt);
      const copy = readConversation((await cellOf(threadCell(accountStream('bob'), `${id(1)}-in`)))!);
      expect(copy.messages).toHaveLength(1);
      await store.settled();
      for (const name of ['alice', 'bob']) await sameEverywhere(name);
      expect(store.fatal).toEqual([]);
    },
  );
});

describe('a bulk of many pages', () => {
  it('is carried out to the end by whoever is the primary', { timeout: 120_000 }, async () => {
    await signUp('dora');
    const numbers = Array.from({ length: 60 }, (_, n) => n + 1);
    for (const number of numbers) {
      await ask('mail.ReceiveMessage', 'dora', { messageId: id(number), via: 'smtp' }, ['x', summary()]);
    }
    const pages = numbers.map(id);
    const wanted = { bulkId: id(99), in: ['inbox'], to: { folder: 'archive', read: true } };
    await ask('mail.StartBulk', 'dora', wanted, pages);
    await loseThePrimaryOf('dora');
    const counts = async (folder: string) =>
      (await cellOf(folderCountsCell(accountStream('dora'), folder)))?.toString();
    await expect.poll(() => counts('archive'), { timeout: 60_000 }).toBe('{"total":60,"unread":0}');
    expect(await counts('inbox')).toBe('{"total":0,"unread":0}');
    await ask('mail.UndoBulk', 'dora', { bulkId: id(99) });
    await expect.poll(() => counts('inbox'), { timeout: 60_000 }).toBe('{"total":60,"unread":60}');
    await store.settled();
    await sameEverywhere('dora');
    expect(store.fatal).toEqual([]);
  });
});
