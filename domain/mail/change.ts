/**
 * Messages are moved, starred, marked, snoozed, thrown away, and all of that is undone. Commands name messages,
 * or conversations together with the folder in which their messages are meant: archiving a conversation from
 * the inbox leaves its sent messages where they are.
 */
import { ACCOUNT_KEY, accountFault } from '../account/evolve.ts';
import type { CommandHandler, Decision, EventHandler, Json, Reaction, Slices, StateKey } from '../decider.ts';
import { fieldsOf, flag, parsed, partsAre, refuse } from '../fields.ts';
import { memberChange, messagesChanged, undoing } from './changes.ts';
import {
  messageKey,
  messagesOf,
  threadKey,
  threadOf,
  withoutMessages,
  type Marks,
  type MessageState,
} from './conversation.ts';
import { happened, happenedWith, noSuchFolder, noSuchMessage, nothing, refused } from './decisions.ts';
import type { Change, MessagesChanged, MessagesDeleted } from './events.ts';
import { folderField, listOf, messageIdField, messageIds, targetFolder, timeField } from './fields.ts';
import { canGo, FOLDERS_KEY, foldersOf, GONE, isOwnFolder, isThere, type Folder } from './folders.ts';

/** What one command can change; more than that is a bulk. */
export const CONVERSATIONS_MAX = 100;
export const MEMBERS_MAX = 1000;
/** How long "deleted for good" can be undone. */
export const GONE_MS = 10 * 60 * 1000;
/** Their words are taken out of the search index, which is much work for each. */
const FINISHED_AT_ONCE = 25;
const SNOOZE_MS_MAX = 366 * 24 * 60 * 60 * 1000;

export type Selection =
  | { readonly messages: readonly string[] }
  | { readonly conversations: readonly string[]; readonly in: Folder };
export type ChangeMessages = {
  readonly selection: Selection;
  readonly folder?: Folder;
  readonly read?: boolean;
  readonly starred?: boolean;
  /** Out of sight until then. */
  readonly snoozeUntil?: number;
};
export type DeleteMessages = { readonly selection: Selection };
export type UndoChange = {
  readonly changes: readonly Change[];
  /** The id of the command whose change it was. */
  readonly undoes: string;
};
type Due = { readonly messages: readonly string[]; readonly time: number };

const SELECTION = ['messages', 'conversations', 'in'] as const;

export const changeMessages: CommandHandler<ChangeMessages> = {
  parse: (data, content) =>
    parsed((): ChangeMessages => {
      const { folder, read, starred, snoozeUntil, ...selected } = fieldsOf(data, [
        ...SELECTION,
        'folder',
        'read',
        'starred',
        'snoozeUntil',
      ]);
      partsAre(content);
      if (folder !== undefined && snoozeUntil !== undefined) {
        refuse('Malformed', 'Messages are moved or snoozed, not both at once.', { field: 'folder' });
      }
      return {
        selection: selection(selected),
        ...(folder !== undefined && { folder: targetFolder(folder) }),
        ...(read !== undefined && { read: flag(read, 'read') }),
        ...(starred !== undefined && { starred: flag(starred, 'starred') }),
        ...(snoozeUntil !== undefined && { snoozeUntil: timeField(snoozeUntil, 'snoozeUntil') }),
      };
    }),
  reads: ({ selection }) => [ACCOUNT_KEY, FOLDERS_KEY, ...selectionReads(selection)],
  readsNext: ({ selection }, slices) => selectionReadsNext(selection, slices),
  decide({ selection, folder, read, starred, snoozeUntil }, slices, { stream, time }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    if (folder !== undefined && !isThere(foldersOf(slices(FOLDERS_KEY)), folder)) return noSuchFolder(folder);
    if (snoozeUntil !== undefined && (snoozeUntil <= time || snoozeUntil > time + SNOOZE_MS_MAX)) {
      return refused(
        'Malformed',
        'SnoozeUntil must be later than now and at most 366 days ahead.',
        'snoozeUntil',
      );
    }
    const place = snoozeUntil === undefined ? folder : 'snoozed';
    const wanted = (message: MessageState): Partial<Marks> => ({
      ...(place !== undefined &&
        canGo(message.folder, place) && { folder: place, until: snoozeUntil ?? null }),
      ...(read !== undefined && { read }),
      ...(starred !== undefined && { starred }),
    });
    return changed(selected(selection, slices), wanted);
  },
};

