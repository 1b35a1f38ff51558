/** What callers hear from a copy that serves, loses its place, runs into damage or is stopped. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeHead, ZERO_HASH, type EntryHead, type LogRecord } from '../../../storage-nodes/log/entry.ts';
import { EPOCH_OPENED, type Application } from '../../../storage-nodes/tablet/application.ts';
import { epoch, seq } from '../../../storage-nodes/words.ts';
import { APPLICATION, command, memoryCells, put } from './log-of-entries.ts';
import { OneCopy, OTHER, SELF } from './one-copy.ts';

const seed = Number(process.env['PENNCLOUD_SEED'] ?? Date.now() % 2 ** 31);
const made: OneCopy[] = [];
afterEach(async () => {
  for (const copy of made.splice(0)) {
    for (const held of [
      'append',
      'commit',
      'saveConfiguration',
      'compareAndSet',
      'read',
      'get',
      'scan',
    ] as const) {
      copy.trouble.faults.delete(held);
      copy.trouble.release(held);
    }
    await copy.tablet.stop();
  }
});

async function aCopy(application?: Application): Promise<OneCopy> {
  const copy = new OneCopy(await memoryCells(), application);
  made.push(copy);
  return copy;
}
async function aPrimary(application?: Application): Promise<OneCopy> {
  const copy = await aCopy(application);
  await copy.serves();
  return copy;
}
const get = (row: string, column: string) => [{ get: { row, column } }];
const outcomeOf = (promise: Promise<unknown>) => {
  const seen: { end?: string } = {};
  promise.then(
    () => (seen.end = 'answered'),
    (error: { code?: string }) => (seen.end = error.code ?? String(error)),
  );
  return seen;
};
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
const opening = (at: number, inEpoch: number) =>
  entry(at, inEpoch, { events: [{ type: EPOCH_OPENED, version: 1, data: {} }] });
function entry(at: number, inEpoch: number, more: Partial<EntryHead>): LogRecord {
  const head = encodeHead({
    seq: seq(at),
    epoch: epoch(inEpoch),
    time: 1_800_000_000_000,
    stream: '',
    streamSeq: 0,
    streamPrevious: seq(0),
    previousHash: ZERO_HASH,
    previousStreamHash: ZERO_HASH,
    commandId: '',
    commandExpiresAt: 0,
    action: '',
    actor: '',
    session: '',
    causation: undefined,
    events: [],
    reply: null,
    parts: [],
    ...more,
  });
  return { seq: seq(at), epoch: epoch(inEpoch), head, parts: [] };
}

describe('a copy that serves', () => {
  it('gathers what comes while entries are on their way, and sends it as one batch', async () => {
    const copy = await aPrimary();
    await copy.tablet.execute(put('row', 'c', '0'));
    const before = copy.log.batches.length;
    copy.trouble.hold('append');
    const first = copy.tablet.execute(put('row', 'c', '1'));
    await turn();
    const others = [2, 3, 4].map((i) => copy.tablet.execute(put('row', 'c', `${i}`)));
    await turn();
    expect(copy.log.batches.slice(before)).toEqual([1]);
    copy.trouble.release('append');
    await Promise.all([first, ...others]);
    expect(copy.log.batches.slice(before)).toEqual([1, 3]);
  });

  it('lets nothing wait for them that is worth a batch of its own', async () => {
    const copy = await aPrimary();
    copy.trouble.hold('append');
    const before = copy.log.batches.length;
    const first = copy.tablet.execute(put('row', 'c', '1'));
    await turn();
    const large = copy.tablet.execute(put('row', 'c', 'x'.repeat(300_000)));
    await turn();
    expect(copy.log.batches.slice(before)).toEqual([1, 1]);
    copy.trouble.release('append');
    await Promise.all([first, large]);
  });
});

describe('a copy that loses its place', () => {
  it('tells everyone who waits to ask again, whatever they wait for', async () => {
    const copy = await aPrimary();
    await copy.tablet.execute(put('row', 'c', '1', { id: 'first' }));
    copy.trouble.hold('append');
    const waiting = {
      entry: outcomeOf(copy.tablet.execute(put('row', 'c', '2', { id: 'second' }))),
      earlier: outcomeOf(copy.tablet.execute(put('row', 'c', '2', { id: 'second' }))),
      nothing: outcomeOf(copy.tablet.execute(command('kv.Delete', 'row', { column: 'no' }))),
      rejected: outcomeOf(
        copy.tablet.execute(
          command('kv.CompareAndPut', 'row', { column: 'c', expected: null }, [Buffer.from('x')]),
        ),
      ),
    };
    await turn();
    expect(waiting).toEqual({ entry: {}, earlier: {}, nothing: {}, rejected: {} });
    await copy.demote();
    await turn();
    const again = { end: 'NotServing' };
    expect(waiting).toEqual({ entry: again, earlier: again, nothing: again, rejected: again });
    await expect(copy.tablet.execute(put('row', 'c', '3'))).rejects.toMatchObject({
      code: 'NotPrimary',
      hint: OTHER,
    });
    await expect(copy.tablet.read(get('row', 'c'))).rejects.toMatchObject({ code: 'NotPrimary' });
  });

  it('never takes the commit of another primary’s entry for its own at the same place', async () => {
    const copy = await aPrimary();
    copy.trouble.hold('append');
    const mine = outcomeOf(copy.tablet.execute(put('row', 'c', 'mine')));
    await turn();
    await copy.demote();
    copy.trouble.release('append');
    await copy.until(() => copy.tablet.view.durable === 2);
    copy.replicate([opening(2, 3)], { seq: 1, epoch: 2 });
    await copy.until(() => copy.tablet.view.committed === 2);
    expect(mine).toEqual({ end: 'NotServing' });
    expect(copy.commandIds()).toEqual(['', '']);
    expect(copy.fatal).toEqual([]);
  });

  it('answers no read that waits for entries to be applied', async () => {
    const copy = await aPrimary();
    copy.trouble.hold('commit');
    await copy.tablet.execute(put('row', 'c', '1'));
    const read = outcomeOf(copy.tablet.read(get('row', 'c')));
    await turn();
    expect(read).toEqual({});
    await copy.demote();
    await turn();
    expect(read).toEqual({ end: 'NotServing' });
  });

  it('lets nobody hang when it is stopped', async () => {
    const copy = await aPrimary();
    copy.trouble.hold('append');
    const write = outcomeOf(copy.tablet.execute(put('row', 'c', '1')));
    await turn();
    await copy.tablet.stop();
    expect(write.end).toBeDefined();
    await expect(copy.tablet.execute(put('row', 'c', '1'))).rejects.toMatchObject({ name: 'Fault' });
  });
});

describe('a retry of a command', () => {
  it('is answered before the entry is in the segments, and after', async () => {
    const copy = await aPrimary();
    copy.trouble.hold('commit');
    const first = await copy.tablet.execute(put('row', 'c', '1', { id: 'x' }));
    expect(await copy.tablet.execute(put('row', 'c', '2', { id: 'x' }))).toEqual(first);
    copy.trouble.release('commit');
    await copy.until(() => copy.tablet.view.applied === first.seq);
    expect(await copy.tablet.execute(put('row', 'c', '3', { id: 'x' }))).toEqual(first);
    expect(copy.commandIds()).toEqual(['', 'x']);
  });
});

describe('a bundle of reads', () => {
  it(`is from one applied index, whatever is applied meanwhile (seed ${seed})`, async () => {
    const copy = await aPrimary();
    let writing = true;
    const writes = (async () => {
      for (let i = 1; writing; i++) {
        await copy.tablet.execute(put('row', 'a', `${i}`));
        await copy.tablet.execute(put('row', 'b', `${i}`));
        await turn();
      }
    })();
    const scan = (column: string) => ({
      scan: { from: { row: 'row', column }, to: { row: 'row', column: `${column}~` }, limit: 1 },
    });
    const queries = [scan('a'), ...get('row', 'b'), scan('b'), ...get('row', 'a')];
    await copy.until(() => copy.tablet.view.applied > 10);
    const delays = fc.sample(fc.nat(3), { seed, numRuns: 60 });
    for (const delay of delays) {
      copy.trouble.hold('scan');
      const read = copy.tablet.read(queries);
      for (let i = 0; i < delay; i++) await turn();
      copy.trouble.release('scan');
      const { results, applied } = await read;
      const [a, b, sameB, sameA] = results.map(
        ([cell]) => (cell && 'bytes' in cell.content ? cell : undefined)!,
      );
      expect([sameA!.seq, sameB!.seq]).toEqual([a!.seq, b!.seq]);
      expect(Math.abs(a!.seq - b!.seq)).toBe(1);
      expect(Math.max(a!.seq, b!.seq)).toBe(applied);
    }
    writing = false;
    await writes;
  });
});

describe('trouble with the cells', () => {
  it('damaged cells are built again from the log, and nothing is served meanwhile', async () => {
    const copy = await aPrimary();
    await copy.tablet.execute(put('row', 'c', '1', { id: 'x' }));
    await copy.until(() => copy.tablet.view.applied === 2);
    copy.trouble.faults.set('get', 'Damaged');
    await expect(copy.tablet.read(get('row', 'c'))).rejects.toMatchObject({ code: 'Damaged', retry: true });
    expect(copy.tablet.view.deciding).toBe(false);
    expect(copy.tablet.alarms.join()).toMatch(/built again/);
    await expect(copy.tablet.execute(put('row', 'c', '2'))).rejects.toMatchObject({ code: 'NotServing' });
    copy.trouble.faults.delete('get');
    await copy.serves();
    expect((await copy.tablet.read(get('row', 'c'))).results[0]).toHaveLength(1);
    expect((await copy.tablet.execute(put('row', 'c', '2', { id: 'x' }))).seq).toBe(2);
    expect(copy.tablet.alarms).toEqual([]);
    expect([copy.fatal, copy.log.drops]).toEqual([[], 0]);
  });

  it('an event unknown to this program stops the copy with a clear alarm, and costs it nothing', async () => {
    const { ['kv.CellPut']: _newer, ...events } = APPLICATION.events;
    const copy = await aPrimary({ ...APPLICATION, events });
    const decided = outcomeOf(copy.tablet.execute(put('row', 'c', '1')));
    await copy.until(() => decided.end !== undefined);
    expect(decided.end).toMatch(/Defect/);
    await copy.demote();
    const event = { type: 'kv.CellPut', version: 1, data: { column: 'c', part: 0 } };
    copy.replicate([entry(2, 3, { stream: 'row', streamSeq: 1, commandId: 'x', events: [event] })], {
      seq: 1,
      epoch: 2,
    });
    await copy.until(() => copy.tablet.alarms.length > 0);
    expect(copy.tablet.alarms.join()).toMatch(
      /entry 2: event kv\.CellPut version 1 is unknown .*start that version/,
    );
    expect(copy.tablet.view).toMatchObject({
      role: 'replica',
      quarantine: undefined,
      committed: 2,
      applied: 1,
    });
    copy.replicate([opening(3, 3)], { seq: 2, epoch: 3 });
    await copy.until(() => copy.tablet.view.committed === 3);
    expect([copy.fatal, copy.log.drops]).toEqual([[], 0]);
  });
});

describe('trouble with the log', () => {
  it('a damaged entry makes the core give up a copy of several, and is only reported of the last one', async () => {
    const copy = await aPrimary();
    await copy.tablet.execute(put('row', 'c', '1'));
    copy.trouble.faults.set('read', 'Damaged');
    const read = () => copy.tablet.readingLog(seq(2), () => copy.log.readHeads('', seq(2), 1));
    await expect(read()).rejects.toMatchObject({ code: 'Damaged' });
    expect(copy.tablet.alarms.join()).toMatch(/log is damaged/);
    expect(copy.tablet.view).toMatchObject({ serving: true, quarantine: undefined });
    await copy.demote();
    await expect(read()).rejects.toMatchObject({ code: 'Damaged' });
    expect(copy.tablet.view.role).toBe('quarantined');
    expect(copy.log.drops).toBe(0);
    copy.trouble.faults.delete('read');
    copy.configure({ inSync: [OTHER] });
    await copy.until(() => copy.log.drops === 1 && copy.tablet.view.role === 'learner');
    expect(copy.tablet.view).toMatchObject({ last: 0, applied: 0, quarantine: undefined });
    expect([copy.fatal, copy.tablet.alarms]).toEqual([[], []]);
  });

  it('writes that were under way when the copy was wiped count for nothing afterwards', async () => {
    const copy = await aPrimary();
    copy.trouble.hold('append');
    const write = outcomeOf(copy.tablet.execute(put('row', 'c', '1')));
    await turn();
    await copy.demote();
    copy.trouble.hold('saveConfiguration');
    copy.configure({ replicas: [SELF, OTHER], inSync: [SELF, OTHER] });
    copy.tablet.input({ kind: 'damaged', reason: 'the test' });
    copy.configure({ inSync: [OTHER] });
    copy.trouble.release('saveConfiguration');
    copy.trouble.release('append');
    await copy.until(() => copy.log.drops === 1 && copy.tablet.view.role === 'learner');
    await turn();
    expect(write.end).toBe('NotServing');
    expect(copy.tablet.view).toMatchObject({ last: 0, durable: 0, committed: 0 });
    expect(copy.fatal).toEqual([]);
  });
});

describe('a full disk (rule 12)', () => {
  it('refuses a command retriably, and serves again without a restart once there is room', async () => {
    const copy = await aPrimary();
    copy.trouble.faults.set('append', 'DiskFull');
    const refused = Promise.allSettled(
      Array.from({ length: 5 }, (_, i) => copy.tablet.execute(put('row', `c${i}`, '1', { id: `x${i}` }))),
    );
    for (const end of await refused) expect(end).toMatchObject({ reason: { retry: true } });
    expect(copy.tablet.alarms.join()).toMatch(/append failed/);
    await copy.until(() => !copy.tablet.view.deciding);
    for (let i = 0; i < 5; i++) await copy.until(() => copy.now % 100 === 0);
    copy.trouble.faults.delete('append');
    await copy.serves();
    await copy.tablet.execute(put('row', 'c0', '2', { id: 'x0' }));
    expect(copy.commandIds().filter((id) => id === 'x0')).toHaveLength(1);
    expect([copy.fatal, copy.tablet.alarms]).toEqual([[], []]);
  });

  it('tries the copy to the segments again: a committed write stays answered, reads wait for it', async () => {
    const copy = await aPrimary();
    copy.trouble.faults.set('commit', 'DiskFull');
    await copy.tablet.execute(put('row', 'c', '1'));
    const read = copy.tablet.read(get('row', 'c'));
    await copy.until(() => copy.tablet.alarms.length > 0);
    copy.trouble.faults.delete('commit');
    expect((await read).results[0]).toHaveLength(1);
    expect([copy.fatal, copy.tablet.alarms]).toEqual([[], []]);
  });

  it('under the cells: entries wait in the log, nothing stale is read, and all is applied once there is room', async () => {
    const copy = await aPrimary();
    copy.trouble.faults.set('write', 'DiskFull');
    const write = outcomeOf(copy.tablet.execute(put('row', 'c', '1', { id: 'x' })));
    await copy.until(() => copy.tablet.alarms.length > 0);
    expect(copy.tablet.alarms.join()).toMatch(/wait to be applied/);
    await copy.until(() => write.end !== undefined);
    await expect(copy.tablet.read(get('row', 'c'))).rejects.toMatchObject({
      code: 'NotServing',
      retry: true,
    });
    expect(copy.tablet.view).toMatchObject({ committed: 2, applied: 1, deciding: false });
    copy.trouble.faults.delete('write');
    await copy.serves();
    expect((await copy.tablet.read(get('row', 'c'))).results[0]).toHaveLength(1);
    expect((await copy.tablet.execute(put('row', 'c', '2', { id: 'x' }))).seq).toBe(2);
    expect([copy.fatal, copy.tablet.alarms]).toEqual([[], []]);
  });

  it('when damaged cells are to be dropped: they are, once there is room', async () => {
    const copy = await aPrimary();
    await copy.tablet.execute(put('row', 'c', '1'));
    await copy.until(() => copy.tablet.view.applied === 2);
    copy.trouble.faults.set('get', 'Damaged').set('drop', 'DiskFull');
    await expect(copy.tablet.read(get('row', 'c'))).rejects.toMatchObject({ code: 'Damaged' });
    copy.trouble.faults.delete('get');
    await copy.until(() => /wait to be applied/.test(copy.tablet.alarms.join()));
    copy.trouble.faults.delete('drop');
    await copy.serves();
    expect((await copy.tablet.read(get('row', 'c'))).results[0]).toHaveLength(1);
    expect([copy.fatal, copy.tablet.alarms]).toEqual([[], []]);
  });

  it('saves a configuration once there is room; one that is overtaken meanwhile is left out', async () => {
    const copy = await aPrimary();
    const saved = copy.log.configurations;
    copy.trouble.faults.set('saveConfiguration', 'DiskFull');
    copy.configure({ replicas: [SELF, OTHER] });
    copy.configure({ replicas: [SELF] });
    await copy.until(() => copy.tablet.alarms.length > 0);
    copy.trouble.faults.delete('saveConfiguration');
    await copy.until(() => copy.tablet.view.configuration?.version === copy.configuration.version);
    expect(copy.log.configurations).toBe(saved + 1);
    expect(copy.fatal).toEqual([]);
  });

  it('any other failure of the disk ends the node', async () => {
    const copy = await aPrimary();
    copy.trouble.faults.set('append', 'DiskFailed');
    void copy.tablet.execute(put('row', 'c', '1')).catch(() => {});
    await copy.until(() => copy.fatal.length > 0);
    expect(copy.fatal[0]).toMatchObject({ code: 'DiskFailed' });
  });
});
