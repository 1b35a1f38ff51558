/**
 * Rule 12: an fsync of a node fails, once. The node stops; when it starts again its copies are not trusted,
 * though all of their bytes read well, and are fetched anew. Only a copy that is the only one serves on.
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { FilePort } from '../../storage-nodes/log/files.ts';
import { carryOut, gatherEvidence } from '../../storage-nodes/master/recovery.ts';
import { planRecovery, type Step } from '../../storage-nodes/master/recovery-plan.ts';
import { nodeId } from '../../storage-nodes/words.ts';
import { UnreliableFiles } from '../recovery/unreliable-files.ts';
import { SECRET, startLocalStore, type LocalStore } from './local-store.ts';

const ROWS = ['0', 'apple', 'house', 'night', 'piano', 'tree', 'zebra'];
const victim = 'node-1';

let store: LocalStore;
/** On these nodes the next fsync of the journal fails. */
let due: Set<string>;
/** What the victim's copies were, one after the other, by tablet. */
let roles: Map<string, string[]>;
let written: Map<string, string>;
let count = 0;

function filesOf(node: string): FilePort {
  const disk = new UnreliableFiles();
  disk.fails = (operation, path) =>
    operation === 'fsync' && path.endsWith('.journal') && due.delete(node) ? 'EIO' : undefined;
  return disk.port;
}

beforeEach(async () => {
  [due, roles, written] = [new Set(), new Map(), new Map()];
  store = await startLocalStore({
    files: filesOf,
    onLine: (node, line) => {
      const { tablet, role } = JSON.parse(line) as { tablet?: string; role?: string };
      if (node !== victim || !tablet || !role) return;
      const before = roles.get(tablet) ?? [];
      if (before.at(-1) !== role) roles.set(tablet, [...before, role]);
    },
  });
  await store.settled();
}, 60_000);
afterEach(() => store?.stop());

async function put(row: string): Promise<void> {
  const value = `value ${++count}`;
  const command = { type: 'kv.Put', data: { column: 'c' }, parts: [Buffer.from(value)], action: 'Put' };
  const by = { expiresAt: Date.now() + 600_000, actor: 'test', session: '' };
  await store.client.execute({ ...command, ...by, id: `sync-${count}`, stream: row });
  written.set(row, value);
}

async function expectAllWritten(): Promise<void> {
  for (const [row, value] of written) {
    const { results } = await store.client.read(row, [{ get: { row, column: 'c' } }]);
    expect((await store.client.bytes(results[0]![0]!)).toString()).toBe(value);
  }
}

async function expectSameEverywhere(): Promise<void> {
  for (const { id } of await store.client.tablets()) {
    const digests = async () =>
      Promise.all(store.nodes.map((node) => store.client.nodeDigest(node.id, id))).then(
        (all) => new Set(all.map(({ applied, digest }) => `${applied} ${digest}`)).size,
      );
    await expect.poll(digests, { timeout: 20_000 }).toBe(1);
  }
}

/** Resolves when the victim's process would have ended; starts it again, on a disk that works. */
async function failAndRestart(writing: () => Promise<unknown>): Promise<void> {
  due.add(victim);
  const wrote = writing();
  await expect.poll(() => store.fatal.length, { timeout: 20_000 }).toBeGreaterThan(0);
  expect(store.fatal[0]).toMatchObject({ code: 'DiskFailed' });
  await store.stopNode(victim);
  store.fatal.length = 0;
  roles.clear();
  await store.startNode(victim);
  await wrote;
}

it('is a learner first, and gets everything again', { timeout: 120_000 }, async () => {
  for (const row of ROWS) await put(row);
  await failAndRestart(() => Promise.all(ROWS.map(put)));
  await store.settled();
  await expectAllWritten();
  await expectSameEverywhere();
  const tablets = await store.client.tablets();
  expect([...roles.keys()].sort()).toEqual(tablets.map(({ id }) => id).sort());
  for (const [tablet, was] of roles) {
    expect(was, tablet).toContain('learner');
    expect(was.indexOf('replica'), `${tablet}: ${was.join()}`).toBeGreaterThan(was.indexOf('learner'));
  }
  // A later start finds nothing wrong.
  await store.stopNode(victim);
  roles.clear();
  await store.startNode(victim);
  await store.settled();
  for (const was of roles.values()) expect(was).not.toContain('quarantined');
  expect(store.fatal).toEqual([]);
});

