/**
 * What has happened to an account's mail. Each event is complete in itself: it carries the folder, the
 * read mark and the time of arrival that the message had before, so that read models change without
 * looking elsewhere, and undo knows the way back.
 */
export const FOLDERS = ['inbox', 'sent', 'archive', 'spam', 'trash'] as const;
export type Folder = (typeof FOLDERS)[number];

export function isFolder(value: unknown): value is Folder {
  return (FOLDERS as readonly unknown[]).includes(value);
}

/** How a message came in: from another mail server, or from an account of this system. */
export type Via = 'smtp' | 'local';

/** Parts: 0 the message (RFC 5322 bytes), 1 its summary. Arrived unread, at the entry's time. */
export type MessageReceived = {
  readonly type: 'mail.MessageReceived';
  readonly version: 1;
  readonly data: { readonly messageId: string; readonly folder: Folder; readonly via: Via };
};

/** Parts: 0 the message, 1 the sender's summary, 2 the recipients' (without Bcc). The copy lies in 'sent', read. */
export type MessageSent = {
  readonly type: 'mail.MessageSent';
  readonly version: 1;
  readonly data: { readonly messageId: string; readonly recipients: readonly string[] };
};

export type MessageMarked = {
  readonly type: 'mail.MessageMarked';
  readonly version: 1;
  readonly data: {
    readonly messageId: string;
    readonly read: boolean;
    readonly before: boolean;
    readonly folder: Folder;
    readonly at: number;
  };
};

export type MessageMoved = {
  readonly type: 'mail.MessageMoved';
  readonly version: 1;
  readonly data: {
    readonly messageId: string;
    readonly from: Folder;
    readonly to: Folder;
    readonly read: boolean;
    readonly at: number;
  };
};

/** The message is gone from every folder. */
export type MessageDeleted = {
  readonly type: 'mail.MessageDeleted';
  readonly version: 1;
  readonly data: {
    readonly messageId: string;
    readonly from: Folder;
    readonly read: boolean;
    readonly at: number;
  };
};

export type MailEvent = MessageReceived | MessageSent | MessageMarked | MessageMoved | MessageDeleted;
