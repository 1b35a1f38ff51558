/** A node whose wall clock is hours off leads: entries have the right time all the same. */
import { afterEach, expect, it } from 'vitest';
import type { CommandRequest } from '../../storage-nodes/client/client.ts';
import { startLocalStore, type LocalStore } from './local-store.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ROWS = ['0', 'apple', 'house', 'night', 'piano', 'tree', 'zebra'];

let store: LocalStore | undefined;
let count = 0;
afterEach(() => store?.stop());

/** One that is refused if log time is more than a minute ahead. */
const put = (row: string): CommandRequest => ({
  id: `clock-${++count}`,
  expiresAt: Date.now() + MINUTE,
  stream: row,
  type: 'kv.Put',
  data: { column: 'c' },
  parts: [Buffer.from('value')],
  actor: 'test',
  session: '',
  action: 'Put',
});

async function expectRightTimes({ client }: LocalStore): Promise<void> {
  const answers = await Promise.all(ROWS.map((row) => client.execute(put(row))));
  for (const { time } of answers) expect(Math.abs(time - Date.now())).toBeLessThan(MINUTE);
}

it.each([
  ['ahead', 14 * HOUR],
  ['behind', -14 * HOUR],
])(
  'by a clock that is hours %s, from the first entry on and after it has led',
  { timeout: 90_000 },
  async (_, by) => {
    const wrong = 'node-1';
    const cluster = (store = await startLocalStore({
      wallClock: (id) => Date.now() + (id === wrong ? by : 0),
    }));
    await cluster.settled();
    await expectRightTimes(cluster);

    // It comes to lead all of them, knowing no other clock when it starts.
    await cluster.stopNode(wrong);
    await cluster.startNode(wrong);
    await cluster.settled();
    const led = () =>
      cluster.client
        .tabletStatus()
        .then((tablets) => tablets.filter(({ primary }) => primary === wrong).length);
    await cluster.drainNode('node-2');
    await cluster.stopNode('node-2');
    await expect.poll(led, { timeout: 20_000 }).toBeGreaterThan(0);
    await expectRightTimes(cluster);

    // Nor does silence leave it alone with its own clock.
    await cluster.drainNode('node-3');
    await cluster.stopNode('node-3');
    await cluster.settled(1);
    expect(await led()).toBe((await cluster.client.tabletStatus()).length);
    await expectRightTimes(cluster);

    await cluster.startNode('node-2');
    await cluster.startNode('node-3');
    await cluster.settled();
    await expectRightTimes(cluster);
    await expect
      .poll(() => cluster.alarms(wrong).join('; '))
      .toMatch(new RegExp(`this node's clock is \\d+ s ${by > 0 ? 'ahead of' : 'behind'} the other nodes'`));
    // Of two clocks none can be told to be the wrong one: it waits until it hears the third.
    await expect.poll(() => cluster.alarms('node-3').join('; ')).not.toContain('clock');
    expect(cluster.fatal).toEqual([]);
  },
);
