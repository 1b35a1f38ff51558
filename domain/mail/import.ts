/**
 * A message from somewhere else is filed where it lay there: mail of earlier years, out of a mailbox file. It comes
 * from its owner, not from a stranger: no rule looks at it, no filter judges it, nobody is answered. Its id is
 * derived from its bytes, so that what is imported again is taken once.
 */
import { ACCOUNT_KEY, accountFault } from '../account/evolve.ts';
import type { CommandHandler } from '../decider.ts';
import { fieldsOf, flag, namedIds, parsed, partAtMost, partsAre, refuse } from '../fields.ts';
import { arrivalOf, arrivalReads, arrivalReadsNext, beginsAnew, hasPart, type Arriving } from './arrival.ts';
import { messageKey } from './conversation.ts';
import { happened, noSuchFolder, nothing } from './decisions.ts';
import { folderField, messageIdField, messageParts, timeField, WORDS_BYTES_MAX } from './fields.ts';
import { FOLDERS_KEY, foldersOf, isOwnFolder, isThere, takesMoves, type Folder } from './folders.ts';

export type ImportMessage = Arriving & {
  readonly folder: Folder;
  readonly read: boolean;
  readonly starred: boolean;
  /** When it came in or was sent there: where it stands in lists. */
  readonly dated: number;
};

/** Where nothing waits to be written or sent, and nothing comes back by itself. */
const takesImports = (folder: Folder): boolean => takesMoves(folder) || folder === 'sent';

/** Parts: the message, its summary, its words. */
export const importMessage = (messageBytesMax: number): CommandHandler<ImportMessage> => ({
  parse: (data, content) =>
    parsed((): ImportMessage => {
      const fields = fieldsOf(data, ['messageId', 'ids', 'folder', 'read', 'starred', 'dated']);
      partsAre(content, 'message', 'summary', 'words');
      partAtMost(content, 2, 'words', WORDS_BYTES_MAX);
      messageParts(content, messageBytesMax, 1);
      const folder = folderField(fields.folder);
      if (!takesImports(folder)) {
        refuse('NoSuchFolder', `Messages cannot be imported to "${folder}": it fills by itself.`, {
          field: 'folder',
        });
      }
      return {
        messageId: messageIdField(fields.messageId),
        ids: namedIds(fields.ids),
        folder,
        read: flag(fields.read, 'read'),
        starred: flag(fields.starred, 'starred'),
        dated: timeField(fields.dated, 'dated'),
      };
    }),
  reads: (data) => [ACCOUNT_KEY, ...arrivalReads(data), ...(isOwnFolder(data.folder) ? [FOLDERS_KEY] : [])],
  readsNext: arrivalReadsNext,
  decide(data, slices, { stream, time, content }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const { messageId, folder, read, starred, dated } = data;
    if (slices(messageKey(messageId)) !== undefined) return nothing;
    if (isOwnFolder(folder) && !isThere(foldersOf(slices(FOLDERS_KEY)), folder)) return noSuchFolder(folder);
    const arrival = arrivalOf(data, slices, hasPart(content, 2));
    return happened({
      type: 'mail.MessageReceived',
      version: 1,
      data: {
        ...arrival,
        ...(beginsAnew(arrival, slices) && { begins: true }),
        folder,
        via: 'import',
        ...(starred && { starred }),
        ...(read && { read }),
        // No message is of the future.
        dated: Math.min(dated, time),
      },
    });
  },
});
