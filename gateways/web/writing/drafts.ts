/**
 * Drafts in the store: read, saved, discarded. What always holds:
 *
 *   a draft is found in its writer's own rows alone: an id of someone else's draft does not exist here
 *   what one window typed never silently replaces what another one saved
 *   attachments are added to, and taken from, what is saved now, whichever window saved it last
 */
import { createHash } from 'node:crypto';
import type { RejectionCode } from '../../../domain/errors.ts';
import { encodeSummary } from '../../../domain/mail/message/summary.ts';
import { draftContentCell, draftRevisionCell, threadCell } from '../../../projections/keys.ts';
import { readConversation } from '../../../projections/mailbox-cells.ts';
import { readDraftRevision } from '../../../projections/message.ts';
import { Rejected, type Accepted, type ReadQuery } from '../../../storage-nodes/client/client.ts';
import type { Pages } from '../../pages/pages.ts';
import { PageRefusal } from '../../pages/refusals.ts';
import { cellOf, type Visit } from '../../pages/visit.ts';
import {
  decodeDraft,
  encodeDraft,
  keyOf,
  NOTHING_TYPED,
  sameTyped,
  summaryOf,
  type Attachment,
  type DraftContent,
  type Typed,
} from '../../drafts/draft-content.ts';
import { ATTACHMENTS_BYTES_MAX, ATTACHMENTS_MAX } from '../../drafts/draft-limits.ts';
import { addressOf, writersOf } from './sender.ts';

export type StoredDraft = {
  readonly content: DraftContent;
  readonly revision: number;
  readonly savedAt: number;
  /** False: it is being sent, or was discarded and may come back. */
  readonly isOpen: boolean;
};

export function isDraftId(id: unknown): id is string {
  return typeof id === 'string' && /^[a-z2-7]{26}$/.test(id);
}

/** Undefined if there is no such draft of this account. */
export async function readDraft(
  pages: Pages,
  visit: Visit,
  draftId: string,
): Promise<StoredDraft | undefined> {
  const owner = visit.stream;
  const queries: ReadQuery[] = [
    { get: draftContentCell(owner, draftId) },
    { get: draftRevisionCell(owner, draftId) },
    { get: threadCell(owner, draftId) },
  ];
  const { results } = await pages.deps.store.read(owner, queries);
  const cell = results[0]?.[0];
  const saved = cellOf(results[1], readDraftRevision);
  if (cell === undefined || saved === undefined) return undefined;
  const content = decodeDraft(cell.bytes ?? (await pages.deps.store.bytes(cell)));
  if (content === undefined) return undefined;
  const [place] = cellOf(results[2], readConversation)?.messages ?? [];
  return { ...saved, content, isOpen: place?.folder === 'drafts' };
}

/** What a window asks of its draft. */
export type Saving = {
  readonly draftId: string;
  /** The revision that the window goes on from; 0: it has saved nothing yet. */
  readonly revision: number;
  readonly window: string;
  /** Undefined: what is saved stays, only attachments change. */
  readonly typed: Typed | undefined;
  /** What a draft has that is saved for the first time. */
  readonly initial: readonly Attachment[];
  readonly added: readonly Attachment[];
  /** Key of an attachment. */
  readonly removed: string | undefined;
  readonly commandId: string;
};

/** What was typed is not saved, because the draft is not any more what this window knows. */
export class DraftConflict extends PageRefusal {
  /** The one that saving again would replace; undefined: the draft was sent or discarded. */
  readonly current: StoredDraft | undefined;
  constructor(current: StoredDraft | undefined) {
    super(
      409,
      'Changed in another window',
      current === undefined
        ? 'This draft was sent or discarded in another window. What you typed is kept on this page and not saved yet: saving it makes a new draft.'
        : 'This draft was changed in another window. What you typed is kept on this page and not saved yet: saving it replaces the other version.',
    );
    this.current = current;
  }
}

const TRIES_MAX = 5;

