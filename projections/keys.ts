/**
 * The names of all rows and columns of the read models, in one place for those who write and those who
 * read. `owner` is always an account's stream (accountStream(name)); rows of a stream begin with it, and
 * that is what keeps them in the stream's tablet.
 *
 *   <owner>/account                  profile, credentials, second-factor, recovery-codes,
 *                                    lock-password, lock-code, lock-recovery
 *   <owner>/sessions                 <session hash>
 *   <owner>/identities               <identity id>
 *   <owner>/app-passwords            <app password id>
 *   <owner>/mail/folders             <folder>            counts
 *   <owner>/mail/own-folders         <folder id>
 *   <owner>/mail/folder/<folder>     <order>             one line of a list, newest first
 *   <owner>/mail/thread/<id>         conversation
 *   <owner>/mail/message/<id>        meta, raw, words, history
 *   <owner>/mail/draft/<id>          content, revision
 *   <owner>/mail/bulks               <bulk id>
 *   <owner>/mail/rules               list
 *   <owner>/mail/vacation            settings
 *   <owner>/mail/docs                <doc>               messages by their number in the search index, newest first
 *   <owner>/mail/doc-states          <segment>           newest first
 *   <owner>/mail/fresh-words         <doc>               words of messages of the segment that is not full
 *   <owner>/mail/words/<partition>   <segment>           words of full segments, newest first
 *   <owner>/drive/folder/<id>        <file name>
 *   <owner>/drive/file/<id>          manifest
 *   <owner>/drive/usage              total
 *   <owner>/contacts/cards           <contact id>
 *   <owner>/contacts/groups          <group id>
 *   <owner>/contacts/group-list      <folded name, id>
 *   <owner>/contacts/list            <folded name, id>   one line of the list
 *   <owner>/contacts/words           <folded words, id>  what a completion begins with
 *   <owner>/contacts/addresses       <address>           in a contact, or written to
 *   <owner>/contacts/collected       <address>           written to, and in no contact
 *   <owner>/contacts/state           counts
 *   ~chunk/<bucket>/<file>/<n>       bytes
 *   ~console/sessions                <session hash>
 *   <queue>/due                      <time, item id>     of a queue of outbound mail; what is tried next comes first
 *   <queue>/held                     <time, item id>     what an operator holds, oldest first
 *   <queue>/item/<id>                state, raw
 *   <queue>/lease                    lease               (these in outbound-keys.ts)
 *
 * Any other row is a user's own: its row and columns are the ones that were put.
 */
import type { AttemptKind } from '../domain/account/events.ts';
import type { Time } from '../domain/decider.ts';
import { isOwnFolder, isSystemFolder, type Folder } from '../domain/mail/folders.ts';
import { accountOf, accountStream, chunkStream, CONSOLE_STREAM } from '../domain/streams.ts';
import { parseQueueRow, type QueueRowName } from './outbound-keys.ts';
import type { CellKey } from './projection.ts';

export const accountRow = (owner: string): string => `${owner}/account`;
export const profileCell = (owner: string): CellKey => ({ row: accountRow(owner), column: 'profile' });
export const credentialsCell = (owner: string): CellKey => ({
  row: accountRow(owner),
  column: 'credentials',
});

export const secondFactorCell = (owner: string): CellKey => ({
  row: accountRow(owner),
  column: 'second-factor',
});
export const recoveryCodesCell = (owner: string): CellKey => ({
  row: accountRow(owner),
  column: 'recovery-codes',
});
/** Until when tries of this kind are refused. */
export const lockCell = (owner: string, kind: AttemptKind): CellKey => ({
  row: accountRow(owner),
  column: `lock-${kind}`,
});

export const sessionsRow = (owner: string): string => `${owner}/sessions`;
export const sessionCell = (owner: string, sessionHash: string): CellKey => ({
  row: sessionsRow(owner),
  column: sessionHash,
});

