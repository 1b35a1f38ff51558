import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  leastBusy,
  liveGateways,
  placeOf,
  type Check,
  type Health,
} from '../../../gateways/front-door/choice.ts';
import { hostNameOf } from '../../../gateways/http/request-head.ts';
import { DEAD_MS, LIVE_MS, Liveness, type LifeSign } from '../../../gateways/liveness/liveness.ts';
import type { Heartbeat } from '../../../storage-nodes/client/notices.ts';

const beat = (id: string, more: Partial<Heartbeat> = {}): Heartbeat => ({
  kind: 'gateway',
  id,
  address: `127.0.0.1:80${id.slice(-2)}`,
  status: 'serving',
  pid: 1,
  startedAt: 0,
  load: 0,
  residentBytes: 0,
  alarms: [],
  ...more,
});

const sign = (id: string, ageMs = 0, more: Partial<Heartbeat> = {}): LifeSign => ({
  heartbeat: beat(id, more),
  ageMs,
  state: 'live',
});

const configured = [
  { id: 'gateway-01', address: '127.0.0.1:8001' },
  { id: 'gateway-02', address: '127.0.0.1:8002' },
];
const ids = (found: readonly { id: string }[]) => found.map(({ id }) => id);
const told = (health: Health, ...ids: string[]): ReadonlyMap<string, Check> =>
  new Map(ids.map((id) => [id, { health, ageMs: 500 }]));
const nobody = told('serving');
const answering = (...ids: string[]) => told('serving', ...ids);
const silent = (...ids: string[]) => told('silent', ...ids);

describe('a gateway is live', () => {
  test('while its last heartbeat is younger than three seconds', () => {
    const signs = [sign('gateway-01', LIVE_MS - 1), sign('gateway-02', LIVE_MS)];
    expect(ids(liveGateways(configured, signs, true, nobody))).toEqual(['gateway-01']);
  });

  test('only if it serves: one that drains or starts gets no new clients', () => {
    const signs = [
      sign('gateway-01', 0, { status: 'draining' }),
      sign('gateway-02', 0, { status: 'starting' }),
    ];
    expect(liveGateways(configured, signs, true, nobody)).toEqual([]);
  });

  test('only if it is a gateway', () => {
    expect(liveGateways([], [sign('node-01', 0, { kind: 'storage-node' })], true, nobody)).toEqual([]);
  });

  test('also when it joined later and is known by its heartbeat alone', () => {
    expect(ids(liveGateways(configured, [sign('gateway-07')], true, nobody))).toEqual(['gateway-07']);
  });

  test('while no heartbeat can be heard, if it answers its health check', () => {
    expect(ids(liveGateways(configured, [], false, answering('gateway-02')))).toEqual(['gateway-02']);
  });

  test('not because it once answered, as long as heartbeats are heard', () => {
    expect(liveGateways(configured, [], true, answering('gateway-02'))).toEqual([]);
  });

  test('not if it leaves its health check unanswered, however young its heartbeat', () => {
    const signs = [sign('gateway-01'), sign('gateway-02')];
    expect(ids(liveGateways(configured, signs, true, silent('gateway-01')))).toEqual(['gateway-02']);
  });

  test('by its heartbeat if nobody answered in time: then it is the front door that was late', () => {
    const signs = [sign('gateway-01'), sign('gateway-02')];
    const all = liveGateways(configured, signs, true, silent('gateway-01', 'gateway-02'));
    expect(ids(all)).toEqual(['gateway-01', 'gateway-02']);
  });

  test('by the newer word, if it refused its health check', () => {
    const signs = [sign('gateway-01', 900), sign('gateway-02', 100)];
    for (const hearing of [true, false]) {
      const live = liveGateways(configured, signs, hearing, told('away', 'gateway-01', 'gateway-02'));
      expect(ids(live)).toEqual(['gateway-02']);
    }
  });
});

describe('the choice', () => {
  const busy = (id: string, load: number) => ({ id, address: '127.0.0.1:1', load });

  test('falls on the least busy', () => {
    expect(leastBusy([busy('a', 3), busy('b', 1), busy('c', 2)], 7)?.id).toBe('b');
  });

  test('goes round among equals', () => {
    const equals = [busy('b', 1), busy('a', 1), busy('c', 5)];
    expect([0, 1, 2, 3].map((turn) => leastBusy(equals, turn)?.id)).toEqual(['a', 'b', 'a', 'b']);
  });

  test('falls on nobody when nobody is live', () => {
    expect(leastBusy([], 0)).toBeUndefined();
  });

  test('never falls on one that is busier than another', () => {
    const candidates = fc.array(fc.record({ id: fc.string(), address: fc.string(), load: fc.nat(9) }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(candidates, fc.nat(), (all, turn) => {
        const chosen = leastBusy(all, turn);
        return chosen !== undefined && all.every(({ load }) => chosen.load <= load);
      }),
    );
  });
});

describe('the host name that a client used', () => {
  test.each([
    ['localhost:8000', 'localhost'],
    ['cloud.example.org', 'cloud.example.org'],
    ['192.0.2.7:8000', '192.0.2.7'],
    ['[2001:db8::1]:8000', '[2001:db8::1]'],
  ])('is kept: %s', (host, name) => expect(hostNameOf(host)).toBe(name));

  test.each([undefined, '', 'a b', 'evil.test/path', 'user@evil.test', 'x\r\nSet-Cookie: a=b', 'x:port'])(
    'is refused when it is none: %j',
    (host) => expect(hostNameOf(host)).toBeUndefined(),
  );

  test('is followed by the port of the gateway', () => {
    expect([placeOf('127.0.0.1:8001'), placeOf('[::1]:8002'), placeOf('::1:8003')]).toEqual([
      { host: '127.0.0.1', port: 8001 },
      { host: '::1', port: 8002 },
      { host: '::1', port: 8003 },
    ]);
  });
});

describe('liveness', () => {
  function listening() {
    let now = 0;
    let heard: (heartbeat: Heartbeat) => void = () => {};
    const notices = {
      onHeartbeat: (listener: typeof heard) => ((heard = listener), () => (heard = () => {})),
    };
    const liveness = new Liveness(notices, () => now);
    return { liveness, hear: (heartbeat: Heartbeat) => heard(heartbeat), at: (ms: number) => (now = ms) };
  }

  test('goes from live to suspect to dead as heartbeats fail to come, and back at once', () => {
    const { liveness, hear, at } = listening();
    hear(beat('gateway-01'));
    const states = [0, LIVE_MS - 1, LIVE_MS, DEAD_MS - 1, DEAD_MS].map(
      (ms) => (at(ms), liveness.signs()[0]?.state),
    );
    expect(states).toEqual(['live', 'live', 'suspect', 'suspect', 'dead']);
    hear(beat('gateway-01'));
    expect(liveness.signs()[0]?.state).toBe('live');
  });

  test('forgets who was not heard for an hour', () => {
    const { liveness, hear, at } = listening();
    hear(beat('gateway-01'));
    at(3_600_001);
    expect(liveness.signs()).toEqual([]);
  });

  test('lists by kind and number', () => {
    const { liveness, hear } = listening();
    for (const id of ['node-10', 'node-9']) hear(beat(id, { kind: 'storage-node' }));
    hear(beat('gateway-1'));
    expect(liveness.signs().map(({ heartbeat }) => heartbeat.id)).toEqual(['gateway-1', 'node-9', 'node-10']);
  });
});
