/** Whether the cells of this release are those that CELL_FORM stands for (decision 0028). */
import { expect, test } from 'vitest';
import { CELL_FORM } from '../../../ops/processes/platform.ts';
import { decodeHead } from '../../../storage-nodes/log/entry.ts';
import { replayInto } from '../../../storage-nodes/tablet/replay.ts';
import { APPLICATION, memoryCells, TABLET } from '../tablet/log-of-entries.ts';
import { histories, readHistory } from './recorded-history.ts';

/** Of each recorded history, as the form with this number has them. */
const DIGESTS: { readonly form: number; readonly digests: Readonly<Record<string, string>> } = {
  form: 3,
  digests: {
    '0001.log': 'd415075014c748af863e7a8d9596c4539ecd9f8b7dff6c2e22f98ab10ebfc1ac',
    '0002.log': '2e5a32f3d4e4c181987b0beeccbd1f83999f469cc94bc53c86128080da0a36f9',
    '0003.log': '1c9b86e6f65cbdc8b8029c7c3cb0ec7256f7ffbdd30c8c3bf2514901fa33bbac',
    '0004.log': '140baa0579f8f0b0f3dbb27a484f6bd731f1241669c362c45a8f6c52733d920e',
    '0005.log': '6aa73bde9aca6bb9a0adff5b7c2a1f4e1c921b1d092ae2ec7b36a3e6a6861b80',
    '0009.log': 'cc04d15f5dba06361a25c7af25cf2cef0b228138f17dbd2c5db47ddebfcf7c63',
    '0010.log': '304a571b7981be7b42cc52b989def968e0085fda453a6c200688af50cf360e6d',
    '0011.log': '04aa7e4aa78c3db45a7119d38a1c713cf855063509a99f2ced4831309ef84fe9',
  },
};

test('recorded histories lead to the cells that this form stands for', async () => {
  const digests: Record<string, string> = {};
  for (const name of histories()) {
    const cells = await memoryCells();
    const records = readHistory(name);
    const { entries } = await replayInto(cells, inOrder(records), APPLICATION, TABLET);
    expect(entries).toBe(records.length);
    digests[name] = (await cells.digest(TABLET)).digest;
  }
  expect(
    { form: CELL_FORM, digests },
    'Cells changed, so data folders must build theirs again: raise CELL_FORM in ops/processes/platform.ts ' +
      'once for a release, and note the new form and digests here.',
  ).toEqual(DIGESTS);
});

test('every event that the domain knows is in a recorded history', () => {
  const heads = histories()
    .flatMap(readHistory)
    .map(({ head }) => decodeHead(head));
  const recorded = new Set(heads.flatMap(({ events }) => events.map(({ type }) => type)));
  expect(
    Object.keys(APPLICATION.events).filter((type) => !recorded.has(type)),
    'Record them: see test/spec/ops/record-history.ts.',
  ).toEqual([]);
});

async function* inOrder<One>(list: readonly One[]): AsyncGenerator<One> {
  yield* list;
}