/** The draft as it is now saved. Throws DraftConflict, PageRefusal 400 for too much, Rejected. */
export async function saveDraft(pages: Pages, visit: Visit, saving: Saving): Promise<StoredDraft> {
  for (let tried = 1; ; tried++) {
    const stored = await readDraft(pages, visit, saving.draftId);
    const isOurs = stored === undefined ? saving.revision === 0 : stored.content.window === saving.window;
    const isCurrent = isOurs || stored?.revision === saving.revision;
    if (stored === undefined ? !isCurrent : !stored.isOpen) throw new DraftConflict(undefined);
    const next = merged(stored, saving, isCurrent);
    checkAttachments(next.attachments);
    try {
      if (stored === undefined || !sameDraft(stored.content, next)) {
        const { revision, time } = await save(pages, visit, saving, stored?.revision ?? 0, next);
        if (isCurrent || saving.typed === undefined) {
          return { content: next, revision, savedAt: time, isOpen: true };
        }
        throw new DraftConflict({ content: next, revision, savedAt: time, isOpen: true });
      }
    } catch (error) {
      if (isRefused(error, 'NoSuchMessage')) throw new DraftConflict(undefined);
      if (!isRefused(error, 'ChangedSince') || tried === TRIES_MAX) throw error;
      continue;
    }
    if (isCurrent || saving.typed === undefined) return stored;
    throw new DraftConflict(stored);
  }
}

/** A window that is behind keeps what it typed to itself; its attachments join what is saved. */
function merged(stored: StoredDraft | undefined, saving: Saving, isCurrent: boolean): DraftContent {
  const { typed, window, initial, added, removed } = saving;
  const before = stored?.content ?? { ...NOTHING_TYPED, attachments: initial, window };
  const kept = before.attachments.filter((one) => keyOf(one) !== removed);
  const known = new Set(kept.map(keyOf));
  return {
    ...before,
    ...(isCurrent && typed !== undefined && { ...typed, window }),
    attachments: [...kept, ...added.filter((one) => !known.has(keyOf(one)))],
  };
}

function sameDraft(a: DraftContent, b: DraftContent): boolean {
  const keys = (draft: DraftContent) => draft.attachments.map(keyOf).join('\n');
  return sameTyped(a, b) && keys(a) === keys(b);
}

async function save(
  pages: Pages,
  visit: Visit,
  { draftId, commandId }: Saving,
  revision: number,
  content: DraftContent,
): Promise<{ revision: number; time: number }> {
  const bytes = encodeDraft(content);
  // Another content is another command: the answer to one must never be taken for the other's.
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  const writers = await writersOf(pages, visit);
  const from = addressOf(writers.find(({ id }) => id === content.from) ?? writers[0]);
  const accepted = await pages.send(
    { actor: visit.account.name, sessionHash: visit.sessionHash },
    {
      id: `${commandId}-d${revision}-${digest}`,
      stream: visit.stream,
      type: 'mail.SaveDraft',
      data: { draftId, revision },
      parts: [bytes, encodeSummary(summaryOf(content, content.attachments, from, Date.now()))],
      action: 'Save draft',
    },
  );
  return { revision: revision + 1, time: accepted.time };
}

function isRefused(error: unknown, code: RejectionCode): boolean {
  return error instanceof Rejected && error.rejection.code === code;
}

function checkAttachments(attachments: readonly Attachment[]): void {
  if (attachments.length > ATTACHMENTS_MAX) {
    throw tooMuch(`There are too many attachments: at most ${ATTACHMENTS_MAX}.`);
  }
  const bytes = attachments.reduce((sum, { size }) => sum + size, 0);
  if (bytes > ATTACHMENTS_BYTES_MAX) throw tooLarge();
}

export function tooLarge(): PageRefusal {
  return tooMuch('Attachments are too large: at most 25 MB together. Nothing was added.');
}

function tooMuch(message: string): PageRefusal {
  return new PageRefusal(413, 'Too much', message);
}

/** Out of sight, and gone for good after a while, until which it can be undone. */
export function discardDraft(
  pages: Pages,
  visit: Visit,
  draftId: string,
  commandId: string,
): Promise<Accepted> {
  return pages.send(
    { actor: visit.account.name, sessionHash: visit.sessionHash },
    {
      id: commandId,
      stream: visit.stream,
      type: 'mail.DeleteMessages',
      data: { messages: [draftId] },
      action: 'Discard draft',
    },
  );
}
