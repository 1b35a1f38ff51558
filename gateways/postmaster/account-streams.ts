/** The streams of all accounts, in the order of their names; among them those of deleted accounts that left rows. */
import { accountOf, accountStream } from '../../domain/streams.ts';
import type { StoreClient } from '../../storage-nodes/client/client.ts';

/** From account to account, past each one's rows: those of `S` all sort before `S0`. */
export async function* accountStreams(store: StoreClient): AsyncIterable<string> {
  const to = '~user0';
  for (let from = '~user/'; ;) {
    const [cell] = await store.scanTable({ from, to, limit: 1 });
    if (!cell) return;
    const name = accountOf(cell.row);
    if (name === undefined) throw new Error(`Defect: row ${JSON.stringify(cell.row)} belongs to no account`);
    yield accountStream(name);
    from = `${accountStream(name)}0`;
  }
}
