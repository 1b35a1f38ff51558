/** Nobody waits for ever, whatever becomes of the copy; and nothing that is large waits for what is small. */
import { afterEach, describe, expect, it } from 'vitest';
import { configurationHash } from '../../../storage-nodes/master/configuration-hash.ts';
import { memoryCells, put } from './log-of-entries.ts';
import { OneCopy, OTHER, SELF } from './one-copy.ts';

const made: OneCopy[] = [];
afterEach(async () => {
  for (const copy of made.splice(0)) {
    for (const held of ['append', 'compareAndSet'] as const) copy.trouble.release(held);
    await copy.tablet.stop();
  }
});

async function aPrimary(): Promise<OneCopy> {
  const copy = new OneCopy(await memoryCells());
  made.push(copy);
  await copy.serves();
  return copy;
}
/** How each of them ended; empty: it waits. */
const endsOf = (promises: readonly Promise<unknown>[]) => {
  const ends = promises.map((): { end?: string } => ({}));
  promises.forEach((promise, i) =>
    promise.then(
      () => (ends[i]!.end = 'answered'),
      (error: { code?: string }) => (ends[i]!.end = error.code ?? String(error)),
    ),
  );
  return ends;
};
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
const again = { end: 'NotServing' };

describe('a hand-over', () => {
  /** Two copies; the other has acknowledged all but what is written now, and leads as soon as the store says so. */
  async function handingOver(copy: OneCopy): Promise<void> {
    copy.trouble.hold('compareAndSet');
    copy.tablet.input({ kind: 'handOver', to: OTHER });
    const offer = copy.sent.map(({ body }) => body).find((body) => body.type === 'offer')!;
    copy.hears({ type: 'offerAnswer', offer: configurationHash(offer.configuration), accepts: true });
    expect(copy.tablet.view.serving).toBe(false);
    await turn();
  }
  async function ofTwo(): Promise<OneCopy> {
    const copy = await aPrimary();
    copy.configure({ replicas: [SELF, OTHER], inSync: [SELF, OTHER] });
    await copy.until(() => copy.tablet.view.configuration?.version === copy.configuration.version);
    copy.hears({ type: 'ack', match: copy.tablet.view.last });
    return copy;
  }

  it('lets go of who waits behind entries on their way; those entries are answered if they commit', async () => {
    const copy = await ofTwo();
    const ends = endsOf([copy.tablet.execute(put('row', 'c', '1'))]);
    await turn();
    const gathered = endsOf([2, 3].map((i) => copy.tablet.execute(put('row', 'c', `${i}`))));
    await handingOver(copy);
    expect([ends, gathered.map(({ end }) => end)]).toEqual([[{}], ['NotPrimary', 'NotPrimary']]);
    copy.hears({ type: 'ack', match: copy.tablet.view.last });
    await copy.until(() => ends[0]!.end !== undefined);
    expect(ends).toEqual([{ end: 'answered' }]);
  });

  it('in the middle of which the log breaks: whose entry was on its way asks again', async () => {
    const copy = await ofTwo();
    const ends = endsOf([copy.tablet.execute(put('row', 'c', '1'))]);
    await turn();
    await handingOver(copy);
    expect(ends).toEqual([{}]);
    copy.tablet.input({ kind: 'damaged', reason: 'the test' });
    await turn();
    expect(ends).toEqual([again]);
    expect(copy.fatal).toEqual([]);
  });
});

describe('what waits behind entries on their way', () => {
  it('goes as soon as it is worth a batch of its own, in the order in which it came', async () => {
    const copy = await aPrimary();
    copy.trouble.hold('append');
    const before = copy.log.batches.length;
    const first = copy.tablet.execute(put('row', 'c', '1'));
    await turn();
    const small = copy.tablet.execute(put('row', 'c', '2'));
    await turn();
    const large = copy.tablet.execute(put('row', 'c', 'x'.repeat(300_000)));
    await turn();
    expect(copy.log.batches.slice(before)).toEqual([1, 2]);
    copy.trouble.release('append');
    const seqs = (await Promise.all([first, small, large])).map(({ seq }) => seq);
    expect(seqs).toEqual([seqs[0], seqs[0]! + 1, seqs[0]! + 2]);
  });

  it('carries out an id once, whether it waits, is on its way or is committed', async () => {
    const copy = await aPrimary();
    copy.trouble.hold('append');
    const same = { id: 'same' };
    const first = copy.tablet.execute(put('row', 'c', '1', same));
    await turn();
    const others = [2, 3].map((i) => copy.tablet.execute(put('row', 'c', `${i}`, same)));
    await turn();
    copy.trouble.release('append');
    const seqs = (await Promise.all([first, ...others])).map(({ seq }) => seq);
    expect(new Set(seqs).size).toBe(1);
    expect(copy.commandIds().filter((id) => id === 'same')).toHaveLength(1);
  });

  it('asks again when the place is lost', async () => {
    const copy = await aPrimary();
    copy.trouble.hold('append');
    const ends = endsOf([copy.tablet.execute(put('row', 'c', '1'))]);
    await turn();
    const gathered = endsOf([2, 3].map((i) => copy.tablet.execute(put('row', 'c', `${i}`))));
    await turn();
    await copy.demote();
    await turn();
    expect([...ends, ...gathered]).toEqual([again, again, again]);
  });
});
