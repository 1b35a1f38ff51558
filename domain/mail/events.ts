/**
 * What has happened to an account's mail. Each event says what read models and undo need: the conversation
 * of each message, and what was before as well as after. User content lies in the entry's parts.
 *
 * `doc` is a message's number in the search index; `ids` are hashes of Message-IDs that were not named
 * before and belong to the conversation from now on.
 */
import type { Answering } from './message/answerable.ts';
import type { Marks } from './conversation.ts';
import type { Folder } from './folders.ts';
import type { Origin, Recipient } from '../outbound/item.ts';

/** How a message came in: from another mail server, from an account of this system, or out of a mailbox file. */
export type Via = 'smtp' | 'local' | 'import';

export type Arrival = {
  readonly messageId: string;
  /** Absent in logs of early releases, as are the next two: the message is a conversation of its own. */
  readonly thread?: string;
  readonly ids?: readonly string[];
  readonly doc?: number;
};

/**
 * Parts: 0 the message (RFC 5322 bytes), 1 its summary, 2 its words (absent: it cannot be found), 3 what an automatic
 * answer needs (answerable.ts; absent: it must have none), then those of `VacationReplied`.
 */
export type MessageReceived = {
  readonly type: 'mail.MessageReceived';
  readonly version: 1;
  readonly data: Arrival & {
    readonly folder: Folder;
    readonly via: Via;
    /** Nothing of its conversation was here before: no cell of it needs to be read. */
    readonly begins?: true;
    readonly starred?: boolean;
    readonly read?: boolean;
    /** The ids of the rules that held for it, in their order: why it lies there and is marked so. */
    readonly rules?: readonly string[];
    /** It lies in spam because of what was taught, not by a rule. */
    readonly spam?: true;
    /** It lies in spam because the domain that it names as its sender's asks for that (RFC 7489); rules were not asked. */
    readonly quarantined?: true;
    /** What was taught says of it, 0 to 100; absent if it was not asked. */
    readonly score?: number;
    /** The accounts that it goes on to. */
    readonly forward?: readonly string[];
    /** With `forward`: hashes of all Message-IDs in its header, as MessageSent's. */
    readonly named?: readonly string[];
    /** Of imported mail: when it came in or was sent elsewhere, never later than the entry's time. */
    readonly dated?: number;
    /** With `forward`: it has no sender who could hear of a failure; and who has forwarded it before. */
    readonly nullSender?: true;
    readonly deliveredTo?: readonly string[];
    /** It goes on to so many addresses at other systems; `envelope`: the part with its envelope there. */
    readonly outside?: number;
    readonly envelope?: number;
    /** A rule would have it go on to other systems, but too many copies left today, or it came back from there. */
    readonly notForwarded?: 'limit' | 'loop';
  };
};

/** How automatic answers find a sender here. */
export type SentAnswering = Answering & {
  /** The recipients that To and Cc name: they may answer. */
  readonly addressed: readonly string[];
  /** The part that says what an answer needs. */
  readonly part: number;
};

/**
 * Sent at once. Parts: 0 the message, 1 the sender's summary, 2 the recipients' (without Bcc), 3 the sender's
 * words, 4 the recipients' words, 5 the envelope for addresses outside (only if there are any; before there was
 * `envelope`: a JSON list of them, which nothing sends by itself), then the addresses
 * that the address book collects (written-to.ts), then what an automatic answer needs (answerable.ts). The copy
 * lies in 'sent', read.
 */
export type MessageSent = {
  readonly type: 'mail.MessageSent';
  readonly version: 1;
  readonly data: Arrival & {
    /** Hashes of all Message-IDs in its header: what joins the recipients' copies to their conversations. */
    readonly named?: readonly string[];
    readonly recipients: readonly string[];
    readonly outside?: number;
    /** The part with the envelope (outbound/envelope.ts): the message is queued. Absent in earlier logs. */
    readonly envelope?: number;
    /** The part with the addresses that the address book collects; absent in earlier logs: those of the summary. */
    readonly collected?: number;
    /** The draft that it was written as, which is gone with this. */
    readonly draftId?: string;
    /** Absent in earlier releases: their messages have no automatic answers. */
    readonly answer?: SentAnswering;
  };
};

