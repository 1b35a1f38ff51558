/**
 * The master's rules and the rules of a node that asks it, put together without sockets: real stores, links
 * that hand requests over directly.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Fault } from '../../../storage-nodes/faults.ts';
import { ConfigClient, type MasterLink } from '../../../storage-nodes/master/config-client.ts';
import { EmbeddedConfigStore } from '../../../storage-nodes/master/embedded-config-store.ts';
import { Master } from '../../../storage-nodes/master/master.ts';
import { canonical, type Configuration } from '../../../storage-nodes/replication/configuration.ts';
import { realTimers } from '../../../storage-nodes/timers.ts';
import { tabletId, type NodeId } from '../../../storage-nodes/words.ts';
import { after, first, NODES } from '../../contract/configurations.ts';

const logger = pino({ level: 'silent' });
const [n1, n2, n3] = NODES;
const MEMBERS = [n1, n2, n3];

let folder: string;
let store: EmbeddedConfigStore;
let master: Master;
let others: (() => void)[];

function newMaster(): Master {
  const made = new Master({ store, nodes: MEMBERS, timers: realTimers, logger, isActive: () => true });
  made.start();
  others.push(() => made.stop());
  return made;
}

beforeEach(async () => {
  others = [];
  folder = await mkdtemp(join(tmpdir(), 'penncloud-master-'));
  store = new EmbeddedConfigStore({ folder });
  await store.open();
  master = newMaster();
});
afterEach(async () => {
  for (const stop of others) stop();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

type Trouble = 'none' | 'lost answer' | 'no answer';

/** A connection to a master that hands over at once; `trouble` befalls compare-and-sets. */
function link(to: Master, id: NodeId, trouble: () => Trouble): MasterLink {
  let open = true;
  const made: MasterLink = {
    onPush: () => {},
    onClose: () => {},
    async ask(kind, args) {
      if (!open) throw new Fault('Closed', 'closed');
      const results = await to.ask(session, kind, args);
      if (kind !== 'config.cas' || trouble() === 'none') return { results };
      if (trouble() === 'no answer') return new Promise(() => {});
      made.close();
      throw new Fault('Closed', 'closed');
    },
    close() {
      if (!open) return;
      open = false;
      to.left(session);
      made.onClose();
    },
  };
  const session = { id, push: (fields: readonly unknown[]) => open && made.onPush(fields) };
  return made;
}

/** A node's side, with what it holds. */
function node(
  id: NodeId,
  held: Configuration[] = [],
  masters: Record<string, () => Master | undefined> = { m: () => master },
) {
  const heard: Configuration[] = [];
  const suspected: NodeId[] = [];
  const state = { trouble: 'none' as Trouble };
  const client = new ConfigClient({
    masters: new Map(
      Object.entries(masters).map(([name, find]) => [
        name,
        async () => {
          const found = find();
          if (!found) throw new Fault('Closed', 'nobody there');
          return link(found, id, () => state.trouble);
        },
      ]),
    ),
    held: () => held,
    onConfiguration: (configuration) => heard.push(configuration),
    onSuspected: (suspect) => suspected.push(suspect),
    timers: realTimers,
    logger,
  });
  client.start();
  others.push(() => client.stop());
  return { client, heard, suspected, state };
}

const versionsHeard = (heard: readonly Configuration[], tablet = 't01'): number[] =>
  heard.filter((configuration) => configuration.tablet === tablet).map(({ version }) => version);

/** What takes a moment on a busy machine. */
const PATIENCE = { timeout: 10_000 };

