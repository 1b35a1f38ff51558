/**
 * What an action teaches of spam: to report a message as spam, or to take it back out of spam, to keep it in the
 * archive or in a folder of one's own. The words of the messages go with the command, as the store's filter takes
 * them (domain/mail/lessons.ts).
 */
import { isOwnFolder, type Folder } from '../../../domain/mail/folders.ts';
import { encodeLessons, LESSONS_MAX } from '../../../domain/mail/spam/lessons.ts';
import { featuresOf, type Taught } from '../../../domain/mail/spam/spam.ts';
import { decodeWords } from '../../../domain/mail/message/words.ts';
import { threadCell, wordsCell } from '../../../projections/keys.ts';
import { readConversation } from '../../../projections/mailbox-cells.ts';
import type { StoreClient } from '../../../storage-nodes/client/client.ts';
import { cellOf } from '../../pages/visit.ts';

export type Moving = {
  readonly from: Folder;
  /** Undefined: nothing is moved. */
  readonly to: Folder | undefined;
  readonly messages?: readonly string[];
  readonly conversations?: readonly string[];
};
export type Lesson = { readonly data: { readonly teaches: Taught }; readonly parts: readonly Uint8Array[] };

/** Undefined: this teaches nothing. */
export async function lessonOf(
  store: StoreClient,
  owner: string,
  moving: Moving,
): Promise<Lesson | undefined> {
  const teaches = taughtBy(moving);
  if (teaches === undefined) return undefined;
  const named = moving.messages ?? (await messagesIn(store, owner, moving));
  const ids = named.filter(isId).slice(0, LESSONS_MAX);
  const { results } = await store.read(
    owner,
    ids.map((id) => ({ get: wordsCell(owner, id) })),
  );
  const lessons = await Promise.all(
    ids.map(async (id, i) => {
      const cell = results[i]?.[0];
      const bytes = cell && (cell.bytes ?? (await store.bytes(cell)));
      return [id, featuresOf(decodeWords(bytes))] as const;
    }),
  );
  const known = lessons.filter(([, features]) => features.length > 0);
  return known.length === 0 ? undefined : { data: { teaches }, parts: [encodeLessons(new Map(known))] };
}

function taughtBy({ from, to }: Moving): Taught | undefined {
  if (to === undefined || from === 'sent' || from === 'trash') return undefined;
  if (to === 'spam') return 'spam';
  const isKept = to === 'archive' || isOwnFolder(to);
  return isKept || (from === 'spam' && to === 'inbox') ? 'ham' : undefined;
}

/** Those that came in, newest first. */
async function messagesIn(
  store: StoreClient,
  owner: string,
  { from, conversations = [] }: Moving,
): Promise<string[]> {
  const some = conversations.filter(isId).slice(0, LESSONS_MAX);
  const { results } = await store.read(
    owner,
    some.map((thread) => ({ get: threadCell(owner, thread) })),
  );
  return results.flatMap((cells) => {
    const messages = cellOf(cells, readConversation)?.messages ?? [];
    return messages
      .filter(({ folder, own }) => folder === from && !own)
      .map(({ id }) => id)
      .reverse();
  });
}

/** What cannot be an id is refused by the command. */
function isId(id: string): boolean {
  return /^[a-z2-7]{26}(?:-in)?$/.test(id);
}
