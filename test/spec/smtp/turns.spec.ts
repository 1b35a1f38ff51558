/** Who is next of those that wait to send: accounts in turn, none held up by a lane that is not its own. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Turns } from '../../../gateways/smtp/outbound/transport/turns.ts';

const always = () => true;

describe('turns', () => {
  it('go round the accounts, however much one has waiting', () => {
    const turns = new Turns<string, string>();
    for (let i = 0; i < 1000; i++) turns.add('ann', 'popular', `ann ${i}`);
    turns.add('bob', 'popular', 'bob 0');
    const order = [1, 2, 3].map(() => turns.next(always, always)!.waiting);
    expect(order).toEqual(['ann 0', 'bob 0', 'ann 1']);
  });

  it('pass over an account that may not go, and a lane that is not free', () => {
    const turns = new Turns<string, string>();
    turns.add('ann', 'slow', 'ann slow');
    turns.add('ann', 'quick', 'ann quick');
    turns.add('bob', 'slow', 'bob slow');
    expect(turns.next(always, (lane) => lane !== 'slow')?.waiting).toBe('ann quick');
    expect(turns.next((account) => account !== 'ann', always)?.waiting).toBe('bob slow');
    expect(turns.next((account) => account !== 'ann', always)).toBeUndefined();
    expect(turns.next(always, always)?.waiting).toBe('ann slow');
  });

  it('lose nobody, keep the order of an account in a lane, and let nobody wait for two turns of another', () => {
    const account = fc.constantFrom('a', 'b', 'c', 'd');
    const lane = fc.constantFrom('x', 'y', 'z');
    const step = fc.oneof(
      fc.record({ account, lane }),
      fc.record({ blocked: fc.subarray(['a', 'b', 'c', 'd']), full: fc.subarray(['x', 'y', 'z']) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const turns = new Turns<string, number>();
        const waiting: { account: string; lane: string; id: number; passed: Map<string, number> }[] = [];
        let ids = 0;
        const served: number[] = [];
        const take = (mayGo: (account: string) => boolean, isFree: (lane: string) => boolean) => {
          const next = turns.next(mayGo, isFree);
          const able = waiting.filter((one) => mayGo(one.account) && isFree(one.lane));
          if (next === undefined) return expect(able).toEqual([]);
          const first = able.find((one) => one.account === next.account && one.lane === next.lane);
          expect(next.waiting).toBe(first?.id);
          served.push(next.waiting);
          waiting.splice(waiting.indexOf(first!), 1);
          for (const one of waiting) {
            if (!able.includes(one) || one.account === next.account) continue;
            if (waiting.find((other) => other.account === one.account && able.includes(other)) !== one)
              continue;
            one.passed.set(next.account, (one.passed.get(next.account) ?? 0) + 1);
            expect(one.passed.get(next.account)).toBeLessThanOrEqual(2);
          }
        };
        for (const one of steps) {
          if ('account' in one) {
            turns.add(one.account, one.lane, ids);
            waiting.push({ ...one, id: ids++, passed: new Map() });
          } else
            take(
              (name) => !one.blocked.includes(name as 'a'),
              (name) => !one.full.includes(name as 'x'),
            );
        }
        while (waiting.length > 0) take(always, always);
        expect(new Set(served).size).toBe(ids);
      }),
    );
  });
});