export const appPasswordsRow = (owner: string): string => `${owner}/app-passwords`;
export const appPasswordCell = (owner: string, appPasswordId: string): CellKey => ({
  row: appPasswordsRow(owner),
  column: appPasswordId,
});
export const identitiesRow = (owner: string): string => `${owner}/identities`;
export const identityCell = (owner: string, identityId: string): CellKey => ({
  row: identitiesRow(owner),
  column: identityId,
});

export const folderCountsRow = (owner: string): string => `${owner}/mail/folders`;
export const folderCountsCell = (owner: string, folder: Folder): CellKey => ({
  row: folderCountsRow(owner),
  column: folder,
});

export const folderRow = (owner: string, folder: Folder): string => `${owner}/mail/folder/${folder}`;
export const folderLineCell = (owner: string, folder: Folder, order: string): CellKey => ({
  row: folderRow(owner, folder),
  column: order,
});

export const ownFoldersRow = (owner: string): string => `${owner}/mail/own-folders`;
export const ownFolderCell = (owner: string, folderId: string): CellKey => ({
  row: ownFoldersRow(owner),
  column: folderId,
});

export const threadCell = (owner: string, thread: string): CellKey => ({
  row: `${owner}/mail/thread/${thread}`,
  column: 'conversation',
});

export const bulksRow = (owner: string): string => `${owner}/mail/bulks`;
export const bulkCell = (owner: string, bulkId: string): CellKey => ({
  row: bulksRow(owner),
  column: bulkId,
});

export const rulesCell = (owner: string): CellKey => ({ row: `${owner}/mail/rules`, column: 'list' });

export const vacationCell = (owner: string): CellKey => ({
  row: `${owner}/mail/vacation`,
  column: 'settings',
});

export const wordsCell = (owner: string, messageId: string): CellKey => ({
  row: messageRow(owner, messageId),
  column: 'words',
});
export const docsRow = (owner: string): string => `${owner}/mail/docs`;
export const docCell = (owner: string, doc: number): CellKey => ({
  row: docsRow(owner),
  column: countedDown(doc),
});
export const docStatesRow = (owner: string): string => `${owner}/mail/doc-states`;
export const docStatesCell = (owner: string, segment: number): CellKey => ({
  row: docStatesRow(owner),
  column: countedDown(segment),
});
export const freshWordsRow = (owner: string): string => `${owner}/mail/fresh-words`;
export const freshWordsCell = (owner: string, doc: number): CellKey => ({
  row: freshWordsRow(owner),
  column: countedDown(doc),
});
export const wordBlocksRow = (owner: string, partition: number): string =>
  `${owner}/mail/words/${partition.toString(16).padStart(2, '0')}`;
export const wordBlockCell = (owner: string, partition: number, segment: number): CellKey => ({
  row: wordBlocksRow(owner, partition),
  column: countedDown(segment),
});

const COUNTED_DIGITS = 10;
const COUNTED_TOP = 10 ** COUNTED_DIGITS - 1;

/** Ten digits that sort the highest number first. */
export function countedDown(n: number): string {
  return String(COUNTED_TOP - n).padStart(COUNTED_DIGITS, '0');
}

/** The number that `countedDown` wrote. */
export function parseCountedDown(column: string): number {
  return COUNTED_TOP - Number(column);
}

const draftRow = (owner: string, draftId: string): string => `${owner}/mail/draft/${draftId}`;
export const draftContentCell = (owner: string, draftId: string): CellKey => ({
  row: draftRow(owner, draftId),
  column: 'content',
});
export const draftRevisionCell = (owner: string, draftId: string): CellKey => ({
  row: draftRow(owner, draftId),
  column: 'revision',
});

export const messageRow = (owner: string, messageId: string): string => `${owner}/mail/message/${messageId}`;
export const metaCell = (owner: string, messageId: string): CellKey => ({
  row: messageRow(owner, messageId),
  column: 'meta',
});
export const rawCell = (owner: string, messageId: string): CellKey => ({
  row: messageRow(owner, messageId),
  column: 'raw',
});
export const historyCell = (owner: string, messageId: string): CellKey => ({
  row: messageRow(owner, messageId),
  column: 'history',
});

