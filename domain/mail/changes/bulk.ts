/**
 * A change to any number of conversations ("all in this folder"). One event names them all; it is carried out
 * in steps of a page, each a reaction of the tablet to itself and an entry of its own, so that no entry takes
 * long to apply and nothing else waits. A step that is settled asks for the next one: the event itself costs
 * the same to apply for a hundred conversations as for a million. It is undone the same way: the steps that were
 * made are unmade, and those that were not are left out.
 */
import { ACCOUNT_KEY, accountFault } from '../../account/evolve.ts';
import type {
  CommandHandler,
  Content,
  Decision,
  EventHandler,
  Reaction,
  Slices,
  StateKey,
} from '../../decider.ts';
import {
  decodeText,
  fieldsOf,
  flag,
  listOf,
  parsed,
  partAtMost,
  partsAre,
  randomId,
  refuse,
  whole,
} from '../../fields.ts';
import { bulkKey, bulkStepKey, type BulkSlice, type BulkStepSlice } from './bulk-slices.ts';
import { changeTouches, isStillThere, memberChange, undoing } from './changes.ts';
import { messagesOf, threadKey, type MessageState } from '../conversation.ts';
import { happened, happenedWith, noSuchFolder, nothing, refused } from '../decisions.ts';
import type { BulkChange, BulkStarted, BulkUndone, MemberChange } from '../events.ts';
import { folderField, messageIdField, targetFolder } from '../fields.ts';
import { bulkLesson, taughtField, teachesField } from '../spam/lessons.ts';
import type { ReactionSettled } from '../settled.ts';
import { SPAM_KEY, type Taught } from '../spam/spam.ts';
import { canGo, FOLDERS_KEY, foldersOf, GONE, GONE_MS, isThere, type Folder } from '../folders.ts';

/** Conversations of one step. */
export const PAGE_MAX = 100;
/** An id has 29 characters at most; a line break behind each. */
const PAGE_BYTES_MAX = PAGE_MAX * 30;
/** A million conversations. */
export const PAGES_MAX = 10_000;
const LANE = 'bulk';

export type StartBulk = {
  readonly bulkId: string;
  readonly in: readonly Folder[];
  readonly to: BulkChange;
  readonly teaches?: Taught;
};
type Step = { readonly bulkId: string; readonly page: number };
/** Of a step in turn: how many there are, and whose parts the pages are (0: of the entry that is settled). */
type Turn = Step & { readonly pages: number; readonly entry: number };
export type UndoBulk = { readonly bulkId: string; readonly teaches?: Taught };

/** Parts: pages of at most PAGE_MAX ids of conversations, one on a line; behind them, if it teaches, the lessons. */
export const startBulk: CommandHandler<StartBulk> = {
  parse: (data, content) =>
    parsed((): StartBulk => {
      const { bulkId, in: places, to, teaches } = fieldsOf(data, ['bulkId', 'in', 'to', 'teaches']);
      const lessons = content.count - 1;
      checkPages(content, teaches === undefined ? content.count : lessons);
      return {
        bulkId: randomId(bulkId, 'bulkId'),
        in: listOf(places, 'in', 1, 500, 'folders').map((place) => folderField(place, 'in')),
        to: bulkChange(to),
        ...(teaches !== undefined && { teaches: taughtField(teaches, content, lessons) }),
      };
    }),
  reads: ({ bulkId, teaches }) => [ACCOUNT_KEY, FOLDERS_KEY, bulkKey(bulkId), ...spamReads(teaches)],
  decide(data, slices, { stream, content }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    if (slices(bulkKey(data.bulkId)) !== undefined) return nothing;
    const { folder } = data.to;
    if (folder !== undefined && folder !== GONE && !isThere(foldersOf(slices(FOLDERS_KEY)), folder)) {
      return noSuchFolder(folder);
    }
    const lessons = content.count - 1;
    const { bulkId, teaches } = data;
    if (teaches === undefined) return happenedWith({ bulkId }, started(data, content, content.count));
    const begun = started(data, content, lessons);
    return happenedWith({ bulkId }, begun, bulkLesson(teaches, content, lessons, false));
  },
};

/** The event, of a command whose first parts are the pages. */
export function started({ bulkId, in: places, to }: StartBulk, content: Content, pages: number): BulkStarted {
  let conversations = 0;
  for (let page = 0; page < pages; page++) conversations += linesOf(content.bytes(page));
  return {
    type: 'mail.BulkStarted',
    version: 1,
    data: {
      bulkId,
      in: places,
      to,
      pages,
      conversations,
      inTurn: true,
    },
  };
}

