/**
 * How many messages lie in each folder, and how many of them are unread. What always holds: the counts
 * of a folder equal the cells of its row in the inbox model, because both follow the same events, and
 * each event says where the message was and whether it was read.
 */
import { type Folder, type MailEvent } from '../domain/mail/events.ts';
import { cellFormat, natural, record } from './cell-format.ts';
import { folderCountsCell } from './keys.ts';
import type { CellKey, Mutation, Projection } from './projection.ts';

export type FolderCounts = { readonly total: number; readonly unread: number };

/** The counts of a folder that has no cell yet. */
export const EMPTY_FOLDER: FolderCounts = { total: 0, unread: 0 };

const counts = cellFormat<FolderCounts>('folder counts', record({ total: natural, unread: natural }));

/** Throws on bytes that this projection cannot have written. */
export const readFolderCounts = (bytes: Uint8Array): FolderCounts => counts.read(bytes);

const types: readonly MailEvent['type'][] = [
  'mail.MessageReceived',
  'mail.MessageSent',
  'mail.MessageMarked',
  'mail.MessageMoved',
  'mail.MessageDeleted',
];

export const folderProjection: Projection = {
  name: 'folder',
  listensTo: new Set(types),

  priors: (event: MailEvent, entry): CellKey[] =>
    changesOf(event).map(({ folder }) => folderCountsCell(entry.stream, folder)),

  project: (event: MailEvent, entry, _content, prior): Mutation[] =>
    changesOf(event).map(({ folder, total, unread }) => {
      const cell = folderCountsCell(entry.stream, folder);
      const bytes = prior(cell);
      const before = bytes === undefined ? EMPTY_FOLDER : counts.read(bytes);
      const after = {
        total: Math.max(0, before.total + total),
        unread: Math.max(0, before.unread + unread),
      };
      return { put: cell, value: { bytes: counts.write(after) } };
    }),
};

type Change = { readonly folder: Folder; readonly total: number; readonly unread: number };

function changesOf(event: MailEvent): readonly Change[] {
  switch (event.type) {
    case 'mail.MessageReceived':
      return [{ folder: event.data.folder, total: 1, unread: 1 }];
    case 'mail.MessageSent':
      return [{ folder: 'sent', total: 1, unread: 0 }];
    case 'mail.MessageMarked':
      return [{ folder: event.data.folder, total: 0, unread: event.data.read ? -1 : 1 }];
    case 'mail.MessageMoved': {
      const unread = event.data.read ? 0 : 1;
      return [
        { folder: event.data.from, total: -1, unread: -unread },
        { folder: event.data.to, total: 1, unread },
      ];
    }
    case 'mail.MessageDeleted':
      return [{ folder: event.data.from, total: -1, unread: event.data.read ? 0 : -1 }];
  }
}
