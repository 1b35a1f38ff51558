/** Checks that the commands of mail have in common: ids of messages, conversations and folders, and parts. */
import { checkAccountName } from '../account/names.ts';
import type { Content } from '../decider.ts';
import { listOf, matching, partAtMost, refuse, whole } from '../fields.ts';
import { isOwnFolder, isSystemFolder, takesMoves, type Folder } from './folders.ts';
import { SUMMARY_BYTES_MAX } from './message/summary.ts';

export const RECIPIENTS_MAX = 100;
/** The words of a message, as the search index takes them. */
export const WORDS_BYTES_MAX = 256 * 1024;

const ID_RULE = '26 characters, each a lower-case letter or a digit 2 to 7';

/** A message's id, or a conversation's, which is named after its first message. */
export function messageIdField(value: unknown, field = 'messageId'): string {
  const rule = `${ID_RULE}, with or without "-in" after them`;
  return matching(value, field, /^[a-z2-7]{26}(-in)?$/, rule);
}

/** Each id once. */
export function messageIds(value: unknown, field: string, max: number): readonly string[] {
  return [...new Set(listOf(value, field, 1, max, 'ids').map((id) => messageIdField(id, field)))];
}

export function accountNames(value: unknown, min: number): readonly string[] {
  const list = listOf(value, 'recipients', min, RECIPIENTS_MAX, 'account names');
  return [...new Set(list.map((name) => checkAccountName(name, 'recipients')))];
}

/** Any folder, one's own included; whether that one exists, the decision says. */
export function folderField(value: unknown, field = 'folder'): Folder {
  if (typeof value !== 'string') refuse('Malformed', `The field ${field} must name a folder.`, { field });
  if (!isSystemFolder(value) && !isOwnFolder(value)) {
    refuse('NoSuchFolder', `There is no folder "${value.slice(0, 64)}".`, { field });
  }
  return value;
}

/** A folder that people can move messages to. */
export function targetFolder(value: unknown, field = 'folder'): Folder {
  const folder = folderField(value, field);
  if (!takesMoves(folder)) {
    refuse('NoSuchFolder', `Messages cannot be moved to "${folder}": it fills by itself.`, { field });
  }
  return folder;
}

/** What the lists can order by, 14 decimal digits: until the year 5138. */
const TIME_MAX = 99_999_999_999_999;

export function timeField(value: unknown, field: string): number {
  return whole(value, field, 0, TIME_MAX);
}

/** Message, summary. */
export function messageParts(
  content: Content,
  messageBytesMax: number,
  ...summaries: readonly number[]
): void {
  partAtMost(content, 0, 'message', messageBytesMax);
  for (const part of summaries) partAtMost(content, part, 'summary', SUMMARY_BYTES_MAX);
}
