/** Rule 13: cells by snapshot, beside the log; asked for piece by piece, by a learner far behind. */
import { describe, expect, it } from 'vitest';
import type { Input } from '../../../storage-nodes/replication/messages.ts';
import type { NodeId, Seq } from '../../../storage-nodes/words.ts';
import { Copy, servingPrimary, TIMING } from './dialogue.ts';

const FAR = TIMING.snapshotEntries;

/** A learner that has heard of FAR committed entries, and holds none. */
function farBehind(): Copy {
  const c = new Copy('c').in(2, 4);
  c.learns('v4 e2 a [a b]');
  c.waits(50);
  c.hears('a', { type: 'withdrawn', at: 1000 });
  c.learns('v4 e2 a [a b]');
  c.hears('a', { type: 'beacon', sentAt: 1, commit: FAR as Seq });
  return c;
}

const chunk = (snapshot: string, number: number, isLast = false, at = 3) =>
  ({
    type: 'snapshotChunk',
    snapshot,
    chunk: number,
    at: at as Seq,
    isLast,
    bytes: new Uint8Array(10),
    crc: 0,
  }) as const;

const found = (isLast: boolean) => ({ at: 3 as Seq, isLast, bytes: new Uint8Array(10), crc: 0 });
const cellsRead = (snapshot: string, number: number, isLast = false): Input => ({
  kind: 'cellsRead',
  peer: 'c' as NodeId,
  snapshot,
  chunk: number,
  found: found(isLast),
});

describe('a learner far behind', () => {
  it('stops projecting and asks the primary for a snapshot', () => {
    expect(farBehind().waits(50)).toEqual(['begin an import', 'to a in e2 v4: snapshotAsk /1']);
  });

  it('does so only when it is far behind', () => {
    const c = farBehind();
    c.step({ kind: 'applied', upTo: 1 as Seq });
    expect(c.waits(50)).toEqual([]);
  });

  it('asks for one piece after the other, and again for one that does not come', () => {
    const c = farBehind();
    c.waits(50);
    expect(c.hears('a', chunk('l0.f1.2.1', 1))).toEqual(['import l0.f1.2.1/1']);
    expect(c.hears('a', chunk('l0.f1.2.1', 1))).toEqual([]);
    expect(c.step({ kind: 'cellsImported', snapshot: 'l0.f1.2.1', chunk: 1, isLast: false })).toEqual([
      'to a in e2 v4: snapshotAsk l0.f1.2.1/2',
    ]);
    expect(c.waits(TIMING.retryMs)).toEqual(['to a in e2 v4: snapshotAsk l0.f1.2.1/2']);
  });

  it('adopts the cells once its own log is committed as far', () => {
    const c = farBehind();
    c.waits(50);
    c.hears('a', chunk('l0.f1.2.1', 1, true));
    c.step({ kind: 'cellsImported', snapshot: 'l0.f1.2.1', chunk: 1, isLast: true });
    expect(c.waits(100)).toEqual([]);
    c.hearsAppend('a', '0@0', '1@2 2@2 3@2', 3);
    c.stored('3@2');
    expect(c.waits(50)).toEqual(['adopt l0.f1.2.1 as of 3']);
    expect(c.step({ kind: 'cellsAdopted' })).toEqual([]);
  });

  it('begins anew, not at once, when the primary has it no more or a piece is bad', () => {
    for (const setback of ['gone', 'bad'] as const) {
      const c = farBehind();
      c.waits(50);
      c.hears('a', chunk('l0.f1.2.1', 1));
      const said =
        setback === 'gone'
          ? c.hears('a', { type: 'snapshotGone', snapshot: 'l0.f1.2.1' })
          : c.step({ kind: 'importFailed', snapshot: 'l0.f1.2.1' });
      expect(said).toEqual(['abandon the import']);
      expect(c.waits(TIMING.graceMs - 50)).toEqual([]);
      expect(c.waits(100)[0]).toBe('begin an import');
    }
  });

  it('goes on after a restart with the piece that follows', () => {
    const imported = { snapshot: 'l0.f1.2.1', chunk: 4, at: 3 as Seq, isLast: false };
    const c = new Copy('c', { configuration: 'v4 e2 a [a b]', imported });
    expect(c.waits(TIMING.retryMs).at(-1)).toBe('to a in e2 v4: snapshotAsk l0.f1.2.1/5');
  });

  it('throws away after a restart what was taken in a lineage that has ended: its cells may tell of entries that are gone', () => {
    for (const isLast of [false, true]) {
      const imported = { snapshot: 'l0.f1.2.1', chunk: 4, at: 1 as Seq, isLast };
      const c = new Copy('c', {
        configuration: 'l1 v5 e4 a [a b]',
        log: '1@4',
        committed: 1,
        imported,
      });
      const said = c.waits(TIMING.retryMs);
      expect(said).toContain('abandon the import');
      expect(said.join()).not.toMatch(/adopt|snapshotAsk/);
    }
  });

  it('projects from the log after all if it must lead', () => {
    const c = new Copy('c', {
      configuration: 'v4 e2 a [a c]',
      log: '1@1',
      committed: 1,
      imported: { snapshot: 'l0.f1.2.1', chunk: 4, at: 3 as Seq, isLast: false },
    });
    c.learns('v5 e3 c [c]');
    expect(c.waits(50)).toContain('abandon the import');
  });
});