/** Part: the page. */
export const carryOutBulk: CommandHandler<Step> = {
  parse: (data, content) =>
    parsed((): Step => {
      const step = stepOf(data);
      partsAre(content, 'page');
      checkPage(content, 0, 0);
      return step;
    }),
  reads: ({ bulkId, page }, content) => [
    bulkKey(bulkId),
    bulkStepKey(bulkId, page),
    ...changeTouches(pageOf(content, 0)),
  ],
  decide({ bulkId, page }, slices, { content, time }) {
    const bulk = slices(bulkKey(bulkId)) as BulkSlice | undefined;
    if (bulk === undefined || bulk.undone) return nothing;
    const { folder: place } = bulk.to;
    // Deleted between two steps: what was moved there is brought to the trash by a bulk of its own.
    if (!isStillThere(foldersOf(slices(FOLDERS_KEY)), bulk.to)) return nothing;
    const isMeant = ({ folder, top }: MessageState): boolean =>
      bulk.in.includes(folder) && top <= bulk.at && (place === undefined || canGo(folder, place));
    const until = place === GONE ? time + GONE_MS : null;
    const wanted = { ...bulk.to, ...(place !== undefined && { until }) };
    const members = pageOf(content, 0).flatMap((thread) =>
      messagesOf(slices(threadKey(thread)))
        .filter(isMeant)
        .flatMap((message) => memberChange(message, thread, wanted) ?? []),
    );
    return step(members, { id: bulkId, page, undo: false });
  },
};

/** Part, if what it taught is to be unlearned: the lessons. */
export const undoBulk: CommandHandler<UndoBulk> = {
  parse: (data, content) =>
    parsed((): UndoBulk => {
      const { bulkId, teaches } = fieldsOf(data, ['bulkId', 'teaches']);
      return { bulkId: randomId(bulkId, 'bulkId'), ...teachesField(teaches, content) };
    }),
  reads: ({ bulkId, teaches }) => [ACCOUNT_KEY, bulkKey(bulkId), ...spamReads(teaches)],
  decide({ bulkId, teaches }, slices, { stream, content }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const bulk = slices(bulkKey(bulkId)) as BulkSlice | undefined;
    if (bulk === undefined) return refused('ChangedSince', 'There is nothing to undo.', 'bulkId');
    if (bulk.undone) return nothing;
    const event = undone(bulkId, bulk.pages);
    return teaches === undefined ? happened(event) : happened(event, bulkLesson(teaches, content, 0, true));
  },
};

function spamReads(teaches: Taught | undefined): StateKey[] {
  return teaches === undefined ? [] : [SPAM_KEY];
}

export function undone(bulkId: string, pages: number): BulkUndone {
  return { type: 'mail.BulkUndone', version: 1, data: { bulkId, pages, inTurn: true } };
}

export const undoBulkStep: CommandHandler<Step> = {
  parse: (data, content) =>
    parsed((): Step => {
      const step = stepOf(data);
      partsAre(content);
      return step;
    }),
  reads: ({ bulkId, page }) => [FOLDERS_KEY, bulkStepKey(bulkId, page)],
  readsNext: (data, slices) => changesOf(data, slices).map(({ thread }) => threadKey(thread)),
  decide: (data, slices) => {
    const folders = foldersOf(slices(FOLDERS_KEY));
    const changes = changesOf(data, slices).filter(({ from }) => isStillThere(folders, from));
    const { members } = undoing(changes, slices);
    return step(members, { id: data.bulkId, page: data.page, undo: true });
  },
};

export const bulkStarted: EventHandler = {
  touches: (event) => [bulkKey((event as BulkStarted).data.bulkId)],
  evolve(_key, _slice, event, _content, time): BulkSlice {
    const { in: places, to, pages } = (event as BulkStarted).data;
    return { in: places, to, pages, at: time, undone: false };
  },
  reactions(event, stream) {
    const { bulkId, pages, inTurn } = (event as BulkStarted).data;
    if (inTurn) return [turn('mail.CarryOutBulk', stream, { bulkId, page: 0, pages, entry: 0 })];
    return steps(pages, (page) => ({
      stream,
      command: 'mail.CarryOutBulk',
      data: { bulkId, page },
      parts: [page],
      lane: LANE,
    }));
  },
};

export const bulkUndone: EventHandler = {
  touches: (event) => [bulkKey((event as BulkUndone).data.bulkId)],
  evolve: (_key, slice) => slice && { ...(slice as BulkSlice), undone: true },
  reactions(event, stream) {
    const { bulkId, pages, inTurn } = (event as BulkUndone).data;
    if (inTurn) return [turn('mail.UndoBulkStep', stream, { bulkId, page: 0, pages, entry: 0 })];
    return steps(pages, (page) => ({
      stream,
      command: 'mail.UndoBulkStep',
      data: { bulkId, page },
      parts: [],
      lane: LANE,
    }));
  },
};

