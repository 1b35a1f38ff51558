/** A process that appends and commits to three tablets until it is killed. Prints what it was told is durable, and what is committed and in the files. */
import { DiskLog } from '../../storage-nodes/log/disk-log.ts';
import { seq, tabletId } from '../../storage-nodes/words.ts';
import { EntryChain, SMALL } from './log-history.ts';

const log = new DiskLog({ folder: process.argv[2]!, ...SMALL });
const recovered = await log.open();
await Promise.all(
  ['k1', 'k2', 'k3'].map(tabletId).map(async (tablet) => {
    const found = recovered.find((other) => other.tablet === tablet);
    const last = found?.prepared.at(-1) ?? (await log.read(tablet, found?.committed ?? seq(1), 1))[0];
    const chain = new EntryChain(last);
    for (;;) {
      const records = chain.many(1 + Math.floor(Math.random() * 5), {
        parts: [Math.floor(Math.random() * 300)],
        text: tablet,
      });
      await log.append(tablet, records);
      const to = records.at(-1)!.seq;
      process.stdout.write(`durable ${tablet} ${to}\n`);
      const upTo = seq(to - Math.floor(Math.random() * 3));
      if (upTo < 1) continue;
      await log.commit(tablet, upTo);
      await log.copied(tablet);
      process.stdout.write(`committed ${tablet} ${upTo}\n`);
    }
  }),
);