/** Throws away what lies in the trash, in spam, or is a draft; it can be undone for GONE_MS. */
export const deleteMessages: CommandHandler<DeleteMessages> = {
  parse: (data, content) =>
    parsed((): DeleteMessages => {
      const selected = fieldsOf(data, SELECTION);
      partsAre(content);
      return { selection: selection(selected) };
    }),
  reads: ({ selection }) => [ACCOUNT_KEY, FOLDERS_KEY, ...selectionReads(selection)],
  readsNext: ({ selection }, slices) => selectionReadsNext(selection, slices),
  decide({ selection }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    return changed(selected(selection, slices), ({ folder }) =>
      canGo(folder, GONE) ? { folder: GONE } : {},
    );
  },
};

export const undoChange: CommandHandler<UndoChange> = {
  parse: (data, content) =>
    parsed((): UndoChange => {
      const { changes, undoes } = fieldsOf(data, ['changes', 'undoes']);
      partsAre(content);
      if (typeof undoes !== 'string' || undoes.length === 0 || undoes.length > 200) {
        refuse('Malformed', 'Undoes must be the id of a command.', { field: 'undoes', limit: 200 });
      }
      return { changes: listOf(changes, 'changes', 1, MEMBERS_MAX, 'changes').map(changeField), undoes };
    }),
  reads: ({ changes }) => [
    ACCOUNT_KEY,
    FOLDERS_KEY,
    ...new Set(changes.map(({ thread }) => threadKey(thread))),
  ],
  decide({ changes, undoes }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const folders = foldersOf(slices(FOLDERS_KEY));
    const gone = changes.find(
      ({ from: { folder } }) => folder !== undefined && isOwnFolder(folder) && !isThere(folders, folder),
    );
    if (gone !== undefined) {
      return refused('ChangedSince', 'The folder that it was in has been deleted meanwhile.', 'changes');
    }
    const { members, blocked } = undoing(changes, slices);
    if (members.length === 0) {
      return refused('ChangedSince', 'It has been changed again since: nothing was undone.', 'changes');
    }
    return happenedWith(
      { undone: members.length, blocked },
      { type: 'mail.MessagesChanged', version: 1, data: { members, undoes } },
    );
  },
};

/** The time of snoozed messages has come: back to the inbox, on top, unread. */
export const wakeMessages: CommandHandler<Due> = {
  ...dueCommand(),
  decide({ messages, time: until }, slices, { time }) {
    const asleep = selected({ messages }, slices).filter(
      (message) => message.folder === 'snoozed' && message.until === until,
    );
    if (asleep.length === 0) return nothing;
    return changed(asleep, () => ({ folder: 'inbox', until: null, read: false, top: time }));
  },
};

/** The time to undo a deletion is over. */
export const finishDeletion: CommandHandler<Due> = {
  ...dueCommand(),
  decide({ messages }, slices) {
    const members = selected({ messages }, slices)
      .filter(({ folder }) => folder === GONE)
      .map(({ id, thread, doc, folder: from }) => ({ id, thread, doc, from }));
    if (members.length === 0) return nothing;
    return happened({ type: 'mail.MessagesDeleted', version: 1, data: { members } });
  },
};

export const messagesChangedAndDue: EventHandler = {
  ...messagesChanged,
  reactions(event, stream, _content, time) {
    const { members } = (event as MessagesChanged).data;
    const reactions: Reaction[] = [];
    const gone = members.filter(({ to }) => to.folder === GONE).map(({ id }) => id);
    for (let at = 0; at < gone.length; at += FINISHED_AT_ONCE) {
      const some = gone.slice(at, at + FINISHED_AT_ONCE);
      reactions.push(due(stream, 'mail.FinishDeletion', some, time + GONE_MS));
    }
    const snoozed = members.filter(({ to }) => to.folder === 'snoozed');
    for (const until of new Set(snoozed.map(({ to }) => to.until ?? 0))) {
      const ids = snoozed.filter(({ to }) => to.until === until).map(({ id }) => id);
      reactions.push(due(stream, 'mail.WakeMessages', ids, until));
    }
    return reactions;
  },
};

export const messagesDeleted: EventHandler = {
  touches(event) {
    const { members } = (event as MessagesDeleted).data;
    const threads = new Set(members.map(({ thread }) => threadKey(thread)));
    return [...threads, ...members.map(({ id }) => messageKey(id))];
  },
  evolve(key, slice, event) {
    const own = (event as MessagesDeleted).data.members.filter(({ thread }) => threadKey(thread) === key);
    return own.length === 0 ? undefined : withoutMessages(slice, new Set(own.map(({ id }) => id)));
  },
};