/** A step of a bulk that is settled, however it ended, asks for the one behind it. */
export function nextInTurn({ data: settled }: ReactionSettled, stream: string): Reaction[] {
  const { command, originSeq } = settled;
  if (command !== 'mail.CarryOutBulk' && command !== 'mail.UndoBulkStep') return [];
  const { bulkId, page, pages, entry } = settled.data as Partial<Turn>;
  if (bulkId === undefined || page === undefined || pages === undefined || page + 1 >= pages) return [];
  return [turn(command, stream, { bulkId, page: page + 1, pages, entry: entry || originSeq })];
}

function turn(command: 'mail.CarryOutBulk' | 'mail.UndoBulkStep', stream: string, data: Turn): Reaction {
  const parts = command === 'mail.CarryOutBulk' ? [data.page] : [];
  return { stream, command, data, parts, lane: LANE, ...(data.entry > 0 && { partsOf: data.entry }) };
}

function step(
  members: readonly MemberChange[],
  bulk: { readonly id: string; readonly page: number; readonly undo: boolean },
): Decision {
  if (members.length === 0) return nothing;
  return happened({ type: 'mail.MessagesChanged', version: 1, data: { members, bulk } });
}

function steps(pages: number, reaction: (page: number) => Reaction): Reaction[] {
  return Array.from({ length: pages }, (_, page) => reaction(page));
}

function changesOf({ bulkId, page }: Step, slices: Slices): BulkStepSlice['members'] {
  return (slices(bulkStepKey(bulkId, page)) as BulkStepSlice | undefined)?.members ?? [];
}

function stepOf(data: unknown): Step {
  // Where it stands among the others says who asked for it, and who asks for the next.
  const { bulkId, page } = fieldsOf(data, ['bulkId', 'page', 'pages', 'entry']);
  return { bulkId: randomId(bulkId, 'bulkId'), page: whole(page, 'page', 0, PAGES_MAX - 1) };
}

/** The first `pages` parts. */
export function checkPages(content: Content, pages: number): void {
  if (pages < 1 || pages > PAGES_MAX) {
    refuse('Malformed', `A bulk has 1 to ${PAGES_MAX} pages; this one has ${pages}.`, {
      field: 'parts',
      limit: PAGES_MAX,
    });
  }
  for (let page = 0; page < pages; page++) checkPage(content, page, 1);
}

function checkPage(content: Content, page: number, min: number): void {
  if (isPage(content.bytes(page))) return;
  partAtMost(content, page, 'page', PAGE_BYTES_MAX);
  const ids = pageOf(content, page);
  if (ids.length < min || ids.length > PAGE_MAX) {
    const message = `A page of a bulk names 1 to ${PAGE_MAX} conversations; page ${page} names ${ids.length}.`;
    refuse('Malformed', message, { field: 'parts', limit: PAGE_MAX });
  }
  for (const id of ids) messageIdField(id, 'parts');
}

const LINE_BREAK = 0x0a;
const PAGE = /^[a-z2-7]{26}(?:-in)?(?:\n[a-z2-7]{26}(?:-in)?)*\n?$/;

/** Of a million ids, the look at each alone would hold up the tablet. What is no page is looked at closely. */
function isPage(bytes: Uint8Array | undefined): boolean {
  if (bytes === undefined || bytes.length > PAGE_BYTES_MAX || linesOf(bytes) > PAGE_MAX) return false;
  return PAGE.test(decodeText(bytes) ?? '');
}

function linesOf(bytes: Uint8Array | undefined): number {
  if (bytes === undefined || bytes.length === 0) return 0;
  let lines = bytes.at(-1) === LINE_BREAK ? 0 : 1;
  for (let at = bytes.indexOf(LINE_BREAK); at >= 0; at = bytes.indexOf(LINE_BREAK, at + 1)) lines++;
  return lines;
}

/** The conversations that a page names, each once; none if it was erased. */
function pageOf(content: Content, page: number): string[] {
  const lines = (decodeText(content.bytes(page)) ?? '').split('\n');
  return [...new Set(lines.filter((id) => id !== ''))];
}

function bulkChange(value: unknown): BulkChange {
  const { folder, read, starred } = fieldsOf(value, ['folder', 'read', 'starred']);
  return {
    ...(folder !== undefined && { folder: folder === GONE ? GONE : targetFolder(folder) }),
    ...(read !== undefined && { read: flag(read, 'read') }),
    ...(starred !== undefined && { starred: flag(starred, 'starred') }),
  };
}