/** To be sent at `dueAt`; until then it lies in 'outbox' and can be taken back. Parts as MessageSent's. */
export type MessageScheduled = {
  readonly type: 'mail.MessageScheduled';
  readonly version: 1;
  readonly data: Arrival & {
    readonly named: readonly string[];
    readonly recipients: readonly string[];
    readonly outside: number;
    /** As MessageSent's. */
    readonly envelope?: number;
    readonly dueAt: number;
    /** The part with the addresses that the address book collects; absent in earlier logs: those of the summary. */
    readonly collected?: number;
    /** The draft that it was written as; it is out of sight until the message is sent or taken back. */
    readonly draftId: string | null;
    readonly answer?: SentAnswering;
  };
};

/** Its time has come: the message lies in 'sent'. `entry`: the seq of the entry that holds its parts. */
export type MessageReleased = {
  readonly type: 'mail.MessageReleased';
  readonly version: 1;
  readonly data: {
    readonly messageId: string;
    readonly thread: string;
    readonly doc: number | null;
    readonly entry: number;
    /** How many parts that entry has. */
    readonly parts: number;
    readonly named: readonly string[];
    readonly recipients: readonly string[];
    readonly draftId: string | null;
    readonly answer?: SentAnswering;
    /** As MessageScheduled's, if it has an envelope. */
    readonly outside?: number;
    readonly envelope?: number;
  };
};

/** Taken back before its time: the message is gone, its draft is there again. */
export type SendingCancelled = {
  readonly type: 'mail.SendingCancelled';
  readonly version: 1;
  readonly data: {
    readonly messageId: string;
    readonly thread: string;
    readonly doc: number | null;
    readonly ids: readonly string[];
    readonly draftId: string | null;
  };
};

/** Parts: 0 the draft as its writer sees it, 1 its summary. The first one makes the draft. */
export type DraftSaved = {
  readonly type: 'mail.DraftSaved';
  readonly version: 1;
  readonly data: { readonly draftId: string; readonly revision: number };
};

export type MemberChange = {
  readonly id: string;
  readonly thread: string;
  readonly doc: number | null;
  /** Where it lay before. */
  readonly folder: Folder;
  /** Those that change, as they were and as they are. */
  readonly from: Partial<Marks>;
  readonly to: Partial<Marks>;
};

/** What it takes to make a change, or to unmake it. */
export type Change = Omit<MemberChange, 'doc' | 'folder'>;

/** What a bulk does to each of its members. */
export type BulkChange = { readonly folder?: Folder; readonly read?: boolean; readonly starred?: boolean };

export type MessagesChanged = {
  readonly type: 'mail.MessagesChanged';
  readonly version: 1;
  readonly data: {
    readonly members: readonly MemberChange[];
    /** The step of a bulk, or of the undoing of one, that this was. */
    readonly bulk?: { readonly id: string; readonly page: number; readonly undo: boolean };
    /** The command whose change is undone. */
    readonly undoes?: string;
  };
};

/** Gone for good: nothing brings them back. */
export type MessagesDeleted = {
  readonly type: 'mail.MessagesDeleted';
  readonly version: 1;
  readonly data: {
    readonly members: readonly {
      readonly id: string;
      readonly thread: string;
      readonly doc: number | null;
      readonly from: Folder;
    }[];
  };
};

/**
 * A change to many conversations, named one by one: parts 0, 1, … hold their ids, one on a line. It is carried
 * out page by page, each page in an entry of its own.
 */
export type BulkStarted = {
  readonly type: 'mail.BulkStarted';
  readonly version: 1;
  readonly data: {
    readonly bulkId: string;
    /** Only messages that lie in one of these are changed. */
    readonly in: readonly Folder[];
    readonly to: BulkChange;
    readonly pages: number;
    readonly conversations: number;
    /** Each step asks for the next one; absent in early logs: the event asked for all of them at once. */
    readonly inTurn?: true;
  };
};

/** The steps that were made are unmade, page by page; those that were not are not made any more. */
export type BulkUndone = {
  readonly type: 'mail.BulkUndone';
  readonly version: 1;
  readonly data: { readonly bulkId: string; readonly pages: number; readonly inTurn?: true };
};

/** Parts: 0 the name, 1 the name folded (the same for names that differ in case or form alone). */
export type FolderCreated = {
  readonly type: 'mail.FolderCreated';
  readonly version: 1;
  readonly data: { readonly folderId: string; readonly parent: string | null };
};

/** A new name, a new place, or both. Parts: as FolderCreated's, and the same two as they were before. */
export type FolderChanged = {
  readonly type: 'mail.FolderChanged';
  readonly version: 1;
  readonly data: {
    readonly folderId: string;
    readonly parent: string | null;
    readonly parentBefore: string | null;
  };
};