function due(stream: string, command: string, messages: readonly string[], time: number): Reaction {
  return { stream, command, data: { messages, time }, parts: [], notBefore: time, lane: 'due' };
}

function dueCommand(): Pick<CommandHandler<Due>, 'parse' | 'reads' | 'readsNext'> {
  return {
    parse: (data, content) =>
      parsed((): Due => {
        const { messages, time } = fieldsOf(data, ['messages', 'time']);
        partsAre(content);
        return {
          messages: messageIds(messages, 'messages', 10 * MEMBERS_MAX),
          time: timeField(time, 'time'),
        };
      }),
    reads: ({ messages }) => [ACCOUNT_KEY, FOLDERS_KEY, ...messages.map(messageKey)],
    readsNext: ({ messages }, slices) =>
      threadsOf(
        messages.map((id) => ({ id })),
        slices,
      ).map(threadKey),
  };
}

type Found = MessageState & { readonly thread: string };

function changed(messages: readonly Found[], wanted: (message: MessageState) => Partial<Marks>): Decision {
  if (messages.length === 0) return noSuchMessage;
  const members = messages.flatMap((message) => memberChange(message, message.thread, wanted(message)) ?? []);
  if (members.length === 0) return nothing;
  if (members.length > MEMBERS_MAX) {
    const message = `At most ${MEMBERS_MAX} messages are changed at once; these are ${members.length}.`;
    return refused('TooLarge', message, 'conversations', MEMBERS_MAX);
  }
  return happenedWith(
    { changed: members.length },
    { type: 'mail.MessagesChanged', version: 1, data: { members } },
  );
}

function selection(fields: Record<(typeof SELECTION)[number], unknown>): Selection {
  if (fields.messages !== undefined)
    return { messages: messageIds(fields.messages, 'messages', MEMBERS_MAX) };
  return {
    conversations: messageIds(fields.conversations, 'conversations', CONVERSATIONS_MAX),
    in: folderField(fields.in, 'in'),
  };
}

function selectionReads(chosen: Selection): StateKey[] {
  return 'messages' in chosen ? chosen.messages.map(messageKey) : chosen.conversations.map(threadKey);
}

function selectionReadsNext(chosen: Selection, slices: Slices): StateKey[] {
  if (!('messages' in chosen)) return [];
  return threadsOf(
    chosen.messages.map((id) => ({ id })),
    slices,
  ).map(threadKey);
}

function threadsOf(messages: readonly { readonly id: string }[], slices: Slices): string[] {
  return [...new Set(messages.flatMap(({ id }) => threadOf(slices, id) ?? []))];
}

function selected(chosen: Selection, slices: Slices): Found[] {
  if ('messages' in chosen) {
    const wanted = new Set(chosen.messages);
    const threads = threadsOf(
      chosen.messages.map((id) => ({ id })),
      slices,
    );
    return threads.flatMap((thread) => found(thread, slices)).filter(({ id }) => wanted.has(id));
  }
  return chosen.conversations
    .flatMap((thread) => found(thread, slices))
    .filter(({ folder }) => folder === chosen.in);
}

function found(thread: string, slices: Slices): Found[] {
  return messagesOf(slices(threadKey(thread))).map((message) => ({ ...message, thread }));
}

function changeField(value: unknown): UndoChange['changes'][number] {
  const { id, thread, from, to } = fieldsOf(value, ['id', 'thread', 'from', 'to']);
  return {
    id: messageIdField(id, 'changes'),
    thread: messageIdField(thread, 'changes'),
    from: marksField(from),
    to: marksField(to),
  };
}

function marksField(value: unknown): Partial<Marks> {
  const { folder, read, starred, top, until } = fieldsOf(value, [
    'folder',
    'read',
    'starred',
    'top',
    'until',
  ]);
  return {
    ...(folder !== undefined && { folder: folder === GONE ? GONE : folderField(folder, 'changes') }),
    ...(read !== undefined && { read: flag(read, 'changes') }),
    ...(starred !== undefined && { starred: flag(starred, 'changes') }),
    ...(top !== undefined && { top: timeField(top, 'changes') }),
    ...(until !== undefined && { until: (until as Json) === null ? null : timeField(until, 'changes') }),
  };
}
