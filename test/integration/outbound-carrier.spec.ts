/**
 * What the carrier makes of other people's servers, over real sockets and a real name server. The servers are scripted:
 * what they do wrong is what this is about.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { NotOurs } from '../../gateways/smtp/outbound/transport/session.ts';
import type { Verdict } from '../../gateways/smtp/outbound/transport/verdict.ts';
import { ownCertificate } from '../../gateways/smtp/session/own-certificate.ts';
import { closeWorld, HASTY, MESSAGE, peerOf, world } from '../mail-world/carrier-world.ts';
import type { Zone } from '../mail-world/name-server.ts';
import { SILENCE, type Script } from '../mail-world/scripted-peer.ts';

afterEach(closeWorld);

const brief = (verdicts: readonly Verdict[]) =>
  verdicts.map(({ outcome, code, status }) => ({ outcome, code, status }));

describe('a message for a domain', () => {
  it('goes to its mail server, byte for byte, and is told as delivered with the answer', async () => {
    const peer = await peerOf();
    const { send } = await world({}, peer);
    const verdicts = await send(['bob@one.test']);
    expect(verdicts).toEqual([
      { outcome: 'delivered', code: 250, status: '2.0.0', host: 'mx.one.test', text: '250 2.0.0 kept' },
    ]);
    expect(peer.taken).toEqual([
      {
        from: 'ann@penncloud.test',
        to: ['bob@one.test'],
        data: MESSAGE.replace('\r\n.a', '\r\n..a'),
        isSecure: false,
      },
    ]);
  });

  it('is told for each recipient apart', async () => {
    const peer = await peerOf(
      (verb, line) => {
        if (verb !== 'RCPT') return undefined;
        if (line.includes('gone')) return '550-5.1.1 No\r\n550 5.1.1 such user';
        return line.includes('grey') ? '451 4.7.1 come back later' : undefined;
      },
      { offers: ['PIPELINING'] },
    );
    const { send } = await world({}, peer);
    const verdicts = await send(['bob@one.test', 'gone@one.test', 'grey@one.test']);
    expect(brief(verdicts)).toEqual([
      { outcome: 'delivered', code: 250, status: '2.0.0' },
      { outcome: 'failed', code: 550, status: '5.1.1' },
      { outcome: 'deferred', code: 451, status: '4.7.1' },
    ]);
    expect(verdicts[1]!.text).toBe('550-5.1.1 No 5.1.1 such user');
    expect(peer.taken.map(({ to }) => to)).toEqual([['bob@one.test']]);
  });

  it('shares a session with the next one', async () => {
    const peer = await peerOf();
    const { send } = await world({ perDomain: 1 }, peer);
    await Promise.all([send(['a@one.test']), send(['b@one.test']), send(['c@one.test'])]);
    expect(peer.sessions).toBe(1);
    expect(peer.taken).toHaveLength(3);
  });

  it('goes over a fresh session where an idle one has ended meanwhile', async () => {
    const peer = await peerOf((verb, _line, socket, session) => {
      if (verb === 'MAIL' && session === 1 && peer.taken.length === 1) {
        socket.destroy();
        return SILENCE;
      }
      return undefined;
    });
    const { send } = await world({}, peer);
    await send(['a@one.test']);
    expect(brief(await send(['b@one.test']))).toEqual([{ outcome: 'delivered', code: 250, status: '2.0.0' }]);
    expect(peer.sessions).toBe(2);
  });

  it('is not ended any more when the queue has another worker', async () => {
    const peer = await peerOf();
    const { send } = await world({}, peer);
    await expect(send(['bob@one.test'], { mayEnd: () => false })).rejects.toThrow(NotOurs);
    expect(peer.taken).toEqual([]);
  });
});

describe('a server that', () => {
  const cases: [string, Script, Partial<Verdict> & { outcome: string }][] = [
    [
      'refuses the sender for now',
      (verb) => (verb === 'MAIL' ? '451 4.3.0 not now' : undefined),
      { outcome: 'deferred', code: 451 },
    ],
    [
      'refuses the message for good',
      (verb) => (verb === 'DATAEND' ? '554 5.7.1 spam' : undefined),
      { outcome: 'failed', code: 554, status: '5.7.1' },
    ],
    [
      'puts the message off',
      (verb) => (verb === 'DATAEND' ? '452 4.3.1 full' : undefined),
      { outcome: 'deferred', code: 452 },
    ],
    [
      'closes after the data without a word',
      (verb, _l, socket) => (verb === 'DATAEND' ? (socket.destroy(), SILENCE) : undefined),
      { outcome: 'deferred', code: null },
    ],
    [
      'never answers the data',
      (verb) => (verb === 'DATAEND' ? SILENCE : undefined),
      { outcome: 'deferred', code: null },
    ],
    [
      'never greets',
      (verb) => (verb === 'CONNECT' ? SILENCE : undefined),
      { outcome: 'deferred', code: null },
    ],
    [
      'never answers the sender',
      (verb) => (verb === 'MAIL' ? SILENCE : undefined),
      { outcome: 'deferred', code: null },
    ],
    [
      'greets with garbage',
      (verb) => (verb === 'CONNECT' ? 'SSH-2.0-OpenSSH_9.2' : undefined),
      { outcome: 'deferred', code: null },
    ],
    [
      'takes DATA with 250 instead of 354 (RFC 5321 §4.1.1.4)',
      (verb) => (verb === 'DATA' ? '250 go on' : undefined),
      { outcome: 'deferred', code: null },
    ],
    [
      'says 421 to the data',
      (verb) => (verb === 'DATA' ? '421 4.3.2 going' : undefined),
      { outcome: 'deferred', code: 421 },
    ],
    [
      'answers the data with garbage',
      (verb) => (verb === 'DATAEND' ? '2manyletters' : undefined),
      { outcome: 'deferred', code: null },
    ],
    [
      'says 421 to the greeting',
      (verb) => (verb === 'CONNECT' ? '421 4.3.2 busy' : undefined),
      { outcome: 'deferred', code: 421 },
    ],
    [
      'says 421 to a recipient',
      (verb) => (verb === 'RCPT' ? '421 4.3.2 going' : undefined),
      { outcome: 'deferred', code: 421 },
    ],
    [
      'greets with 554',
      (verb) => (verb === 'CONNECT' ? '554 no service for you' : undefined),
      { outcome: 'deferred', code: 554 },
    ],
    [
      'greets with 521, a host without mail (RFC 7504)',
      (verb) => (verb === 'CONNECT' ? '521 no mail here' : undefined),
      { outcome: 'failed', code: 521 },
    ],
    [
      'never ends its reply',
      (verb, _l, socket) => (verb === 'EHLO' ? (flood(socket, '250-more\r\n'), SILENCE) : undefined),
      { outcome: 'deferred', code: null },
    ],
    [
      'never ends its line',
      (verb, _l, socket) => (verb === 'RCPT' ? (flood(socket, 'x'.repeat(1000)), SILENCE) : undefined),
      { outcome: 'deferred', code: null },
    ],
    [
      'says a byte a moment',
      (verb, _l, socket) =>
        verb === 'MAIL' ? (drip(socket, '250 ok, in a very long while'), SILENCE) : undefined,
      { outcome: 'deferred', code: null },
    ],
  ];

  it.each(cases)('%s', async (_what, script, expected) => {
    const peer = await peerOf(script);
    const { send } = await world({ stages: HASTY }, peer);
    const [verdict] = await send(['bob@one.test']);
    expect(verdict).toMatchObject(expected);
    expect(verdict!.text).not.toBe('');
    expect(verdict!.text.length).toBeLessThanOrEqual(1000);
    expect(peer.taken).toEqual([]);
  });

  it('offers less than the message needs is not given it', async () => {
    const small = await peerOf(undefined, { offers: ['SIZE 20'] });
    const one = await world({}, small);
    expect(brief(await one.send(['bob@one.test']))).toEqual([
      { outcome: 'failed', code: null, status: '5.3.4' },
    ]);
    const plain = await peerOf();
    const two = await world({}, plain);
    expect(brief(await two.send(['bøb@one.test']))).toEqual([
      { outcome: 'failed', code: null, status: '5.6.7' },
    ]);
    const modern = await peerOf(undefined, { offers: ['SMTPUTF8', '8BITMIME'] });
    const three = await world({}, modern);
    expect(brief(await three.send(['bøb@one.test'], { message: `${MESSAGE}ø\r\n` }))[0]).toMatchObject({
      outcome: 'delivered',
    });
    expect(modern.heard.find((line) => line.startsWith('MAIL'))).toMatch(/SMTPUTF8.*BODY=8BITMIME/);
  });

  it('speaks TLS is spoken to in TLS, and in the clear where its TLS is broken', async () => {
    const tls = await ownCertificate('mx.one.test', Date.now());
    const good = await peerOf(undefined, { tls });
    const one = await world({}, good);
    expect(brief(await one.send(['bob@one.test']))[0]).toMatchObject({ outcome: 'delivered' });
    expect(good.taken[0]!.isSecure).toBe(true);
    const broken = await peerOf(
      (verb, _l, socket) =>
        verb === 'STARTTLS' ? (socket.write('220 go\r\nthis is no TLS\r\n'), SILENCE) : undefined,
      { tls },
    );
    const two = await world({ stages: HASTY }, broken);
    expect(brief(await two.send(['bob@one.test']))[0]).toMatchObject({ outcome: 'delivered' });
    expect(broken.taken[0]!.isSecure).toBe(false);
    const unable = await peerOf((verb) => (verb === 'STARTTLS' ? '454 not now' : undefined), { tls });
    const three = await world({}, unable);
    expect(brief(await three.send(['bob@one.test']))[0]).toMatchObject({ outcome: 'delivered' });
  });
});

describe('where mail goes', () => {
  it('is the server of the lowest preference that gives a session', async () => {
    const peer = await peerOf();
    const zone: Zone = {
      'one.test': {
        mx: [
          [20, 'mx2.one.test'],
          [10, 'mx1.one.test'],
        ],
      },
      'mx1.one.test': { a: ['127.0.0.9'] },
      'mx2.one.test': { a: ['127.0.0.1'] },
    };
    const { send } = await world({ zone }, peer);
    expect((await send(['bob@one.test']))[0]).toMatchObject({ outcome: 'delivered', host: 'mx2.one.test' });
  });

  it.each<[string, Zone, string]>([
    ['the domain itself, without MX', { 'one.test': { a: ['127.0.0.1'] } }, 'one.test'],
    [
      'what an alias leads to',
      {
        'one.test': { cname: 'two.test' },
        'two.test': { mx: [[1, 'mx.two.test']] },
        'mx.two.test': { a: ['127.0.0.1'] },
      },
      'mx.two.test',
    ],
    [
      'the address of it that answers',
      { 'one.test': { mx: [[1, 'mx.one.test']] }, 'mx.one.test': { a: ['127.0.0.9', '127.0.0.1'] } },
      'mx.one.test',
    ],
  ])('is %s', async (_what, zone, host) => {
    const peer = await peerOf();
    const { send } = await world({ zone }, peer);
    expect((await send(['bob@one.test']))[0]).toMatchObject({ outcome: 'delivered', host });
  });

  it.each<[string, Zone, Partial<Verdict>]>([
    ['the domain does not exist', {}, { outcome: 'failed', status: '5.1.2' }],
    [
      'it takes no mail (RFC 7505)',
      { 'one.test': { mx: [[0, '']] } },
      { outcome: 'failed', status: '5.1.10' },
    ],
    [
      'its servers have no address',
      { 'one.test': { mx: [[1, 'mx.one.test']] } },
      { outcome: 'failed', status: '5.4.4' },
    ],
    [
      'it leads back here (RFC 5321 §5.1)',
      {
        'one.test': {
          mx: [
            [1, 'penncloud.test'],
            [2, 'mx.one.test'],
          ],
        },
        'mx.one.test': { a: ['127.0.0.1'] },
      },
      { outcome: 'failed', status: '5.4.6' },
    ],
    ['the name server fails', { 'one.test': { fails: 2 } }, { outcome: 'deferred', status: '4.4.3' }],
    [
      'the name server knows no address of its server',
      { 'one.test': { mx: [[1, 'mx.one.test']] }, 'mx.one.test': { fails: 2 } },
      { outcome: 'deferred', status: '4.4.3' },
    ],
  ])('is nowhere: %s', async (_what, zone, expected) => {
    const { send } = await world({ zone });
    expect((await send(['bob@one.test']))[0]).toMatchObject(expected);
  });

  it('is no address of ourselves, and none of a private network unless that is allowed', async () => {
    const peer = await peerOf();
    const self = await world({ ownPort: peer.port }, peer);
    expect((await self.send(['bob@one.test']))[0]).toMatchObject({ outcome: 'failed', status: '5.4.6' });
    for (const address of ['127.0.0.1', '10.0.0.1', '169.254.169.254']) {
      const zone: Zone = { 'one.test': { mx: [[1, 'mx.one.test']] }, 'mx.one.test': { a: [address] } };
      const { send } = await world({ zone, isPrivateAllowed: false }, peer);
      expect((await send(['bob@one.test']))[0]).toMatchObject({ outcome: 'failed', status: '5.4.4' });
    }
    expect(peer.sessions).toBe(0);
  });

  it('is not asked again at once when nobody answered', async () => {
    const zone: Zone = { 'one.test': { a: ['127.0.0.1'] } };
    const { send } = await world({ zone });
    expect((await send(['bob@one.test']))[0]).toMatchObject({
      outcome: 'deferred',
      status: '4.4.1',
      host: 'one.test',
    });
    expect((await send(['eve@one.test']))[0]).toMatchObject({ outcome: 'deferred', status: '4.4.1' });
  });

  it('is not looked up again at once when the name servers failed', async () => {
    const { send, nameServer } = await world({ zone: { 'one.test': { fails: 2 } } });
    expect((await send(['bob@one.test']))[0]).toMatchObject({ outcome: 'deferred', status: '4.4.3' });
    const before = nameServer.asked.length;
    expect((await send(['eve@one.test']))[0]).toMatchObject({ outcome: 'deferred', status: '4.4.3' });
    expect(nameServer.asked.length).toBe(before);
  });
});

function flood(socket: { write(text: string): boolean; destroyed: boolean }, text: string): void {
  const timer = setInterval(() => {
    if (socket.destroyed) return clearInterval(timer);
    socket.write(text.repeat(100));
  }, 1);
}

function drip(socket: { write(text: string): boolean; destroyed: boolean }, text: string): void {
  const letters = [...text];
  const timer = setInterval(() => {
    const letter = letters.shift();
    if (letter === undefined || socket.destroyed) return clearInterval(timer);
    socket.write(letter);
  }, 50);
}