describe('a new cluster', () => {
  test('gets its tablets when all its nodes have reported, and not before', async () => {
    const early = [node(n1), node(n2)];
    await vi.waitFor(() => expect(early.every(({ client }) => client.connected)).toBe(true), PATIENCE);
    expect(await store.all()).toEqual([]);
    const last = node(n3);
    for (const { heard } of [...early, last])
      await vi.waitFor(() => expect(new Set(heard.map(({ tablet }) => tablet)).size).toBe(12), PATIENCE);
  });

  test('gets none that a node holds something of: the store has lost it', async () => {
    const held = after(after({ ...first('t03') }));
    for (const id of [n1, n2]) node(id);
    node(n3, [held]);
    await vi.waitFor(async () => expect(await store.all()).toHaveLength(11));
    expect(await store.get(held.tablet)).toBeUndefined();
    await vi.waitFor(() =>
      expect(master.alarms).toEqual([
        'n3 holds version 3 of t03, the config store has none: nothing changes there until `penncloud recover`',
      ]),
    );
  });
});

describe('a first version, which says that nothing was ever written', () => {
  test('is told to nobody before every node has reported', async () => {
    await store.compareAndSet(first());
    const early = node(n1);
    await vi.waitFor(() => expect(early.client.connected).toBe(true));
    expect(early.heard).toEqual([]);
    node(n2);
    node(n3);
    await vi.waitFor(() => expect(versionsHeard(early.heard)).toContain(1));
  });
});

describe('a store that is behind what a node holds (rule 9)', () => {
  const one = first();
  const two = after(one);
  const three = after(two, { inSync: [n1, n2] });

  test.each([
    ['an older one', one, 'n1 holds version 3 of t01, the config store has version 1'],
    ['none', undefined, 'n1 holds version 3 of t01, the config store has none'],
  ])(
    'with %s: changes nothing for that tablet, tells nobody of it, and says so',
    async (_what, stored, why) => {
      if (stored) await store.compareAndSet(stored);
      await store.compareAndSet(first('t02'));
      const holder = node(n1, [three]);
      const asker = node(n2, stored ? [stored] : []);
      node(n3);
      await vi.waitFor(() =>
        expect(master.alarms).toEqual([`${why}: nothing changes there until \`penncloud recover\``]),
      );
      const next = stored ? after(stored, { inSync: [n2, n1] }) : one;
      await vi.waitFor(() => expect(asker.client.connected).toBe(true));
      expect(await asker.client.compareAndSet(next)).toEqual({ outcome: 'unsent' });
      expect(await store.get(one.tablet)).toEqual(stored);
      expect(versionsHeard(holder.heard)).toEqual([]);
      expect(await asker.client.compareAndSet(after(first('t02')))).toEqual({ outcome: 'stored' });
    },
  );

  test('with another one of the same age: likewise', async () => {
    const other = after(two, { inSync: [n1, n3] });
    for (const next of [one, two, other]) await store.compareAndSet(next);
    const holder = node(n1, [three]);
    await vi.waitFor(() => expect(holder.client.connected).toBe(true));
    expect(master.alarms[0]).toContain('the config store has another version 3');
    expect(await holder.client.compareAndSet(after(other))).toEqual({ outcome: 'unsent' });
  });

  test('is found behind by the asker itself, though it reported before it learnt the newer one from a peer', async () => {
    await store.compareAndSet(one);
    const held: Configuration[] = [];
    const asker = node(n1, held);
    await vi.waitFor(() => expect(asker.client.connected).toBe(true));
    held.push(two);
    expect(await asker.client.compareAndSet(three)).toEqual({ outcome: 'unsent' });
    expect(master.alarms).toHaveLength(1);
  });

  test('went back while the master ran: that master noticed', async () => {
    for (const next of [one, two, three]) await store.compareAndSet(next);
    await store.replace(one, three);
    await vi.waitFor(() => expect(master.alarms[0]).toContain('this master holds version 3 of t01'), 5000);
  });

  test('changes again, and tells, once an operator has put back what nodes hold', async () => {
    await store.compareAndSet(one);
    const holder = node(n1, [three]);
    await vi.waitFor(() => expect(master.alarms).toHaveLength(1));
    const operator = link(master, 'operator' as NodeId, () => 'none');
    const { results } = await operator.ask('config.replace', [canonical(three), canonical(one)]);
    expect(results).toEqual(['stored']);
    expect(master.alarms).toEqual([]);
    await vi.waitFor(() => expect(versionsHeard(holder.heard)).toContain(3));
    expect(await holder.client.compareAndSet(after(three))).toEqual({ outcome: 'stored' });
  });

  test('is no longer behind when it is newer than what nodes hold', async () => {
    for (const next of [one, two, three]) await store.compareAndSet(next);
    const holder = node(n1, [two]);
    await vi.waitFor(() => expect(holder.client.connected).toBe(true));
    expect(master.alarms).toEqual([]);
    expect(versionsHeard(holder.heard)).toEqual([3]);
  });
});

