/**
 * The folder of one tablet is gone as a whole: by an operator's slip, or a file system that lost a directory.
 * That copy is lost, and said to be; the log opens, and other tablets go on.
 */
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DiskLog } from '../../storage-nodes/log/disk-log.ts';
import { seq } from '../../storage-nodes/words.ts';
import { EntryChain, SMALL, T1, T2, plain, withFolder, withLog } from './log-history.ts';
import { FailingDisk } from './log-power-cut.ts';

const missing = expect.objectContaining({ reason: 'the folder of this tablet is missing' }) as unknown;

/** Two tablets of five entries; `committed` of each are in its segments. Stopped, or as a kill leaves it. */
async function filled(folder: string, how: string, committed: number): Promise<void> {
  const running = how === 'a clean stop' ? folder : `${folder}-running`;
  await withLog(running, async ({ log }) => {
    for (const tablet of [T1, T2]) {
      await log.saveConfiguration(tablet, Buffer.from('a configuration'));
      await log.append(tablet, new EntryChain().many(5, { parts: [600, 70_000] }));
      await log.commit(tablet, seq(committed));
      await log.copied(tablet);
    }
    if (how === 'a kill')
      cpSync(running, folder, { recursive: true, filter: (path) => !path.endsWith('/lock') });
  });
}

for (const how of ['a clean stop', 'a kill'])
  test.each([0, 3, 5])(
    `after ${how} with %i of 5 entries committed, that is damage of this tablet alone, until it is begun anew`,
    async (committed) => {
      await withFolder(async (parent) => {
        const folder = join(parent, 'log');
        await filled(folder, how, committed);
        rmSync(join(folder, 'tablets', T1), { recursive: true });
        for (let opening = 0; opening < 3; opening++)
          await withLog(folder, async ({ log, tablets }) => {
            expect(tablets.get(T1)!.damage).toContainEqual(missing);
            expect(tablets.get(T1)!.configuration).toBeUndefined();
            await expect(log.append(T1, [])).rejects.toMatchObject({ code: 'Damaged' });
            const { damage, cutTail, prepared } = tablets.get(T2)!;
            expect({ damage, cutTail }).toEqual({ damage: [], cutTail: false });
            expect((await log.read(T2, seq(1), 1e9)).length + prepared.length).toBe(5);
            await log.scrub(T2);
          });
        const anew = new EntryChain().many(2);
        await withLog(folder, async ({ log }) => {
          await log.drop(T1);
          await log.append(T1, anew);
        });
        await withLog(folder, async ({ tablets }) => {
          expect(tablets.get(T1)).toMatchObject({ committed: 0, damage: [] });
          expect(tablets.get(T1)!.prepared.map(plain)).toEqual(anew.map(plain));
        });
      });
    },
  );

test('an opening that finds it may be killed wherever it is: the next one finds it too', async () => {
  await withFolder(async (parent) => {
    const folder = join(parent, 'log');
    await filled(folder, 'a kill', 0);
    rmSync(join(folder, 'tablets', T1), { recursive: true });
    let survived = false;
    for (let failAt = 1; !survived; failAt++) {
      const copy = `${folder}-${failAt}`;
      cpSync(folder, copy, { recursive: true });
      const life = new FailingDisk(() => 0.5, `${copy}-trash`).run('kill', failAt);
      const opening = new DiskLog({ folder: copy, ...SMALL, files: life }).open();
      survived = await Promise.race([opening.then(() => true), life.ended.then(() => false)]);
      await life.bury(copy);
      await withLog(copy, async ({ tablets }) =>
        expect(tablets.get(T1)!.damage, `operation ${failAt}`).toContainEqual(missing),
      );
    }
  });
});

test('a tablet that has no records yet lost nothing with its folder', async () => {
  await withFolder(async (folder) => {
    await withLog(folder, async ({ log }) => log.saveConfiguration(T1, Buffer.from('a configuration')));
    rmSync(join(folder, 'tablets', T1), { recursive: true });
    await withLog(folder, async ({ log, tablets }) => {
      expect(tablets.get(T1)).toMatchObject({ damage: [], configuration: undefined });
      await log.append(T1, new EntryChain().many(1));
    });
    expect(existsSync(join(folder, 'tablets', T1))).toBe(true);
  });
});
