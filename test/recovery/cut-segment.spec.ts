/** What an opening cuts off a tablet's segments, and that another opening finds the same when that one was killed. */
import { appendFileSync, existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { frameLength, writeFrame } from '../../storage-nodes/log/frame.ts';
import { realFiles } from '../../storage-nodes/log/real-files.ts';
import { TabletSegments, type SegmentsState } from '../../storage-nodes/log/tablet-segments.ts';
import { epoch, seq } from '../../storage-nodes/words.ts';
import { withFolder } from './log-history.ts';
import { UnreliableFiles } from './unreliable-files.ts';

const SEGMENT_BYTES = 600;

function frameOf(number: number): { seq: number; epoch: number; bytes: Buffer } {
  const frame = { seq: seq(number), epoch: epoch(1), head: Buffer.alloc(250, number), parts: [] };
  const bytes = Buffer.alloc(frameLength(frame));
  writeFrame(frame, bytes.length, bytes, 0);
  return { seq: number, epoch: 1, bytes };
}

/** Two entries fill the first segment; for the third there is room for the header of the next one, and no more. */
async function withHeaderAlone(folder: string): Promise<SegmentsState> {
  const disk = new UnreliableFiles();
  const segments = new TabletSegments(disk.port, folder, 't1', SEGMENT_BYTES);
  await segments.append([frameOf(1), frameOf(2)]);
  let writes = 0;
  disk.fails = (done, path) =>
    done === 'write' && path.includes('003.segment') && writes++ > 0 ? 'ENOSPC' : undefined;
  await expect(segments.append([frameOf(3)])).rejects.toThrow('ENOSPC');
  disk.fails = () => undefined;
  const state = await segments.sync();
  await segments.close();
  expect(state).toMatchObject({ firsts: [1, 3], last: 2 });
  return state;
}

test('a segment that the checkpoint names with its header alone stays when what is torn behind it is cut', async () => {
  await withFolder(async (folder) => {
    const state = await withHeaderAlone(folder);
    const open = (): TabletSegments => new TabletSegments(realFiles, folder, 't1', SEGMENT_BYTES);
    appendFileSync(open().path(3), frameOf(3).bytes.subarray(0, 100));
    for (let opening = 0; opening < 2; opening++) {
      const segments = open();
      const bad = await segments.scan(state);
      // The second opening finds what the first, killed behind its cut, has left.
      expect(bad?.synced).toBe(opening === 0 ? false : undefined);
      if (bad) await segments.cut();
      expect(existsSync(segments.path(3))).toBe(true);
      expect(segments.last).toBe(2);
    }
    const segments = open();
    await segments.scan(state);
    await segments.append([frameOf(3), frameOf(4)]);
    await segments.close();
    const again = open();
    expect(await again.scan(state)).toBeUndefined();
    expect(again.last).toBe(4);
  });
});
