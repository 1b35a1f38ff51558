/**
 * What can be asked of an account's mail, and the checks that untrusted data passes first. The stream is
 * the account's. Message ids are chosen at random by the gateway; the copy that a local recipient gets
 * has the sent message's id with '-in', so that a message to oneself makes two messages.
 */
import { checkAccountName } from '../account/names.ts';
import type { Content } from '../decider.ts';
import {
  fieldsOf,
  flag,
  matching,
  parsed,
  partAtMost,
  partsAre,
  randomId,
  refuse,
  whole,
} from '../fields.ts';
import { FOLDERS, isFolder, type Folder, type Via } from './events.ts';
import { SUMMARY_BYTES_MAX } from './summary.ts';

export const RECIPIENTS_MAX = 100;

export type ReceiveMessage = { readonly messageId: string; readonly via: Via };
export type SendMessage = { readonly messageId: string; readonly recipients: readonly string[] };
export type MarkMessage = { readonly messageId: string; readonly read: boolean };
export type MoveMessage = { readonly messageId: string; readonly folder: Folder };
export type DeleteMessage = { readonly messageId: string };

/** Parts: the message, its summary. */
export function parseReceiveMessage(data: unknown, content: Content, messageBytesMax: number) {
  return parsed((): ReceiveMessage => {
    const { messageId, via } = fieldsOf(data, ['messageId', 'via']);
    partsAre(content, 'message', 'summary');
    partAtMost(content, 0, 'message', messageBytesMax);
    partAtMost(content, 1, 'summary', SUMMARY_BYTES_MAX);
    return {
      messageId: anyMessageId(messageId),
      via: matching(via, 'via', /^(smtp|local)$/, '"smtp" or "local"') as Via,
    };
  });
}

/**
 * Parts: the message, the sender's summary, the recipients' summary. Recipients are account names; one
 * named twice (in To and in Cc, say) gets one copy. `size`, when given, must be the message's length.
 */
export function parseSendMessage(data: unknown, content: Content, messageBytesMax: number) {
  return parsed((): SendMessage => {
    const { messageId, recipients, size } = fieldsOf(data, ['messageId', 'recipients', 'size']);
    partsAre(content, 'message', 'summary with Bcc', 'summary without Bcc');
    partAtMost(content, 0, 'message', messageBytesMax);
    partAtMost(content, 1, 'summary', SUMMARY_BYTES_MAX);
    partAtMost(content, 2, 'summary', SUMMARY_BYTES_MAX);
    if (size !== undefined && whole(size, 'size', 0, messageBytesMax) !== content.length(0)) {
      refuse('Malformed', `Size must be the message's length, ${content.length(0)} bytes.`, {
        field: 'size',
        limit: content.length(0),
      });
    }
    return { messageId: randomId(messageId, 'messageId'), recipients: accountNames(recipients) };
  });
}

export function parseMarkMessage(data: unknown, content: Content) {
  return parsed((): MarkMessage => {
    const { messageId, read } = fieldsOf(data, ['messageId', 'read']);
    partsAre(content);
    return { messageId: anyMessageId(messageId), read: flag(read, 'read') };
  });
}

export function parseMoveMessage(data: unknown, content: Content) {
  return parsed((): MoveMessage => {
    const { messageId, folder } = fieldsOf(data, ['messageId', 'folder']);
    partsAre(content);
    return { messageId: anyMessageId(messageId), folder: existingFolder(folder) };
  });
}

export function parseDeleteMessage(data: unknown, content: Content) {
  return parsed((): DeleteMessage => {
    const { messageId } = fieldsOf(data, ['messageId']);
    partsAre(content);
    return { messageId: anyMessageId(messageId) };
  });
}

function anyMessageId(value: unknown): string {
  const rule = '26 characters, each a lower-case letter or a digit 2 to 7, with or without "-in" after them';
  return matching(value, 'messageId', /^[a-z2-7]{26}(-in)?$/, rule);
}

function accountNames(value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length < 1 || value.length > RECIPIENTS_MAX) {
    refuse('Malformed', `Recipients must be a list of 1 to ${RECIPIENTS_MAX} account names.`, {
      field: 'recipients',
      limit: RECIPIENTS_MAX,
    });
  }
  return [...new Set(value.map((name: unknown) => checkAccountName(name, 'recipients')))];
}

function existingFolder(value: unknown): Folder {
  if (typeof value !== 'string') {
    refuse('Malformed', `Folder must be one of ${FOLDERS.join(', ')}.`, { field: 'folder' });
  }
  if (!isFolder(value)) {
    const named = value.slice(0, 64);
    refuse('NoSuchFolder', `There is no folder "${named}": choose one of ${FOLDERS.join(', ')}.`, {
      field: 'folder',
    });
  }
  return value;
}
