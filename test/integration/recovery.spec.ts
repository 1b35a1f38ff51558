/** An operator's recovery on real nodes: the config store lost, and a tablet whose last copy is lost. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { carryOut, gatherEvidence, type RecoveryPlaces } from '../../storage-nodes/master/recovery.ts';
import { planRecovery, type Step } from '../../storage-nodes/master/recovery-plan.ts';
import { nodeId, type NodeId } from '../../storage-nodes/words.ts';
import { SECRET, startLocalStore, type LocalStore } from './local-store.ts';

let store: LocalStore;
let places: RecoveryPlaces;
beforeEach(async () => {
  store = await startLocalStore();
  places = { masters: [store.master], nodes: store.nodes, secret: SECRET };
  await store.settled();
});
afterEach(() => store?.stop());

let commands = 0;
const put = (row: string, value: string) =>
  store.client.execute({
    id: `put-${commands++}`,
    expiresAt: Date.now() + 60_000,
    stream: row,
    type: 'kv.Put',
    data: { column: 'c' },
    parts: [Buffer.from(value)],
    actor: 'test',
    session: '',
    action: 'Put a value',
  });
const get = async (row: string): Promise<string | undefined> => {
  const { results } = await store.client.read(row, [{ get: { row, column: 'c' } }]);
  const cell = results[0]?.[0];
  return cell && (await store.client.bytes(cell)).toString();
};

async function recover(forced = new Map<string, NodeId>()): Promise<Step[]> {
  const steps = planRecovery(await gatherEvidence(places), forced);
  for (const step of steps)
    if (step.kind === 'restore' || step.kind === 'force') await carryOut(places, step);
  return steps;
}

/** Polls a plan until it is as wanted. */
async function planUntil(wanted: (steps: readonly Step[]) => boolean): Promise<Step[]> {
  for (;;) {
    const steps = planRecovery(await gatherEvidence(places), new Map());
    if (wanted(steps)) return steps;
    await sleep(100);
  }
}

describe('a config store that has lost everything', () => {
  test('changes nothing until it is rebuilt from what the nodes hold; then all goes on', async () => {
    await put('a', 'before');
    await store.stopMaster();
    await rm(join(store.folder, 'master'), { recursive: true });
    await store.startMaster();
    expect(await get('a')).toBe('before');
    await put('a', 'meanwhile');

    const restored = await planUntil(
      (steps) => steps.length === 12 && steps.every(({ kind }) => kind === 'restore'),
    );
    expect(restored.every((step) => step.kind === 'restore' && step.current === undefined)).toBe(true);
    await recover();
    expect((await recover()).map(({ kind }) => kind)).toEqual(Array(12).fill('sound'));
    // Memberships change again: a node may leave and come back.
    await store.stopNode('node-3');
    await put('a', 'without node-3');
    await store.settled(2);
    await store.startNode('node-3');
    await store.settled(3);
    expect(await get('a')).toBe('without node-3');
  });
});

describe('a tablet whose last in-sync copy is lost', () => {
  test('goes on from the copy that the operator forces, and takes the lost one back as a learner', async () => {
    await put('a', 'everybody has it');
    for (const id of ['node-2', 'node-3']) await store.stopNode(id);
    await put('a', 'only node-1 has it');
    await store.settled(1);
    await store.stopNode('node-1');
    for (const id of ['node-2', 'node-3']) await store.startNode(id);

    const stuck = await planUntil(
      (steps) =>
        steps.length === 12 && steps.every((step) => step.kind === 'blocked' && step.choices.length === 2),
    );
    for (const step of stuck)
      expect(step).toMatchObject({
        kind: 'blocked',
        why: 'no in-sync copy (node-1) can be used: the tablet waits for it',
      });
    const forced = await recover(new Map(stuck.map(({ tablet }) => [tablet as string, nodeId('node-2')])));
    for (const step of forced) expect(step).toMatchObject({ kind: 'force', choice: { node: 'node-2' } });
    await store.settled(2);
    expect(await get('a')).toBe('everybody has it');
    await put('a', 'in the new lineage');

    await store.startNode('node-1');
    await store.settled(3);
    expect(await get('a')).toBe('in the new lineage');
    for (const { id } of await store.client.tablets()) {
      await expect
        .poll(async () => {
          const digests = await Promise.all(store.nodes.map((node) => store.client.nodeDigest(node.id, id)));
          return new Set(digests.map(({ applied, digest }) => `${applied} ${digest}`)).size;
        })
        .toBe(1);
    }
  }, 60_000);
});
