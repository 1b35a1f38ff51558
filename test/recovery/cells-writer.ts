/** A process that writes the history of cells-history.ts until it is killed. Prints each applied index that it knows to be in RocksDB. */
import { RocksCells } from '../../storage-nodes/cells/rocks-cells.ts';
import { seq } from '../../storage-nodes/words.ts';
import { TABLETS, writesOf } from './cells-history.ts';

const cells = new RocksCells({ folder: process.argv[2]! });
await cells.open();
await Promise.all(
  TABLETS.map(async (tablet) => {
    for (let n = cells.applied(tablet) + 1; ; n++) {
      await cells.write(tablet, seq(n), writesOf(tablet, n));
      if (n % 30 !== 0) continue;
      await cells.flush();
      process.stdout.write(`${tablet} ${n}\n`);
    }
  }),
);
