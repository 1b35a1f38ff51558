/** `penncloud export mbox …`: an account's mail as one mbox file, which `penncloud import` takes back byte for byte. */
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { accountStream } from '../../domain/streams.ts';
import { profileCell } from '../../projections/keys.ts';
import { exported, folderPaths, messagesOf } from '../mailboxes/collected.ts';
import { withStore } from './connection.ts';
import { BadInput, Failed } from './outcome.ts';

export async function exportMbox(
  account: string,
  file: string | undefined,
  { folder }: { readonly folder?: string },
): Promise<void> {
  await withStore(async (store) => {
    const owner = accountStream(account);
    const profile = await store.read(owner, [{ get: profileCell(owner) }]);
    if (profile.results[0]?.length !== 1) throw new Failed(`There is no user ${JSON.stringify(account)}.`);
    const pathOf = await folderPaths(store, owner);
    const wanted = folder?.toLowerCase();
    const isWanted = (place: string) =>
      wanted === undefined || pathOf(place).join('/').toLowerCase() === wanted;
    const messages = (await messagesOf(store, owner)).filter((one) => isWanted(one.folder));
    // Never over a file that is there: it may be the only copy of something.
    const out = file === undefined ? process.stdout : createWriteStream(file, { flags: 'wx', mode: 0o600 });
    if (file !== undefined) {
      await once(out, 'open').catch((error: Error) => {
        throw new BadInput(`${file} cannot be written: ${error.message}.`);
      });
    }
    let count = 0;
    for (const message of messages) {
      const entry = await exported(store, owner, message, pathOf);
      if (entry === undefined) continue;
      count++;
      if (!out.write(entry)) await once(out, 'drain');
    }
    if (file !== undefined) {
      out.end();
      await finished(out);
    }
    console.error(`Exported ${count} messages.`);
  });
}