describe('cells of another form', () => {
  it('are declined, also by a primary of a release that did not name one: the log is projected', () => {
    for (const name of ['l0.f2.2.1', 'l0.2.1']) {
      const c = farBehind();
      c.waits(50);
      expect(c.hears('a', chunk(name, 1))).toEqual(['abandon the import']);
    }
  });
});

describe('a primary', () => {
  it('reads one view of its cells, a piece each time it is asked', () => {
    const a = servingPrimary('a b');
    expect(a.hears('c', { type: 'snapshotAsk', snapshot: '', chunk: 1 })).toEqual([
      'read cells l0.f1.2.1/1 for c',
    ]);
    expect(a.step(cellsRead('l0.f1.2.1', 1))).toEqual(['to c in e2 v3: snapshotChunk l0.f1.2.1/1']);
    a.now += 1;
    expect(a.hears('c', { type: 'snapshotAsk', snapshot: 'l0.f1.2.1', chunk: 2 })).toEqual([
      'read cells l0.f1.2.1/2 for c',
    ]);
  });

  it('sends a piece again that was lost, without reading it again', () => {
    const a = servingPrimary('a b');
    a.hears('c', { type: 'snapshotAsk', snapshot: '', chunk: 1 });
    a.step(cellsRead('l0.f1.2.1', 1));
    a.now += 1;
    const again = ['to c in e2 v3: snapshotChunk l0.f1.2.1/1'];
    expect(a.hears('c', { type: 'snapshotAsk', snapshot: '', chunk: 1 })).toEqual(again);
  });

  it('paces itself', () => {
    const a = servingPrimary('a b');
    a.hears('c', { type: 'snapshotAsk', snapshot: '', chunk: 1 });
    const bytes = new Uint8Array(TIMING.snapshotBytesPerSecond / 2);
    a.step({
      kind: 'cellsRead',
      peer: 'c' as NodeId,
      snapshot: 'l0.f1.2.1',
      chunk: 1,
      found: { ...found(false), bytes },
    });
    a.hears('c', { type: 'snapshotAsk', snapshot: 'l0.f1.2.1', chunk: 2 });
    expect(a.step(cellsRead('l0.f1.2.1', 2))).toEqual([]);
    expect(a.waits(450).filter((line) => line.includes('snapshotChunk'))).toEqual([]);
    expect(a.waits(100).filter((line) => line.includes('snapshotChunk'))).toEqual([
      'to c in e2 v3: snapshotChunk l0.f1.2.1/2',
    ]);
  });

  it('says so when it does not have what is asked for', () => {
    const a = servingPrimary('a b');
    expect(a.hears('c', { type: 'snapshotAsk', snapshot: 'l0.1.9', chunk: 7 })).toEqual([
      'to c in e2 v3: snapshotGone l0.1.9',
    ]);
  });

  it('closes what nobody asks about any more', () => {
    const a = servingPrimary('a b');
    a.hears('c', { type: 'snapshotAsk', snapshot: '', chunk: 1 });
    expect(a.waits(TIMING.snapshotIdleMs + 50)).toContain('close cells l0.f1.2.1');
  });
});
