/**
 * The worker of outbound mail is killed in the middle of many deliveries, and so is the node that leads its queue: each
 * message arrives, and once. What remains is what remains with every mail server: a 250 that was sent and never recorded.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNameServer, type NameServer } from '../mail-world/name-server.ts';
import { itemOf, queueMessage } from '../mail-world/queued-mail.ts';
import { startPeer, type ScriptedPeer } from '../mail-world/scripted-peer.ts';
import type { TcpStoreClient } from '../../storage-nodes/client/store-client.ts';
import { startCluster, until, type Cluster } from './cluster.ts';

const MESSAGES = 200;
/** How long the peer thinks before it keeps a message, so that a kill finds many that are not ended. */
const THINKS_MS = 40;

let names: NameServer;
let peer: ScriptedPeer;
let cluster: Cluster;
let store: TcpStoreClient;

beforeAll(async () => {
  names = await startNameServer({
    'far.test': { mx: [[10, 'mx.far.test']] },
    'mx.far.test': { a: ['127.0.0.1'] },
  });
  peer = await startPeer(async (verb, _line, socket) => {
    if (verb !== 'DATAEND') return undefined;
    await new Promise((resolve) => setTimeout(resolve, THINKS_MS));
    // Nobody hears a 250 on a connection that is gone: a server keeps nothing then.
    return socket.destroyed || socket.readableEnded ? '451 you are gone' : undefined;
  });
  cluster = await startCluster({
    environment: {
      PENNCLOUD_DNS_RESOLVERS: names.address,
      PENNCLOUD_REMOTE_SMTP_PORT: String(peer.port),
      PENNCLOUD_OUTBOUND_PRIVATE: 'allow',
      PENNCLOUD_RETRY_FIRST_SECONDS: '1',
    },
  });
  store = cluster.openStore();
});

afterAll(async () => {
  await store?.close();
  await cluster?.stop();
  await peer?.stop();
  await names?.stop();
});

const numbersTaken = (): number[] =>
  peer.taken.map(({ data }) => Number(/^Subject: number (\d+)\r$/m.exec(data)![1]));

describe('a worker that is killed in the middle of many deliveries', () => {
  it('leaves each message to its successor, which delivers what was not', async () => {
    const ids = await Promise.all(
      Array.from({ length: MESSAGES }, (_, i) =>
        queueMessage(store, {
          account: 'ann',
          to: ['bob@far.test'],
          raw: `From: ann@penncloud.test\r\nTo: bob@far.test\r\nSubject: number ${i}\r\n\r\nHello.\r\n`,
        }),
      ),
    );
    await until('some are delivered', () => peer.taken.length >= MESSAGES / 4);
    const before = cluster.pid('smtp-out');
    await cluster.kill('smtp-out');
    const takenBefore = new Set(numbersTaken());
    expect(takenBefore.size).toBeLessThan(MESSAGES);
    const recorded = new Set<number>();
    for (const [i, id] of ids.entries()) if ((await itemOf(store, id)) === undefined) recorded.add(i);
    await cluster.restarted('smtp-out', before);
    for (const id of ids) await until(`${id} is done`, async () => (await itemOf(store, id)) === undefined);

    const counts = new Map<number, number>();
    for (const number of numbersTaken()) counts.set(number, (counts.get(number) ?? 0) + 1);
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual(ids.map((_, i) => i));
    const twice = [...counts].filter(([, count]) => count > 1);
    // Only what had its 250 and was not recorded yet when the worker died may come twice.
    for (const [number, count] of twice) {
      expect(count).toBe(2);
      expect(takenBefore.has(number) && !recorded.has(number)).toBe(true);
    }
  });

  it('is no reason to lose or repeat anything when it is asked to stop instead', async () => {
    const first = peer.taken.length;
    const ids = await Promise.all(
      Array.from({ length: MESSAGES }, (_, i) =>
        queueMessage(store, {
          account: 'ann',
          to: ['bob@far.test'],
          raw: `From: ann@penncloud.test\r\nTo: bob@far.test\r\nSubject: number ${1000 + i}\r\n\r\nHello.\r\n`,
        }),
      ),
    );
    await until('some are delivered', () => peer.taken.length >= first + MESSAGES / 4);
    const before = cluster.pid('smtp-out');
    await cluster.kill('smtp-out', 'SIGTERM');
    await cluster.restarted('smtp-out', before);
    for (const id of ids) await until(`${id} is done`, async () => (await itemOf(store, id)) === undefined);
    expect(
      numbersTaken()
        .slice(first)
        .sort((a, b) => a - b),
    ).toEqual(ids.map((_, i) => 1000 + i));
  });
});