export const driveFolderRow = (owner: string, folderId: string): string =>
  `${owner}/drive/folder/${folderId}`;
export const driveFileCell = (owner: string, folderId: string, name: string): CellKey => ({
  row: driveFolderRow(owner, folderId),
  column: name,
});
export const manifestCell = (owner: string, fileId: string): CellKey => ({
  row: `${owner}/drive/file/${fileId}`,
  column: 'manifest',
});
export const usageCell = (owner: string): CellKey => ({ row: `${owner}/drive/usage`, column: 'total' });
export const contactsRow = (owner: string): string => `${owner}/contacts/cards`;
export const contactCell = (owner: string, contactId: string): CellKey => ({
  row: contactsRow(owner),
  column: contactId,
});
export const groupsRow = (owner: string): string => `${owner}/contacts/groups`;
export const groupCell = (owner: string, groupId: string): CellKey => ({
  row: groupsRow(owner),
  column: groupId,
});
export const groupListRow = (owner: string): string => `${owner}/contacts/group-list`;
export const groupLineCell = (owner: string, order: string): CellKey => ({
  row: groupListRow(owner),
  column: order,
});
export const contactListRow = (owner: string): string => `${owner}/contacts/list`;
export const contactLineCell = (owner: string, order: string): CellKey => ({
  row: contactListRow(owner),
  column: order,
});
export const contactWordsRow = (owner: string): string => `${owner}/contacts/words`;
export const contactWordCell = (owner: string, column: string): CellKey => ({
  row: contactWordsRow(owner),
  column,
});
/** `key`: of an address, as `addressKey` gives it. */
export const bookAddressCell = (owner: string, key: string): CellKey => ({
  row: `${owner}/contacts/addresses`,
  column: key,
});
export const collectedRow = (owner: string): string => `${owner}/contacts/collected`;
export const collectedCell = (owner: string, key: string): CellKey => ({
  row: collectedRow(owner),
  column: key,
});
export const bookStateCell = (owner: string): CellKey => ({
  row: `${owner}/contacts/state`,
  column: 'counts',
});

export const chunkCell = (fileId: string, chunk: number): CellKey => ({
  row: chunkStream(fileId, chunk),
  column: 'bytes',
});

export const CONSOLE_SESSIONS_ROW: string = `${CONSOLE_STREAM}/sessions`;
export const consoleSessionCell = (sessionHash: string): CellKey => ({
  row: CONSOLE_SESSIONS_ROW,
  column: sessionHash,
});

const ORDER_DIGITS = 14;
const ORDER_TOP = 10 ** ORDER_DIGITS - 1;

/**
 * The column that sorts a conversation in a folder: newest first, and by id among those of one millisecond.
 * 14 decimal digits of (99999999999999 - at), '-', the conversation's id. Requires 0 <= at <= 99999999999999.
 */
export function orderOf(at: Time, thread: string): string {
  if (!Number.isSafeInteger(at) || at < 0 || at > ORDER_TOP) {
    throw new Error(`defect: the time ${at} is not within 0 to ${ORDER_TOP} milliseconds`);
  }
  return `${String(ORDER_TOP - at).padStart(ORDER_DIGITS, '0')}-${thread}`;
}

/** Undefined for a column that `orderOf` cannot have made. */
export function parseOrder(order: string): { at: Time; thread: string } | undefined {
  const found = /^(\d{14})-([a-z2-7]{26}(?:-in)?)$/.exec(order);
  return found ? { at: ORDER_TOP - Number(found[1]), thread: String(found[2]) } : undefined;
}