it(
  'as the only copy serves on, loudly, and is fetched anew once it is not',
  { timeout: 120_000 },
  async () => {
    for (const row of ROWS) await put(row);
    for (const other of ['node-2', 'node-3']) {
      await store.drainNode(other);
      await store.stopNode(other);
    }
    await store.settled(1);
    for (const row of ROWS) await put(row);
    await failAndRestart(() => put('apple'));
    await store.settled(1);
    await expectAllWritten();
    await put('apple');
    const tablets = await store.client.tablets();
    for (const { id } of tablets) {
      expect(store.alarms(victim)).toContainEqual(
        expect.stringMatching(
          `${id}: the log is suspect: .*fsync-failed at 0: an fsync failed in an earlier run`,
        ),
      );
      expect(roles.get(id)).toEqual(['primary']);
    }

    await store.startNode('node-2');
    await store.startNode('node-3');
    await expect
      .poll(() => [...roles.values()].every((was) => was.includes('learner')), { timeout: 60_000 })
      .toBe(true);
    await store.settled();
    for (const row of ROWS) await put(row);
    await expectAllWritten();
    await expectSameEverywhere();
    expect(store.alarms(victim).filter((alarm) => alarm.includes('suspect'))).toEqual([]);
    expect(store.fatal).toEqual([]);
  },
);

it(
  'on all nodes at once: waits for an operator, who is shown what may be lost, and goes on from one',
  { timeout: 120_000 },
  async () => {
    for (const row of ROWS) await put(row);
    const tablets = (await store.client.tablets()).map(({ id }) => id);
    const ids = store.nodes.map(({ id }) => id);
    for (const id of ids) due.add(id);
    // Nobody knows what becomes of these.
    const lost = Promise.allSettled(
      ROWS.map((row) =>
        store.client.execute(
          {
            id: `lost-${row}`,
            stream: row,
            type: 'kv.Put',
            data: { column: 'lost' },
            parts: [Buffer.from('?')],
            action: 'Put',
            expiresAt: Date.now() + 600_000,
            actor: 'test',
            session: '',
          },
          { deadlineMs: 3000 },
        ),
      ),
    );
    await expect.poll(() => due.size, { timeout: 20_000 }).toBe(0);
    await lost;
    for (const id of ids) await store.stopNode(id);
    store.fatal.length = 0;
    for (const id of ids) await store.startNode(id);

    const places = { masters: [store.master], nodes: store.nodes, secret: SECRET };
    const plan = async (forced: ReadonlyMap<string, string> = new Map()): Promise<Step[]> =>
      planRecovery(
        await gatherEvidence(places),
        new Map([...forced].map(([tablet, node]) => [tablet, nodeId(node)])),
      );
    const blocked = async () =>
      (await plan()).filter(({ kind }) => kind === 'blocked').map(({ tablet }) => tablet);
    await expect.poll(blocked, { timeout: 20_000 }).toEqual(tablets);
    const forced = new Map<string, string>();
    for (const step of await plan()) {
      if (step.kind !== 'blocked') throw new Error(`${step.tablet} is ${step.kind}`);
      const [best] = step.choices;
      expect(step.choices.map(({ node }) => node).sort()).toEqual(ids);
      expect(best!.mayLose[0]).toBe(`what the disk of ${best!.node} did not keep when an fsync failed`);
      forced.set(step.tablet, best!.node);
    }
    for (const step of await plan(forced)) if (step.kind === 'force') await carryOut(places, step);

    await store.settled();
    await expectAllWritten();
    for (const row of ROWS) await put(row);
    await expectAllWritten();
    await expectSameEverywhere();
    for (const id of ids)
      expect(store.alarms(id).filter((alarm) => /suspect|quarantined/.test(alarm))).toEqual([]);
    expect(store.fatal).toEqual([]);
  },
);
