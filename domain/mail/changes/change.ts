/**
 * Messages are moved, starred, marked, snoozed, thrown away, and all of that is undone. Commands name messages,
 * or conversations together with the folder in which their messages are meant: archiving a conversation from
 * the inbox leaves its sent messages where they are.
 */
import { ACCOUNT_KEY, accountFault } from '../../account/evolve.ts';
import type {
  CommandHandler,
  Decision,
  EventHandler,
  Json,
  Reaction,
  Slices,
  StateKey,
} from '../../decider.ts';
import { fieldsOf, flag, listOf, parsed, partsAre, refuse } from '../../fields.ts';
import { isStillThere, memberChange, messagesChanged, undoing } from './changes.ts';
import {
  messageKey,
  messagesOf,
  threadKey,
  threadOf,
  withoutMessages,
  type Marks,
  type MessageState,
} from '../conversation.ts';
import { happened, happenedWith, noSuchFolder, noSuchMessage, nothing, refused } from '../decisions.ts';
import type { Change, MemberChange, MessagesChanged, MessagesDeleted } from '../events.ts';
import { folderField, messageIdField, messageIds, targetFolder, timeField } from '../fields.ts';
import { canGo, FOLDERS_KEY, foldersOf, GONE, GONE_MS, isThere, type Folder } from '../folders.ts';
import { teachesField, withLesson } from '../spam/lessons.ts';
import { SPAM_KEY, type Taught } from '../spam/spam.ts';

/** What one command can change; more than that is a bulk. */
export const CONVERSATIONS_MAX = 100;
export const MEMBERS_MAX = 1000;
/** Their words are taken out of the search index, which is much work for each. */
const FINISHED_AT_ONCE = 25;
const WOKEN_AT_ONCE = MEMBERS_MAX;
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
  /** What moving them says of them; their words come as a part. */
  readonly teaches?: Taught;
};
export type DeleteMessages = { readonly selection: Selection };
export type UndoChange = {
  readonly changes: readonly Change[];
  /** The id of the command whose change it was. */
  readonly undoes: string;
  /** What it taught, and does not teach any more. */
  readonly teaches?: Taught;
};
type Due = { readonly messages: readonly string[]; readonly time: number };

const SELECTION = ['messages', 'conversations', 'in'] as const;

