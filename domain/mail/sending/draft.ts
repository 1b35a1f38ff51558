/**
 * A draft: saved as one types, read on any gateway, one message of a conversation of its own. Each saving
 * names the revision that it was made from, so that of two windows the one that is behind hears of it.
 */
import { ACCOUNT_KEY, accountFault } from '../../account/evolve.ts';
import type { CommandHandler, EventHandler, Json, StateKey } from '../../decider.ts';
import { fieldsOf, parsed, partAtMost, partsAre, randomId, whole } from '../../fields.ts';
import { messageKey, messagesOf, newState, threadKey } from '../conversation.ts';
import { happenedWith, noSuchMessage, refused } from '../decisions.ts';
import type { DraftSaved } from '../events.ts';
import { SUMMARY_BYTES_MAX } from '../message/summary.ts';

/** Text and formatting; attachments are named, not held. */
export const DRAFT_BYTES_MAX = 4 * 1024 * 1024;

export type SaveDraft = {
  readonly draftId: string;
  /** The one that this is made from; 0: there is none yet. */
  readonly revision: number;
};
/** Kept when the draft is gone, so that another window that has it open does not send it once more. */
export type DraftSlice = { readonly revision: number; readonly sent?: true };

export const draftKey = (draftId: string): StateKey => `draft/${draftId}`;

/** The draft's slice once its message waits, is sent, or (`sent` false) was taken back. */
export function draftSent(slice: Json | undefined, sent: boolean): DraftSlice | undefined {
  if (slice === undefined) return undefined;
  const { revision } = slice as DraftSlice;
  return { revision, ...(sent && { sent }) };
}

/** Parts: the draft, its summary. */
export const saveDraft: CommandHandler<SaveDraft> = {
  parse: (data, content) =>
    parsed((): SaveDraft => {
      const { draftId, revision } = fieldsOf(data, ['draftId', 'revision']);
      partsAre(content, 'draft', 'summary');
      partAtMost(content, 0, 'draft', DRAFT_BYTES_MAX);
      partAtMost(content, 1, 'summary', SUMMARY_BYTES_MAX);
      return {
        draftId: randomId(draftId, 'draftId'),
        revision: whole(revision, 'revision', 0, Number.MAX_SAFE_INTEGER - 1),
      };
    }),
  reads: ({ draftId }) => [ACCOUNT_KEY, draftKey(draftId), threadKey(draftId), messageKey(draftId)],
  decide({ draftId, revision }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const saved = slices(draftKey(draftId)) as DraftSlice | undefined;
    const [draft] = messagesOf(slices(threadKey(draftId)));
    const isNew = saved === undefined && slices(messageKey(draftId)) === undefined && draft === undefined;
    if (isNew ? revision > 0 : saved === undefined || draft?.folder !== 'drafts') return noSuchMessage;
    if ((saved?.revision ?? 0) !== revision) {
      return refused(
        'ChangedSince',
        'This draft was changed in another window: open it again to go on from there.',
        'revision',
        saved?.revision ?? 0,
      );
    }
    const next = revision + 1;
    return happenedWith(
      { revision: next },
      { type: 'mail.DraftSaved', version: 1, data: { draftId, revision: next } },
    );
  },
};

export const draftSaved: EventHandler = {
  touches(event) {
    const { draftId } = (event as DraftSaved).data;
    return [draftKey(draftId), threadKey(draftId), messageKey(draftId)];
  },
  evolve(key, slice, event, _content, time) {
    const { draftId, revision } = (event as DraftSaved).data;
    if (key === draftKey(draftId)) return { revision } satisfies DraftSlice;
    if (key === messageKey(draftId)) return { thread: draftId };
    const before = messagesOf(slice).find(({ id }) => id === draftId);
    // What stays of a draft that is saved again, and what joined its conversation while it was out of sight.
    const starred = before?.starred ?? false;
    const others = messagesOf(slice).filter(({ id }) => id !== draftId);
    return { messages: [newState(draftId, 'drafts', time, { read: true, starred }), ...others] };
  },
};
