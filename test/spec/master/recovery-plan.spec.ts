import { describe, expect, test } from 'vitest';
import { planRecovery, type Evidence, type NodeReport } from '../../../storage-nodes/master/recovery-plan.ts';
import { configurationHash } from '../../../storage-nodes/master/configuration-hash.ts';
import type { Configuration } from '../../../storage-nodes/replication/configuration.ts';
import { epoch, version, type NodeId } from '../../../storage-nodes/words.ts';
import { after, first, NODES } from '../../contract/configurations.ts';

const [n1, n2, n3] = NODES;
const one = first();
const two = after(one);
const three = after(two, { inSync: [n1, n2] });

type Copy = { last: number; role?: string; serving?: boolean; isSuspect?: boolean };

function holding(node: NodeId, configurations: readonly Configuration[], copy?: Copy): NodeReport {
  const copies = copy ? [{ tablet: 't01', role: 'replica', serving: false, isSuspect: false, ...copy }] : [];
  return { node, configurations, copies };
}

function plan(
  stored: readonly Configuration[],
  reports: readonly NodeReport[],
  forced: Readonly<Record<string, NodeId>> = {},
) {
  const silent = [n1, n2, n3].filter((node) => !reports.some((report) => report.node === node));
  const evidence: Evidence = { stored, reports, silent };
  return planRecovery(evidence, new Map(Object.entries(forced)));
}

describe('a recovery', () => {
  test('leaves a store alone that is where the nodes are, or further', () => {
    const nodes = [n1, n2, n3].map((node) => holding(node, [two], { last: 5, serving: node === n1 }));
    expect(plan([two], nodes)).toMatchObject([{ tablet: 't01', kind: 'sound' }]);
    expect(plan([three], nodes)).toMatchObject([{ kind: 'sound' }]);
  });

  test.each([
    ['has lost it', [], undefined],
    ['is behind', [one], one],
    ['has another of the same age', [after(two, { inSync: [n1, n3] })], after(two, { inSync: [n1, n3] })],
  ])('puts back the newest that any node holds where the store %s', (_what, stored, current) => {
    const nodes = [holding(n1, [three]), holding(n2, [two]), holding(n3, [one])];
    expect(plan(stored, nodes)).toEqual([{ tablet: 't01', kind: 'restore', next: three, current }]);
  });

  test('waits for every node that might hold a newer one', () => {
    const [step] = plan([one], [holding(n1, [three]), holding(n2, [three])]);
    expect(step).toMatchObject({ kind: 'blocked', why: expect.stringContaining('n3 may hold a newer') });
  });

  test('does not choose between nodes that hold different ones of the same age', () => {
    const rival = after(two, { inSync: [n1, n3] });
    const [step] = plan([one], [holding(n1, [three]), holding(n2, [two]), holding(n3, [rival])]);
    expect(step).toMatchObject({ kind: 'blocked', why: 'nodes hold different configurations of version 3' });
  });

  test('takes a newer lineage for newer, whatever the versions', () => {
    const forced = {
      ...one,
      lineage: 2,
      version: three.version,
      epoch: three.epoch,
      predecessor: configurationHash(two),
    };
    const later = after(after(three));
    expect(
      plan(
        [later],
        [n1, n2, n3].map((node) => holding(node, [forced])),
      ),
    ).toMatchObject([{ kind: 'restore', next: forced }]);
  });

  test('says of a tablet without a usable in-sync copy which copies there are, and what each would lose', () => {
    const [step] = plan(
      [three],
      [holding(n2, [three], { last: 7, role: 'quarantined' }), holding(n3, [one], { last: 4 })],
    );
    expect(step).toEqual({
      tablet: 't01',
      kind: 'blocked',
      why: 'no in-sync copy (n1, n2) can be used: the tablet waits for it',
      choices: [
        {
          node: n3,
          last: 4,
          isSuspect: false,
          mayLose: ['whatever n1 has behind entry 4', 'whatever the damaged copy on n2 had behind entry 4'],
        },
      ],
    });
  });

  test('offers copies on which an fsync failed, when there are no better ones, and says so', () => {
    const suspect = { role: 'quarantined', isSuspect: true };
    const nodes = [
      holding(n1, [three], { last: 9, ...suspect }),
      holding(n2, [three], { last: 7, ...suspect }),
    ];
    const [step] = plan([three], nodes);
    expect(step).toMatchObject({
      kind: 'blocked',
      choices: [
        { node: n1, isSuspect: true, mayLose: ['what the disk of n1 did not keep when an fsync failed'] },
        {
          node: n2,
          mayLose: ['what the disk of n2 did not keep when an fsync failed', 'entries 8 to 9, which n1 has'],
        },
      ],
    });
    expect(plan([three], nodes, { t01: n1 })).toMatchObject([
      { kind: 'force', next: { primary: n1, inSync: [n1] } },
    ]);
  });
});

describe('forcing a copy', () => {
  test('makes the successor of the newest known, in the next lineage, with that copy alone', () => {
    const [step] = plan([one], [holding(n3, [three], { last: 4 })], { t01: n3 });
    expect(step).toMatchObject({ kind: 'force', current: one, choice: { node: n3 } });
    expect(step).toMatchObject({
      next: {
        ...three,
        version: 4,
        epoch: three.epoch + 1,
        lineage: 2,
        primary: n3,
        inSync: [n3],
        predecessor: configurationHash(three),
      },
    });
  });

  test('gives no epoch away that anybody holds, also in an older lineage', () => {
    const forced = { ...after(two), lineage: 2 };
    const strayed = { ...after(three), version: version(40), epoch: epoch(30) };
    const nodes = [holding(n2, [forced], { last: 7 }), holding(n3, [strayed], { last: 9 })];
    expect(plan([forced], nodes, { t01: n3 })).toMatchObject([
      { kind: 'force', next: { lineage: 3, epoch: 31, version: 41 } },
    ]);
  });

  test('lists the entries that others have and it has not', () => {
    const nodes = [holding(n2, [three], { last: 9 }), holding(n3, [three], { last: 4 })];
    expect(plan([three], nodes, { t01: n3 })).toMatchObject([
      {
        kind: 'force',
        choice: { mayLose: ['entries 5 to 9, which n2 has', 'whatever n1 has behind entry 4'] },
      },
    ]);
  });

  test.each([
    [
      'a tablet that is served',
      n2,
      [holding(n1, [three], { last: 9, serving: true }), holding(n2, [three], { last: 9 })],
      'being served',
    ],
    ['a node without a copy', n3, [holding(n2, [three], { last: 9 }), holding(n3, [])], 'n3 has no copy'],
    [
      'a copy that is quarantined',
      n2,
      [holding(n2, [three], { last: 9, role: 'quarantined' })],
      'n2 has no copy',
    ],
  ])('is refused for %s', (_what, node, nodes, why) => {
    expect(plan([three], nodes, { t01: node })).toMatchObject([
      { kind: 'blocked', why: expect.stringContaining(why) },
    ]);
  });

  test('of a tablet that nobody knows is refused', () => {
    expect(plan([], [], { t99: n1 })).toMatchObject([
      { tablet: 't99', kind: 'blocked', why: 'nobody knows this tablet' },
    ]);
  });
});
