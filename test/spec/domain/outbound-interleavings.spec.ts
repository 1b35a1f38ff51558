/**
 * Two workers, an operator and time in any order: workers that stand still, whose answers are lost, whose reports come
 * late or twice. A model beside it knows what servers took.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { dueOrderOf } from '../../../projections/outbound-keys.ts';
import { ADDRESSES, Queue } from '../outbound-queue.ts';

const WORKERS = ['one', 'two'] as const;
const LEASE_MS = 1_000;
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('claim' as const), by: fc.constantFrom(...WORKERS) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('release' as const), by: fc.constantFrom(...WORKERS) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('report' as const),
      by: fc.constantFrom(...WORKERS),
      to: fc.nat(1),
      outcome: fc.constantFrom('delivered' as const, 'deferred' as const, 'failed' as const),
      laterMs: fc.nat(2_000),
      times: fc.constantFrom(1, 1, 2),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('change' as const),
      action: fc.constantFrom('hold', 'release', 'retry', 'cancel'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(2 * LEASE_MS) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('queue' as const) }) },
);

it('one worker at a time is heard, but of deliveries each, what was delivered stays so, and what waits is always found', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const queue = new Queue();
      queue.queue();
      queue.told();
      let now = queue.shell.time;
      const tokens = new Map<string, number>();
      let holder: string | undefined;
      let until = 0;
      const states = ADDRESSES.map(() => 'waiting');
      const told = ADDRESSES.map(() => 'waiting');
      const time = () => ({ time: now });

      for (const one of steps) {
        switch (one.do) {
          case 'wait':
            now += one.ms;
            break;
          case 'queue':
            // Its reaction is carried out once; the id is taken as long as anything of it is there.
            if (queue.item() !== undefined) expect('events' in queue.queue()).toBe(true);
            break;
          case 'claim': {
            const outcome = queue.claim(one.by, LEASE_MS, time());
            const isFree = holder === undefined || holder === one.by || until <= now;
            expect('reply' in outcome).toBe(isFree);
            if (!isFree || !('reply' in outcome)) break;
            const { token } = outcome.reply as { token: number };
            const others = [...tokens].filter(([worker]) => worker !== one.by).map(([, old]) => old);
            for (const old of others) expect(token).toBeGreaterThan(old);
            tokens.set(one.by, token);
            [holder, until] = [one.by, now + LEASE_MS];
            break;
          }
          case 'release': {
            const token = tokens.get(one.by);
            if (token === undefined) break;
            queue.do('ReleaseQueue', { worker: one.by, token }, time());
            if (holder === one.by) holder = undefined;
            break;
          }
          case 'report': {
            const token = tokens.get(one.by);
            if (token === undefined) break;
            const retryAt = one.outcome === 'deferred' ? now + one.laterMs : null;
            const tried = { to: one.to, outcome: one.outcome, code: 250, retryAt };
            for (let i = 0; i < one.times; i++) {
              const isThere = queue.item() !== undefined || states.includes('cancelled');
              const outcome = queue.report([tried], { worker: one.by, token });
              const isReplaced = token < Math.max(...tokens.values());
              const isNews = one.outcome === 'delivered' && isThere && states[one.to] !== 'delivered';
              expect('events' in outcome).toBe(holder === one.by || (isReplaced && isNews));
              if (!('events' in outcome) || !isThere) continue;
              const before = states[one.to]!;
              if (one.outcome === 'delivered' || (one.outcome === 'failed' && before === 'waiting'))
                states[one.to] = one.outcome;
            }
            break;
          }
          case 'change': {
            const isOver = states.every((state) => state !== 'waiting' && state !== 'held');
            expect('rejection' in queue.change(one.action)).toBe(isOver);
            if (isOver) break;
            states.forEach((state, to) => {
              const isOpen = state === 'waiting' || state === 'held';
              if (one.action === 'cancel' && isOpen) states[to] = 'cancelled';
              if (one.action === 'hold' && state === 'waiting') states[to] = 'held';
              if (one.action === 'release' && state === 'held') states[to] = 'waiting';
            });
          }
        }
        for (const { command, data } of queue.told()) {
          expect(command).toBe('mail.RecordDelivery');
          const { changes } = data as { changes: { to: number; state: string }[] };
          for (const change of changes) {
            expect(told[change.to]).not.toBe('delivered');
            told[change.to] = change.state;
          }
        }
        expect(told).toEqual(states);
        const item = queue.item();
        const isOpen = states.some((state) => state === 'waiting' || state === 'held');
        expect(item !== undefined).toBe(isOpen);
        expect(queue.raw() !== undefined).toBe(isOpen);
        if (item === undefined) {
          expect([...queue.due(), ...queue.held()]).toEqual([]);
          continue;
        }
        expect(queue.states()).toEqual(states);
        const times = item.recipients.flatMap(({ retryAt }) => retryAt ?? []);
        expect(queue.due()).toEqual(times.length > 0 ? [dueOrderOf(Math.min(...times), item.id)] : []);
        expect(queue.held()).toHaveLength(times.length > 0 ? 0 : 1);
      }
    }),
    { numRuns: 150 },
  );
});