describe('what a node may conclude from a compare-and-set', () => {
  const one = first();
  const two = after(one);

  test('unsent when no master was reached', async () => {
    const lonely = node(n1, [], { m: () => undefined });
    expect(await lonely.client.compareAndSet(one)).toEqual({ outcome: 'unsent' });
    expect(lonely.client.connected).toBe(false);
  });

  test('refused, with what is stored', async () => {
    for (const next of [one, two]) await store.compareAndSet(next);
    const late = node(n1);
    await vi.waitFor(() => expect(late.client.connected).toBe(true));
    expect(await late.client.compareAndSet(after(one, { inSync: [n1] }))).toEqual({
      outcome: 'refused',
      current: two,
    });
  });

  test('invalid, and not in doubt, when it breaks a rule: nobody ever stores it', async () => {
    await store.compareAndSet(one);
    const asker = node(n1, [one]);
    await vi.waitFor(() => expect(asker.client.connected).toBe(true));
    const answer = await asker.client.compareAndSet({ ...two, inSync: [] });
    expect(answer).toEqual({ outcome: 'invalid', reason: expect.stringContaining('primary') as string });
    expect(asker.client.connected).toBe(true);
    expect(await store.get(one.tablet)).toEqual(one);
  });

  test('ambiguous when the answer was lost, and the truth when it asks again', async () => {
    await store.compareAndSet(one);
    const asker = node(n1, [one]);
    await vi.waitFor(() => expect(asker.client.connected).toBe(true));
    asker.state.trouble = 'lost answer';
    expect(await asker.client.compareAndSet(two)).toEqual({ outcome: 'ambiguous' });
    asker.state.trouble = 'none';
    await vi.waitFor(() => expect(asker.client.connected).toBe(true));
    expect(await asker.client.compareAndSet(two)).toEqual({ outcome: 'stored' });
  });

  test(
    'ambiguous when no answer comes in time; the connection is given up',
    { timeout: 15_000 },
    async () => {
      await store.compareAndSet(one);
      const asker = node(n1, [one]);
      await vi.waitFor(() => expect(asker.client.connected).toBe(true));
      asker.state.trouble = 'no answer';
      expect(await asker.client.compareAndSet(two)).toEqual({ outcome: 'ambiguous' });
    },
  );
});

describe('two masters on one store', () => {
  test('either answers; when one is gone the node asks the other, and hears from both', async () => {
    const second = newMaster();
    const masters = { a: master as Master | undefined, b: second as Master | undefined };
    const one = first();
    await store.compareAndSet(one);
    const here = node(n1, [one], { a: () => masters.a, b: () => masters.b });
    for (const id of [n2, n3]) node(id, [one], { a: () => masters.a, b: () => masters.b });
    await vi.waitFor(() => expect(here.client.connected).toBe(true));
    here.state.trouble = 'lost answer';
    masters.a = undefined;
    expect(await here.client.compareAndSet(after(one))).toEqual({ outcome: 'ambiguous' });
    here.state.trouble = 'none';
    await vi.waitFor(async () =>
      expect(await here.client.compareAndSet(after(one))).toEqual({ outcome: 'stored' }),
    );
    await vi.waitFor(() => expect(versionsHeard(here.heard)).toContain(2));
    expect((await store.get(tabletId('t01')))?.version).toBe(2);
  });

  test('a suspicion reaches every node', async () => {
    const here = node(n1);
    await vi.waitFor(() => expect(here.client.connected).toBe(true));
    master.suspect(n3);
    expect(here.suspected).toEqual([n3]);
  });
});
