/**
 * The greeting's delay (PENNCLOUD_SMTP_GREETING_DELAY_MS): a client waits for the greeting (RFC 5321 §3.1, §4.3.1), and
 * who does not is no mail server. Sockets are of this machine; where they come from is told to the listener.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Door } from '../../../gateways/smtp/session/door.ts';
import type { SmtpListener } from '../../../gateways/smtp/session/smtp-listener.ts';
import { ownCertificate } from '../../../gateways/smtp/session/own-certificate.ts';
import { SmtpClient } from '../../e2e/smtp-client.ts';
import { AccountsInMemory } from './accounts-in-memory.ts';

const DELAY_MS = 400;
/** What all wait: smtp-server's own. */
const OWN_DELAY_MS = 100;
const tls = await ownCertificate('mx.penncloud.test', Date.now());
const logger = { debug() {}, info() {}, warn() {}, error() {} };

let door: Door;
let opened: number;
let over: number;
async function open(greetingDelayMs: number): Promise<void> {
  [opened, over] = [0, 0];
  door = new Door(
    {
      ...{ store: new AccountsInMemory('alice'), logger, tls, domains: ['penncloud.test'] },
      ...{ messageBytesMax: 10_000, hostname: 'mx.penncloud.test', greetingDelayMs, drainMs: 1_000 },
      clientLimits: { connectionsPerAddressMax: 1 },
    },
    { opened: () => opened++, over: () => over++ },
  );
  await door.listen(0, '127.0.0.1');
}
afterEach(() => new Promise<void>((resolve) => door.listener.close(resolve)));

function comesFrom(address: string): void {
  const connect: SmtpListener['connect'] = door.listener.connect.bind(door.listener);
  door.listener.connect = (socket, options) => connect(socket, { ...options, remoteAddress: address });
}

/** When it was answered, in ms from the beginning, and how. */
async function greeted(client: SmtpClient): Promise<{ text: string; afterMs: number }> {
  const began = performance.now();
  const { text } = await client.answer();
  return { text, afterMs: performance.now() - began };
}

describe('who comes from elsewhere', () => {
  beforeEach(async () => {
    await open(DELAY_MS);
    comesFrom('192.0.2.7');
  });

  it('and waits is greeted after the delay, and served', async () => {
    const client = SmtpClient.raw(door.listener.port);
    const { text, afterMs } = await greeted(client);
    expect(text).toMatch(/^220 mx\.penncloud\.test ESMTP/);
    // Timers may fire a moment early by another clock; never by half.
    expect(afterMs).toBeGreaterThan((DELAY_MS + OWN_DELAY_MS) / 2);
    expect((await client.say('EHLO x\r\n')).code).toBe(250);
    await client.quit();
  });

  it.each([
    ['whole', 'EHLO spam.example\r\n'],
    ['with a bare LF', 'EHLO spam.example\n'],
    [
      'with all that follows',
      'HELO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@penncloud.test>\r\nDATA\r\n',
    ],
  ])('and speaks first, %s, is sent away with 421', async (_what, bytes) => {
    const client = SmtpClient.raw(door.listener.port);
    expect((await client.say(bytes)).text).toMatch(/^421 .*talk too soon/);
    await expect(client.answer()).rejects.toThrow('closed the connection');
  });

  it('and speaks or leaves while it should wait gives its place back', async () => {
    for (const bytes of ['EHLO x\r\n', '']) {
      const client = SmtpClient.raw(door.listener.port);
      while (door.connections === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      if (bytes !== '') expect((await client.say(bytes)).code).toBe(421);
      client.destroy();
      while (door.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // One at a time is all that this client may have: its place is free.
    const client = SmtpClient.raw(door.listener.port);
    expect((await greeted(client)).text).toMatch(/^220 /);
    client.destroy();
    while (door.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect([opened, over]).toEqual([3, 3]);
  });
});

it.each(['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1'])(
  'this machine does not wait: %s is greeted, however long the delay',
  async (address) => {
    await open(3_600_000);
    comesFrom(address);
    const client = SmtpClient.raw(door.listener.port);
    expect((await client.answer()).text).toMatch(/^220 /);
    client.destroy();
  },
);
