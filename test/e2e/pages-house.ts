/**
 * The pages over a real store: three nodes with journals and RocksDB, two gateways, NATS away (so that
 * nothing here leans on it; `live`: its notices are passed on in this process). What people do is done as a
 * browser would do it.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import pino from 'pino';
import { encodeSummary } from '../../domain/mail/message/summary.ts';
import { accountStream } from '../../domain/streams.ts';
import { createGatewayApp } from '../../gateways/gateway.ts';
import { Postmaster } from '../../gateways/postmaster/postmaster.ts';
import type { Reach } from '../../gateways/pages/outgoing.ts';
import { Passwords } from '../../gateways/passwords/passwords.ts';
import { digestOf } from '../../gateways/message/digest.ts';
import type { StoreClient } from '../../storage-nodes/client/client.ts';
import type { CommitNotice, Notices } from '../../storage-nodes/wire/notices.ts';
import { connectNotices } from '../../storage-nodes/wire/nats-notices.ts';
import { startLocalStore } from '../integration/local-store.ts';
import { until } from './cluster.ts';
import { alertOn, Visitor } from './visitor.ts';

export const PASSWORD = 'correct horse battery';
const logger = pino({ level: 'silent' });

export type House = {
  readonly store: StoreClient;
  readonly gateways: readonly [FastifyInstance, FastifyInstance];
  /** Someone who is not logged in. */
  visitor(gateway?: 0 | 1): Visitor;
  /** Someone who has just signed up, through the first gateway. */
  person(name: string, displayName?: string): Promise<Visitor>;
  /** An administrator's account, as the command line makes it. */
  makeAdmin(name: string): Promise<void>;
  /** A message that comes in from outside; its id. */
  receive(name: string, raw: string | Buffer): Promise<string>;
  close(): Promise<void>;
};

/**
 * `reach`: where its gateways may call on a reader's behalf; default: the public internet. `undoSendMs`: how long
 * what is sent through the second gateway can be taken back; through the first one it goes out at once, so that
 * tests are quick.
 */
export async function openHouse({
  reach,
  undoSendMs = 0,
  live = false,
}: { reach?: Reach; undoSendMs?: number; live?: boolean } = {}): Promise<House> {
  const listeners = new Set<(notice: CommitNotice) => void>();
  const local = await startLocalStore({
    onCommitted: (tablet, epoch, from, to, streams) => {
      for (const listener of listeners) listener({ tablet, epoch, from, to, rows: [...streams] });
    },
  });
  await local.settled();
  const store = local.client;
  const away = connectNotices({ port: 1, user: 'nobody', password: 'none', name: 'test', logger });
  const passedOn: Notices = {
    ...away,
    onCommitted(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    connected: () => true,
  };
  const notices = live ? passedOn : away;
  const postmaster = new Postmaster({ store, logger });
  const gateway = (gatewayId: string, undoMs: number): Promise<FastifyInstance> => {
    const cookies = { cookieSecure: false, cookieSecret: 'one secret for all gateways' };
    const mail = { domains: ['penncloud.test'], messageBytesMax: 40 * 1024 * 1024, undoSendMs: undoMs };
    return createGatewayApp({
      deps: { store, notices, logger, postmaster, gatewayId, ...cookies, ...mail, ...(reach && { reach }) },
      logger,
    });
  };
  const gateways = [await gateway('gateway-1', 0), await gateway('gateway-2', undoSendMs)] as const;

  return {
    store,
    gateways,
    visitor: (which = 0) => new Visitor(gateways[which]),
    async person(name, displayName = '') {
      const visitor = new Visitor(gateways[0]);
      const answer = await visitor.signUp(name, PASSWORD, displayName);
      if (answer.statusCode !== 303) throw new Error(`${name} could not sign up: ${alertOn(answer)}`);
      return visitor;
    },
    async makeAdmin(name) {
      await store.execute({
        id: `admin-${name}`,
        expiresAt: Date.now() + 60_000,
        stream: accountStream(name),
        type: 'account.SignUp',
        data: { name, admin: true },
        parts: [Buffer.from(await new Passwords().hash(PASSWORD)), Buffer.from('')],
        actor: 'cli',
        session: '',
        action: 'Add a user',
      });
    },
    async receive(name, raw) {
      const bytes = Buffer.from(raw);
      const { summary, words, ids } = await digestOf(bytes);
      const messageId = createHash('sha256')
        .update(randomBytes(8))
        .digest('hex')
        .replace(/[0189]/g, 'z')
        .slice(0, 26);
      await store.execute({
        id: `test-${messageId}`,
        expiresAt: Date.now() + 60_000,
        stream: accountStream(name),
        type: 'mail.ReceiveMessage',
        data: { messageId, via: 'smtp', ids },
        parts: [bytes, encodeSummary(summary), words],
        actor: 'smtp',
        session: '',
        action: 'Receive message',
      });
      return messageId;
    },
    async close() {
      await Promise.all(gateways.map((app) => app.close()));
      await notices.close();
      await local.stop();
    },
  };
}

/** Opens the list until a message with this subject is in it; its address. */
export function arrived(visitor: Visitor, subject: string, folder = 'inbox'): Promise<string> {
  return until(`${subject} is in ${folder}`, async () => {
    const page = await visitor.get(`/mail/${folder}`);
    const row = page.body
      .split('<li')
      .slice(1)
      .find((one) => one.includes(`>${subject}<`));
    return row === undefined ? undefined : /href="([^"]+)"/.exec(row)?.[1];
  });
}
