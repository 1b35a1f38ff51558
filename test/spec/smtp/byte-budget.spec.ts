/** How the memory of the worker of outbound mail is shared out: who waits for whom. */
import { describe, expect, it } from 'vitest';
import { ByteBudget } from '../../../gateways/smtp/outbound/queue/byte-budget.ts';

/** Of long messages 100 bytes in all and 40 for a domain or an account; of short ones, up to 5 bytes, 20 and 8. */
function budget() {
  const bytes = new ByteBudget({ long: 100, short: 20, shortMax: 5, perDomain: 0.4, perAccount: 0.4 });
  const served: string[] = [];
  const givers = new Map<string, () => void>();
  return {
    served,
    async ask(name: string, domain: string, length: number, account = name): Promise<void> {
      void bytes.take(domain, account, length).then((giveBack) => {
        served.push(name);
        givers.set(name, giveBack);
      });
      await settled();
    },
    async done(name: string): Promise<void> {
      givers.get(name)!();
      await settled();
    },
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('the bytes in memory', () => {
  it('are a domain’s up to its share; others are served meanwhile', async () => {
    const { served, ask, done } = budget();
    await ask('slow 1', 'slow.test', 40);
    await ask('slow 2', 'slow.test', 10);
    await ask('slow 3', 'slow.test', 10);
    await ask('other', 'other.test', 40);
    expect(served).toEqual(['slow 1', 'other']);
    await done('slow 1');
    expect(served).toEqual(['slow 1', 'other', 'slow 2', 'slow 3']);
  });

  it('are an account’s up to its share, wherever its messages go', async () => {
    const { served, ask, done } = budget();
    await ask('ann 1', 'slow.test', 20, 'ann');
    await ask('ann 2', 'slower.test', 20, 'ann');
    await ask('ann 3', 'slowest.test', 10, 'ann');
    await ask('bob', 'slow.test', 20, 'bob');
    expect(served).toEqual(['ann 1', 'ann 2', 'bob']);
    await done('ann 1');
    expect(served).toEqual(['ann 1', 'ann 2', 'bob', 'ann 3']);
  });

  it('are all taken in the order in which they were asked for, so that long ones get their turn', async () => {
    const { served, ask, done } = budget();
    for (const one of ['a', 'b']) await ask(one, `${one}.test`, 40);
    await ask('c', 'c.test', 30);
    await ask('d', 'd.test', 20);
    expect(served).toEqual(['a', 'b']);
    await done('a');
    expect(served).toEqual(['a', 'b', 'c', 'd']);
  });

  it('are for short messages where long ones have taken all of theirs', async () => {
    const { served, ask } = budget();
    for (const one of ['a', 'b', 'c', 'd']) await ask(one, `${one}.test`, 40);
    await ask('short', 'e.test', 5);
    expect(served).toEqual(['a', 'b', 'short']);
  });

  it('are for a message longer than all of them once it is alone', async () => {
    const { served, ask, done } = budget();
    await ask('a', 'a.test', 6);
    await ask('huge', 'b.test', 1000);
    await ask('b', 'b.test', 6);
    await ask('c', 'c.test', 6);
    expect(served).toEqual(['a']);
    await done('a');
    expect(served).toEqual(['a', 'huge']);
    await done('huge');
    expect(served).toEqual(['a', 'huge', 'b', 'c']);
  });

  it('come back whole: what was given back can be had again', async () => {
    const { served, ask, done } = budget();
    for (let i = 0; i < 50; i++) {
      await ask(`${i}`, `${i % 3}.test`, 40);
      await done(`${i}`);
    }
    await ask('a', '0.test', 40);
    await ask('b', '1.test', 40);
    expect(served).toHaveLength(52);
  });
});