/** What a row holds. */
export type RowName =
  | {
      readonly kind:
        | 'account'
        | 'sessions'
        | 'identities'
        | 'app passwords'
        | 'folder counts'
        | 'own folders'
        | 'bulks'
        | 'rules'
        | 'vacation'
        | 'docs'
        | 'doc states'
        | 'fresh words'
        | 'drive usage'
        | 'contacts';
      readonly account: string;
    }
  | { readonly kind: 'folder'; readonly account: string; readonly folder: Folder }
  | { readonly kind: 'thread'; readonly account: string; readonly thread: string }
  | { readonly kind: 'message' | 'draft'; readonly account: string; readonly messageId: string }
  | { readonly kind: 'words'; readonly account: string; readonly partition: number }
  | { readonly kind: 'drive folder'; readonly account: string; readonly folderId: string }
  | { readonly kind: 'drive file'; readonly account: string; readonly fileId: string }
  | { readonly kind: 'chunk'; readonly fileId: string; readonly chunk: number }
  | { readonly kind: 'console sessions' }
  | QueueRowName;

/** Undefined for a user's own row, and for any that no builder above can have made. */
export function parseRow(row: string): RowName | undefined {
  if (row === CONSOLE_SESSIONS_ROW) return { kind: 'console sessions' };
  const account = accountOf(row);
  if (account !== undefined) return parseAccountRow(account, row);
  return parseChunkRow(row) ?? parseQueueRow(row);
}

function parseAccountRow(account: string, row: string): RowName | undefined {
  const owner = accountStream(account);
  if (!row.startsWith(`${owner}/`)) return undefined;
  const [area = '', kind = '', id = '', ...more] = row.slice(owner.length + 1).split('/');
  if (more.length > 0) return undefined;
  switch (id === '' ? row.slice(owner.length + 1) : `${area}/${kind}/`) {
    case 'account':
      return { kind: 'account', account };
    case 'sessions':
      return { kind: 'sessions', account };
    case 'app-passwords':
      return { kind: 'app passwords', account };
    case 'identities':
      return { kind: 'identities', account };
    case 'mail/folders':
      return { kind: 'folder counts', account };
    case 'mail/own-folders':
      return { kind: 'own folders', account };
    case 'mail/bulks':
      return { kind: 'bulks', account };
    case 'mail/rules':
      return { kind: 'rules', account };
    case 'mail/vacation':
      return { kind: 'vacation', account };
    case 'mail/docs':
      return { kind: 'docs', account };
    case 'mail/doc-states':
      return { kind: 'doc states', account };
    case 'mail/fresh-words':
      return { kind: 'fresh words', account };
    case 'drive/usage':
      return { kind: 'drive usage', account };
    case 'contacts/cards':
    case 'contacts/groups':
    case 'contacts/group-list':
    case 'contacts/list':
    case 'contacts/words':
    case 'contacts/addresses':
    case 'contacts/collected':
    case 'contacts/state':
      return { kind: 'contacts', account };
    case 'mail/folder/':
      return isSystemFolder(id) || isOwnFolder(id) ? { kind: 'folder', account, folder: id } : undefined;
    case 'mail/thread/':
      return id === '' ? undefined : { kind: 'thread', account, thread: id };
    case 'mail/message/':
      return id === '' ? undefined : { kind: 'message', account, messageId: id };
    case 'mail/words/':
      return /^[0-9a-f]{2}$/.test(id) ? { kind: 'words', account, partition: Number(`0x${id}`) } : undefined;
    case 'mail/draft/':
      return id === '' ? undefined : { kind: 'draft', account, messageId: id };
    case 'drive/folder/':
      return id === '' ? undefined : { kind: 'drive folder', account, folderId: id };
    case 'drive/file/':
      return id === '' ? undefined : { kind: 'drive file', account, fileId: id };
    default:
      return undefined;
  }
}

function parseChunkRow(row: string): RowName | undefined {
  const [, fileId = '', chunk = ''] = /^~chunk\/[0-9a-f]{2}\/([^/]+)\/(\d{1,9})$/.exec(row) ?? [];
  return chunkStream(fileId, Number(chunk)) === row
    ? { kind: 'chunk', fileId, chunk: Number(chunk) }
    : undefined;
}
