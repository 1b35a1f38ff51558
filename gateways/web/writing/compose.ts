/**
 * Writing a message: one page, one form, and what its buttons do. The draft is saved in front of everything
 * else that can be refused, so that nothing typed or attached is lost; the page then says what is wrong, and
 * goes on from there. The script sends the same form, and asks for the part of the page that changes alone
 * (`?fragment=draft`).
 *
 *   GET  /mail/compose    ?draft=… | ?reply=… | ?replyAll=… | ?forward=…[&as=attachment] | ?to=…&subject=…
 *   POST /mail/compose    action=send | later | save | attach | remove:<attachment> | discard
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Rejected } from '../../../storage-nodes/client/client.ts';
import type { Fields } from '../../pages/form.ts';
import type { Pages } from '../../pages/pages.ts';
import { badField, PageRefusal, tell } from '../../pages/refusals.ts';
import type { Visit } from '../../pages/visit.ts';
import { entryOf } from '../mail/actions.ts';
import { showCompose, type Shown } from './compose-page.ts';
import { NOTHING_TYPED, type Attachment, type Typed } from '../../drafts/draft-content.ts';
import { discardDraft, DraftConflict, readDraft, saveDraft, type StoredDraft } from './drafts.ts';
import { readRecipients } from './recipients.ts';
import { chosenTime } from './send-times.ts';
import { writersOf } from './sender.ts';
import { onItsWay, outgoingId, sendDraft } from './sending.ts';
import { signedAnew } from './signatures.ts';
import { forwardedOf, started } from './start.ts';
import {
  signedAs,
  draftKeys,
  forwardedBy,
  readForm,
  typedAsSent,
  typedOf,
  type DraftKeys,
  type WrittenForm,
} from './written-form.ts';

type ComposeRoute = { Querystring: Record<string, unknown> };

export function registerCompose(app: FastifyInstance, pages: Pages): void {
  app.get<ComposeRoute>('/mail/compose', async (request, reply) =>
    showCompose(pages, request, reply, await started(pages, request)),
  );
  app.post<ComposeRoute>('/mail/compose', async (request, reply) => {
    // Files are stored while they arrive: of such a form the fields are checked when its first file begins.
    if (!request.isMultipart()) pages.form(request);
    const form: WrittenForm = { fields: {}, commandId: '', added: [] };
    const state: Progress = { draft: undefined };
    let visit: Visit | undefined;
    try {
      visit = await pages.visits.require(request);
      await readForm(pages, request, visit, form);
      return await act(pages, request, reply, visit, form, state);
    } catch (error) {
      // What still arrives is let go by, so that the browser gets to read the answer.
      request.raw.unpipe();
      request.raw.resume();
      if (visit === undefined || form.commandId === '') throw error;
      return refused(pages, request, reply, visit, form, state, error);
    }
  });
}

/** How far an action came: what a refusal goes on from. */
type Progress = { draft: StoredDraft | undefined };

async function act(
  pages: Pages,
  request: FastifyRequest<ComposeRoute>,
  reply: FastifyReply,
  visit: Visit,
  form: WrittenForm,
  state: Progress,
): Promise<FastifyReply> {
  const { fields, commandId } = form;
  const action = typeof fields['action'] === 'string' ? fields['action'] : 'send';
  const keys = draftKeys(fields, visit, commandId);
  // The script sends a file alone: what was typed is saved apart.
  const typed =
    fields['subject'] === undefined && action !== 'send'
      ? undefined
      : await signedAsSender(pages, visit, fields, typedOf(fields));
  const sends = action === 'send' || action === 'later';
  if (sends && typed !== undefined) {
    const repeated = await onItsWay(pages.deps.store, visit.stream, outgoingId(visit, commandId, typed));
    if (repeated !== undefined) return reply.redirect(sentPage(action, repeated.entry), 303);
  }
  state.draft = await saveDraft(pages, visit, {
    ...keys,
    typed,
    initial: keys.revision === 0 ? await initialAttachments(pages, request, fields) : [],
    added: form.added,
    removed: /^remove:([\w.-]{1,64})$/.exec(action)?.[1],
    commandId,
  });
  if (action === 'discard') {
    const accepted = await discardDraft(pages, visit, keys.draftId, commandId);
    return reply.redirect(`/mail/drafts?done=discarded&undo=${entryOf(accepted)}`, 303);
  }
  if (sends) return send(pages, reply, visit, form, keys, state.draft, action);
  if (!/^(?:save|attach|remove:.*)$/.test(action)) throw badField('That cannot be done with a draft.');
  if (request.query['fragment'] === 'draft') {
    return showCompose(pages, request, reply, shownAs(keys, state.draft));
  }
  const done = action === 'save' ? '&done=draft' : '';
  return reply.redirect(`/mail/compose?draft=${keys.draftId}${done}`, 303);
}