export const changeMessages: CommandHandler<ChangeMessages> = {
  parse: (data, content) =>
    parsed((): ChangeMessages => {
      const { folder, read, starred, snoozeUntil, teaches, ...selected } = fieldsOf(data, [
        ...SELECTION,
        'folder',
        'read',
        'starred',
        'snoozeUntil',
        'teaches',
      ]);
      const lesson = teachesField(teaches, content);
      if (folder !== undefined && snoozeUntil !== undefined) {
        refuse('Malformed', 'Messages are moved or snoozed, not both at once.', { field: 'folder' });
      }
      return {
        selection: selection(selected),
        ...(folder !== undefined && { folder: targetFolder(folder) }),
        ...(read !== undefined && { read: flag(read, 'read') }),
        ...(starred !== undefined && { starred: flag(starred, 'starred') }),
        ...(snoozeUntil !== undefined && { snoozeUntil: timeField(snoozeUntil, 'snoozeUntil') }),
        ...lesson,
      };
    }),
  reads: ({ selection, teaches }) => [
    ACCOUNT_KEY,
    FOLDERS_KEY,
    ...lessonReads(teaches),
    ...selectionReads(selection),
  ],
  readsNext: ({ selection }, slices) => selectionReadsNext(selection, slices),
  decide({ selection, folder, read, starred, snoozeUntil, teaches }, slices, { stream, time, content }) {
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
    return withLesson(changed(selected(selection, slices), wanted), teaches, content, false);
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
  decide({ selection }, slices, { stream, time }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    return changed(selected(selection, slices), ({ folder }) =>
      canGo(folder, GONE) ? { folder: GONE, until: time + GONE_MS } : {},
    );
  },
};

export const undoChange: CommandHandler<UndoChange> = {
  parse: (data, content) =>
    parsed((): UndoChange => {
      const { changes, undoes, teaches } = fieldsOf(data, ['changes', 'undoes', 'teaches']);
      const lesson = teachesField(teaches, content);
      if (typeof undoes !== 'string' || undoes.length === 0 || undoes.length > 200) {
        refuse('Malformed', 'Undoes must be the id of a command.', { field: 'undoes', limit: 200 });
      }
      const list = listOf(changes, 'changes', 1, MEMBERS_MAX, 'changes').map(changeField);
      if (new Set(list.map(({ id }) => id)).size < list.length) {
        refuse('Malformed', 'Changes must name each message once.', { field: 'changes' });
      }
      return { changes: list, undoes, ...lesson };
    }),
  reads: ({ changes, teaches }) => [
    ACCOUNT_KEY,
    FOLDERS_KEY,
    ...lessonReads(teaches),
    ...new Set(changes.map(({ thread }) => threadKey(thread))),
  ],
  decide({ changes, undoes, teaches }, slices, { stream, content }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const folders = foldersOf(slices(FOLDERS_KEY));
    if (changes.some(({ from }) => !isStillThere(folders, from))) {
      return refused('ChangedSince', 'The folder that it was in has been deleted meanwhile.', 'changes');
    }
    const { members, blocked } = undoing(changes, slices);
    if (members.length === 0) {
      return refused('ChangedSince', 'It has been changed again since: nothing was undone.', 'changes');
    }
    const undone = happenedWith(
      { undone: members.length, blocked },
      { type: 'mail.MessagesChanged', version: 1, data: { members, undoes } },
    );
    return withLesson(undone, teaches, content, true);
  },
};

/** The time of snoozed messages has come: back to the inbox, on top, unread. */
export const wakeMessages: CommandHandler<Due> = {
  ...dueCommand(),
  decide({ messages, time: until }, slices, { time }) {
    const asleep = selected({ messages }, slices).filter(
      (message) => message.folder === 'snoozed' && message.until === until,
    );
    const members = asleep.flatMap(
      (message) =>
        memberChange(message, message.thread, { folder: 'inbox', until: null, read: false, top: time }) ?? [],
    );
    return happened({ type: 'mail.MessagesChanged', version: 1, data: { members } });
  },
};

/** The time to undo a deletion is over. */
export const finishDeletion: CommandHandler<Due> = {
  ...dueCommand(),
  decide({ messages, time: until }, slices) {
    const members = selected({ messages }, slices)
      .filter((message) => message.folder === GONE && message.until === until)
      .map(({ id, thread, doc, folder: from }) => ({ id, thread, doc, from }));
    if (members.length === 0) return nothing;
    return happened({ type: 'mail.MessagesDeleted', version: 1, data: { members } });
  },
};

export const messagesChangedAndDue: EventHandler = {
  ...messagesChanged,
  reactions(event, stream) {
    const { members } = (event as MessagesChanged).data;
    return [
      ...whenOver(members, GONE, stream, 'mail.FinishDeletion', FINISHED_AT_ONCE),
      ...whenOver(members, 'snoozed', stream, 'mail.WakeMessages', WOKEN_AT_ONCE),
    ];
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

function lessonReads(teaches: Taught | undefined): StateKey[] {
  return teaches === undefined ? [] : [SPAM_KEY];
}

/** The reactions for those that came to this folder for a time, one for each time and `atOnce` messages. */
function whenOver(
  members: readonly MemberChange[],
  folder: Folder,
  stream: string,
  command: string,
  atOnce: number,
): Reaction[] {
  const byTime = new Map<number, string[]>();
  for (const { id, folder: before, to } of members) {
    if (to.until === undefined || to.until === null || (to.folder ?? before) !== folder) continue;
    const ids = byTime.get(to.until);
    if (ids === undefined) byTime.set(to.until, [id]);
    else ids.push(id);
  }
  return [...byTime].flatMap(([time, ids]) =>
    Array.from({ length: Math.ceil(ids.length / atOnce) }, (_, i) => {
      const messages = ids.slice(i * atOnce, (i + 1) * atOnce);
      return { stream, command, data: { messages, time }, parts: [], notBefore: time, lane: 'due' };
    }),
  );
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
  if (fields.messages !== undefined) {
    if (fields.conversations !== undefined || fields.in !== undefined) {
      refuse('Malformed', 'Messages are named, or conversations in a folder, not both.', {
        field: 'messages',
      });
    }
    return { messages: messageIds(fields.messages, 'messages', MEMBERS_MAX) };
  }
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
  const change = {
    id: messageIdField(id, 'changes'),
    thread: messageIdField(thread, 'changes'),
    from: marksField(from),
    to: marksField(to),
  };
  const names = Object.keys(change.from);
  if (names.length === 0 || names.join() !== Object.keys(change.to).join()) {
    refuse('Malformed', 'Each of the changes must say of the same marks what they were and are.', {
      field: 'changes',
    });
  }
  if (!isWayBack(change)) {
    refuse('Malformed', 'Changes must lead to where a message can have been.', { field: 'changes' });
  }
  return change;
}

/** What waits to be sent is not moved, only drafts become drafts again, and what has an end says which. */
function isWayBack({ from, to }: UndoChange['changes'][number]): boolean {
  if (from.folder === 'outbox') return false;
  if (from.folder === 'drafts') return to.folder === GONE;
  if (from.folder === 'snoozed') return typeof from.until === 'number';
  if (from.folder === GONE) return typeof from.until === 'number' && canGo(to.folder ?? GONE, GONE);
  return true;
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