/**
 * The folders (one, and all below it) are out of sight and take no message any more; what lies in them is moved
 * to the trash by the bulk of the same entry.
 */
export type FolderDeleted = {
  readonly type: 'mail.FolderDeleted';
  readonly version: 1;
  readonly data: {
    readonly folders: readonly string[];
    /** Deleted long ago: they cannot be restored any more. */
    readonly forgotten?: readonly string[];
  };
};

/** The folders are there again, where they were. */
export type FolderRestored = {
  readonly type: 'mail.FolderRestored';
  readonly version: 1;
  readonly data: { readonly folders: readonly string[] };
};

/** Parts: 0 the list of rules (rule-list.ts), 1 the list as it was. */
export type RulesChanged = {
  readonly type: 'mail.RulesChanged';
  readonly version: 1;
  readonly data: Record<never, never>;
};

/** Parts: 0 the setting for while one is away (vacation-settings.ts), 1 as it was; empty: none. */
export type VacationChanged = {
  readonly type: 'mail.VacationChanged';
  readonly version: 1;
  readonly data: {
    readonly on: boolean;
    readonly from: number | null;
    readonly until: number | null;
    /** The text is another one: whoever was told before may be told again. */
    readonly startsOver: boolean;
  };
};

/**
 * The message of the same entry was answered because its recipient is away. Parts, from `part` on: the answer, its
 * summary, its words.
 */
export type VacationReplied = {
  readonly type: 'mail.VacationReplied';
  readonly version: 1;
  readonly data: Answering & {
    readonly messageId: string;
    /** Hashes of the Message-IDs that the answered message names: what joins the answer to its conversation. */
    readonly named: readonly string[];
    readonly part: number;
    /** The answer has no sender (RFC 3834 §3.3); absent in earlier logs. */
    readonly nullSender?: true;
    /** To another system: to one address, by the envelope in this part. Absent in earlier logs: nothing sends it. */
    readonly outside?: number;
    readonly envelope?: number;
  };
};

/** What moving these messages taught, or (`undo`) does not teach any more. Part 0: their words (lessons.ts). */
export type SpamLearned = {
  readonly type: 'mail.SpamLearned';
  readonly version: 1;
  readonly data: {
    readonly as: 'spam' | 'ham';
    readonly messages: readonly string[];
    readonly undo: boolean;
    /** Where the lessons are; absent: in part 0. */
    readonly part?: number;
  };
};

/** How a recipient at another system stands; `to`: its place in the envelope. */
export type DeliveryChange = Pick<Recipient, 'state' | 'tries' | 'retryAt'> & {
  readonly to: number;
  /** What the server answered; absent: none was asked. */
  readonly code?: number | null;
};

/**
 * What became of a message that goes to other systems: one's own, what a rule forwards of it, or the answer to it.
 * Part 0: what the servers said of each change (said.ts); absent: none was asked.
 */
export type DeliveryRecorded = {
  readonly type: 'mail.DeliveryRecorded';
  readonly version: 1;
  readonly data: {
    readonly messageId: string;
    readonly origin: Origin;
    readonly changes: readonly DeliveryChange[];
  };
};

/**
 * What was written to addresses elsewhere under a release that took mail nowhere is sent to them after all. Parts: the
 * message's bytes, its envelope (`envelope`: which one), of `outside` addresses.
 */
export type MessageSentOutside = {
  readonly type: 'mail.MessageSentOutside';
  readonly version: 1;
  readonly data: { readonly messageId: string; readonly outside: number; readonly envelope: number };
};

/** The reader asked to leave the mailing list that this message is of. Part 0: the outcome, in words. */
export type Unsubscribed = {
  readonly type: 'mail.Unsubscribed';
  readonly version: 1;
  readonly data: { readonly messageId: string; readonly accepted: boolean };
};

export type MailEvent =
  | MessageReceived
  | MessageSent
  | MessageScheduled
  | MessageReleased
  | MessageSentOutside
  | SendingCancelled
  | DraftSaved
  | MessagesChanged
  | MessagesDeleted
  | BulkStarted
  | BulkUndone
  | FolderCreated
  | FolderChanged
  | FolderDeleted
  | FolderRestored
  | RulesChanged
  | VacationChanged
  | VacationReplied
  | SpamLearned
  | Unsubscribed
  | DeliveryRecorded;