/** Without the script, the signature of an identity that was chosen comes with the form. */
async function signedAsSender(pages: Pages, visit: Visit, fields: Fields, typed: Typed): Promise<Typed> {
  const shown = signedAs(fields);
  if (shown === undefined || shown === typed.from || typed.html !== '') return typed;
  const writers = await writersOf(pages, visit);
  const [before, now] = [shown, typed.from].map((one) => writers.find(({ id }) => id === one));
  if (before === undefined || now === undefined) return typed;
  return { ...typed, text: signedAnew(typed.text, before.signature, now.signature) };
}

async function send(
  pages: Pages,
  reply: FastifyReply,
  visit: Visit,
  { fields, commandId }: WrittenForm,
  { draftId }: DraftKeys,
  { content }: StoredDraft,
  action: string,
): Promise<FastifyReply> {
  const now = Date.now();
  const dueAt = action === 'later' ? chosenTime(fields, now) : now + pages.deps.undoSendMs;
  const recipients = await readRecipients(pages, content);
  if (recipients.faults.length > 0) throw badField(recipients.faults.join(' '));
  const accepted = await sendDraft(pages, visit, { draftId, content, recipients, dueAt, commandId });
  return reply.redirect(sentPage(action, entryOf(accepted)), 303);
}

function sentPage(action: string, entry: string | undefined): string {
  const undo = entry === undefined ? '' : `&undo=${entry}`;
  return `/mail/inbox?done=${action === 'later' ? 'scheduled' : 'sent'}${undo}`;
}

/** What comes along with a message that is forwarded, until the draft is saved for the first time. */
async function initialAttachments(
  pages: Pages,
  request: FastifyRequest,
  fields: Fields,
): Promise<readonly Attachment[]> {
  const given = forwardedBy(fields);
  return given === undefined ? [] : forwardedOf(pages, request, given);
}

function shownAs(keys: DraftKeys, draft: StoredDraft): Shown {
  return {
    typed: draft.content,
    attachments: draft.content.attachments,
    keys: { ...keys, revision: draft.revision },
    savedAt: draft.savedAt,
  };
}

/** The page again, with what was typed, what is attached, and what was wrong. */
async function refused(
  pages: Pages,
  request: FastifyRequest<ComposeRoute>,
  reply: FastifyReply,
  visit: Visit,
  { fields, commandId }: WrittenForm,
  state: Progress,
  error: unknown,
): Promise<FastifyReply> {
  const isOurs = error instanceof PageRefusal || error instanceof Rejected;
  const told = isOurs ? tell(error) : undefined;
  if (told === undefined) throw error;
  const { title, status, message } = told;
  const keys = keysAfter(fields, visit, commandId, error);
  const draft = state.draft ?? (error instanceof DraftConflict ? error.current : undefined);
  const saved = draft ?? (await readDraft(pages, visit, keys.draftId));
  const notSaved = saved === undefined ? forwardedBy(fields) : undefined;
  return showCompose(pages, request, reply, {
    typed: { ...NOTHING_TYPED, ...typedAsSent(fields) },
    attachments:
      saved?.content.attachments ??
      (notSaved === undefined ? [] : await forwardedOf(pages, request, notSaved).catch(() => [])),
    // A window that was behind has now been told: what it saves next counts.
    keys: { ...keys, revision: draft?.revision ?? keys.revision },
    ...(notSaved !== undefined && { forwards: notSaved }),
    ...(state.draft !== undefined && { savedAt: state.draft.savedAt }),
    refusal: { title, status, message },
    ...(error instanceof DraftConflict && error.current !== undefined && { other: keys.draftId }),
    when: fields,
  });
}

/** A draft that is gone is gone on as a new one. */
function keysAfter(fields: Fields, visit: Visit, commandId: string, error: unknown): DraftKeys {
  const isGone = error instanceof DraftConflict && error.current === undefined;
  try {
    const given = isGone ? { ...fields, draft: '', revision: '0' } : fields;
    return draftKeys(given, visit, isGone ? `${commandId}-again` : commandId);
  } catch {
    return draftKeys({}, visit, commandId);
  }
}
