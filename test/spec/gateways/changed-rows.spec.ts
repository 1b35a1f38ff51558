/** What changed, told to a page that listens. */
import { PassThrough } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ChangedRows } from '../../../gateways/web/live/changed-rows.ts';

/** A reader whose stream holds `bytes` before it must drain. */
function reader(bytes: number) {
  const stream = new PassThrough({ highWaterMark: bytes });
  const changed = new ChangedRows(stream);
  onTestFinished(() => changed.stop());
  /** The rows of the next event. */
  const next = async (): Promise<string[]> => {
    let text = '';
    while (!text.endsWith('\n\n')) {
      const piece = stream.read() as Buffer | null;
      if (piece === null) await new Promise((resolve) => stream.once('readable', resolve));
      else text += piece.toString();
    }
    return JSON.parse(/^event: changed\ndata: (.*)\n\n$/.exec(text)![1]!) as string[];
  };
  return { stream, changed, next };
}

describe('rows that changed', () => {
  test('within a moment are told as one event, each once', async () => {
    const { changed, next } = reader(1000);
    for (const row of ['inbox', 'counts', 'inbox']) changed.tell(row);
    expect(await next()).toEqual(['inbox', 'counts']);
    changed.tell('sent');
    expect(await next()).toEqual(['sent']);
  });

  test('while the reader is behind are told once it has caught up, without another change', async () => {
    const { stream, changed, next } = reader(8);
    stream.write('event: changed\ndata: ["earlier"]\n\n');
    expect(stream.writableNeedDrain).toBe(true);
    const held = () => stream.writableLength + stream.readableLength;
    const before = held();
    changed.tell('inbox');
    // Longer than a burst is gathered: the event's turn came, and passed.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(held(), 'nothing piles up').toBe(before);
    expect(await next()).toEqual(['earlier']);
    expect(await next()).toEqual(['inbox']);
  });

  test('in their hundreds name only some', async () => {
    const { changed, next } = reader(10_000);
    for (let n = 0; n < 400; n++) changed.tell(`row ${n}`);
    expect(await next()).toHaveLength(50);
  });
});
