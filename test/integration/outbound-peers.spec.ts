/**
 * How much the carrier asks of a domain at a time, and what it makes of peers and name servers that are slow, far, or
 * half out of order; over real sockets and a real name server.
 */
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import type { Stages } from '../../gateways/smtp/outbound/transport/session.ts';
import type { Verdict } from '../../gateways/smtp/outbound/transport/verdict.ts';
import { closeWorld, HOME, MESSAGE, peerOf, world } from '../mail-world/carrier-world.ts';
import type { Zone } from '../mail-world/name-server.ts';

afterEach(closeWorld);

const BOTH: Zone = {
  ...HOME,
  'two.test': { mx: [[10, 'mx.two.test']] },
  'mx.two.test': { a: ['127.0.0.1'] },
};
const PATIENT: Stages = { connect: 9000, greeting: 9000, envelope: 9000, silence: 9000, answer: 60_000 };
const outcomes = (all: readonly Verdict[][]) => all.flat().map(({ outcome }) => outcome);
const times = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('a domain', () => {
  it('gets no more sessions at a time than it may, and others get theirs meanwhile', async () => {
    let open: () => void = () => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    const peer = await peerOf(async (verb, line) => {
      if (verb === 'RCPT' && line.includes('one.test')) await opened;
      return undefined;
    });
    const { send } = await world({ zone: BOTH, perDomain: 3 }, peer);
    const held = times(10).map((i) => send([`${i}@one.test`]));
    expect(outcomes([await send(['bob@two.test'])])).toEqual(['delivered']);
    expect(peer.heard.filter((line) => /^RCPT.*one\.test/.test(line)).length).toBeLessThanOrEqual(3);
    open();
    expect(outcomes(await Promise.all(held))).toEqual(times(10).map(() => 'delivered'));
    expect(peer.sessions).toBeLessThanOrEqual(4);
  });

  it('gets no more messages in a second than it may, and others are not slowed by that', async () => {
    const at: { readonly ms: number; readonly to: string }[] = [];
    const peer = await peerOf((verb, line) => {
      if (verb === 'RCPT') at.push({ ms: performance.now(), to: /@(\w+)/.exec(line)![1]! });
      return undefined;
    });
    const { send } = await world({ zone: BOTH, perSecond: 10 }, peer);
    const begunMs = performance.now();
    await Promise.all([...times(5).map((i) => send([`${i}@one.test`])), send(['bob@two.test'])]);
    const paced = at.filter(({ to }) => to === 'one');
    // Timers may be early by a part of a millisecond.
    expect(paced.at(-1)!.ms - begunMs).toBeGreaterThan(4 * 100 - 10);
    expect(at.findIndex(({ to }) => to === 'two')).toBeLessThan(at.length - 1);
  });
});

describe('a peer', () => {
  it('that takes long for its last word is waited for (RFC 5321 §4.5.3.2.6)', async () => {
    const silence = 200;
    const peer = await peerOf(async (verb) => {
      if (verb === 'DATAEND') await new Promise((resolve) => setTimeout(resolve, 2 * silence));
      return undefined;
    });
    const { send } = await world({ stages: { ...PATIENT, silence } }, peer);
    expect(outcomes([await send(['bob@one.test'])])).toEqual(['delivered']);
    expect(peer.taken).toHaveLength(1);
  });

  it('that reads a long message slowly gets it whole', async () => {
    const peer = await peerOf((verb, _line, socket) => {
      if (verb === 'DATA') {
        socket.pause();
        const slowly = setInterval(() => {
          if (socket.destroyed || peer.taken.length > 0) return clearInterval(slowly);
          socket.resume();
          setTimeout(() => peer.taken.length === 0 && socket.pause(), 1);
        }, 5);
      }
      return undefined;
    });
    const { send } = await world({}, peer);
    const message = MESSAGE + `${'x'.repeat(70)}\r\n`.repeat(40_000);
    expect(outcomes([await send(['bob@one.test'], { message })])).toEqual(['delivered']);
    expect(peer.taken[0]!.data.length).toBe(message.length + 1);
    expect(peer.taken[0]!.data.endsWith(message.slice(-100_000))).toBe(true);
  });

  it('that stops reading in the middle of it is given up for now', async () => {
    const peer = await peerOf((verb, _line, socket) => {
      if (verb === 'DATA') socket.pause();
      return undefined;
    });
    const { send } = await world({ stages: { ...PATIENT, silence: 300 } }, peer);
    const message = MESSAGE + `${'x'.repeat(70)}\r\n`.repeat(200_000);
    const [verdict] = await send(['bob@one.test'], { message });
    expect(verdict).toMatchObject({ outcome: 'deferred', code: null });
    expect(verdict!.text).toContain('taking more of it took longer than');
  });
});

describe('addresses', () => {
  const hasIPv6 = Object.values(networkInterfaces()).some((list) =>
    (list ?? []).some(({ address }) => address === '::1'),
  );
  const zone = (addresses: object): Zone => ({ ...HOME, 'mx.one.test': addresses });

  it.runIf(hasIPv6)('may be of IPv6 alone', async () => {
    const peer = await peerOf(undefined, { host: '::1' });
    const { send } = await world({ zone: zone({ aaaa: ['::1'] }) }, peer);
    expect(outcomes([await send(['bob@one.test'])])).toEqual(['delivered']);
    expect(outcomes([await send(['bob@[IPv6:::1]'])])).toEqual(['delivered']);
  });

  it.runIf(hasIPv6).each([
    ['IPv4', '127.0.0.1'],
    ['IPv6', '::1'],
  ])('of both kinds are tried until one answers: %s', async (_kind, host) => {
    const peer = await peerOf(undefined, { host });
    const { send } = await world({ zone: zone({ a: ['127.0.0.1'], aaaa: ['::1'] }) }, peer);
    expect(outcomes([await send(['bob@one.test'])])).toEqual(['delivered']);
    expect(peer.taken).toHaveLength(1);
  });

  it('that no stranger may send us to are refused in IPv6 too', async () => {
    for (const address of ['::1', 'fd00::1', 'fe80::1', '::ffff:127.0.0.1', '64:ff9b::7f00:1']) {
      const { send } = await world({ zone: zone({ aaaa: [address] }), isPrivateAllowed: false });
      expect((await send(['bob@one.test']))[0]).toMatchObject({ outcome: 'failed', status: '5.4.4' });
    }
  });
});

describe('a name server', () => {
  it('that never answers is asked again later', async () => {
    const { send } = await world({ zone: { 'one.test': { fails: 'silent' } }, queryMs: 50 });
    expect((await send(['bob@one.test']))[0]).toMatchObject({ outcome: 'deferred', status: '4.4.3' });
  });

  it.each<[string, string, Zone]>([
    ['the domain', '5.1.2', { 'one.test': { cname: 'two.test' }, 'two.test': { cname: 'one.test' } }],
    [
      'its mail server',
      '5.4.4',
      {
        'one.test': { mx: [[1, 'mx.one.test']] },
        'mx.one.test': { cname: 'mx.two.test' },
        'mx.two.test': { cname: 'mx.one.test' },
      },
    ],
    ['the domain to itself and', '5.1.2', { 'one.test': { cname: 'one.test' } }],
    // RFC 1034 §3.6.2: a loop of aliases is an error; RFC 3463 §3.2, §3.5 for its name. No later try would mend it.
  ])('that leads %s round in a circle leads nowhere: %s', async (_what, status, zone) => {
    const { send } = await world({ zone });
    expect((await send(['bob@one.test']))[0]).toMatchObject({ outcome: 'failed', code: null, status });
  });
});
