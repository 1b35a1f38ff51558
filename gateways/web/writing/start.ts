/** What the page of a message starts with: a draft that is gone on with, an answer, a forwarded message, nothing. */
import type { FastifyRequest } from 'fastify';
import { recipientAccount } from '../../message/addresses.ts';
import { readMessage } from '../../message/read-message.ts';
import { newCommandId } from '../../pages/command-ids.ts';
import type { Pages } from '../../pages/pages.ts';
import { notFound } from '../../pages/refusals.ts';
import { openMessage, rawBytes } from '../mail/reading/open-message.ts';
import { blank, forwardAttached, forwarded, forwardOf, replyTo } from './answers.ts';
import type { Shown } from './compose-page.ts';
import type { Attachment } from '../../drafts/draft-content.ts';
import { isDraftId, readDraft } from './drafts.ts';
import { answererOf, writersOf } from './sender.ts';

/** Of a line that an address of the page fills in. */
const GIVEN_CHARS_MAX = 400;

type Asked = FastifyRequest<{ Querystring: Record<string, unknown> }>;

/** Throws PageRefusal 404 for a draft or a message that is not there. */
export async function started(pages: Pages, request: Asked): Promise<Shown> {
  const { draft, reply, replyAll, forward, as, to, subject } = request.query;
  if (draft !== undefined) return goneOnWith(pages, request, draft);
  const answered = [reply, replyAll, forward].find((id): id is string => typeof id === 'string');
  if (answered === undefined) {
    const [{ signature }] = await writersOf(pages, await pages.visits.require(request));
    const given = (value: unknown) => (typeof value === 'string' ? value.slice(0, GIVEN_CHARS_MAX) : '');
    return fresh(request, {
      typed: blank({ to: given(to), subject: given(subject) }, signature),
      attachments: [],
    });
  }
  const { raw, visit, meta } = await openMessage(pages, request, answered);
  if (raw === undefined) throw notFound('The bytes of this message were erased.');
  const message = await readMessage(await rawBytes(pages, raw));
  const { to: sentTo, cc } = message.headers;
  const { id: from, signature } = answererOf(await writersOf(pages, visit), [...sentTo, ...cc]);
  if (forward === undefined) {
    const own = (address: string) => recipientAccount(address, pages.deps.domains) === visit.account.name;
    const options = { id: answered, all: replyAll !== undefined, own, signature };
    return fresh(request, { typed: { ...replyTo(message, options), from }, attachments: [] });
  }
  const asAttachment = as === 'attachment';
  const typed = asAttachment ? forwardAttached(message, signature) : forwardOf(message, signature);
  return fresh(request, {
    typed: { ...typed, from },
    attachments: forwarded(message, { id: answered, size: meta.size, asAttachment }),
    forwards: { id: answered, asAttachment },
  });
}

/** What is sent along with a message of one's own mailbox that is forwarded. Throws PageRefusal 404. */
export async function forwardedOf(
  pages: Pages,
  request: FastifyRequest,
  given: { readonly id: string; readonly asAttachment: boolean },
): Promise<Attachment[]> {
  const { raw, meta } = await openMessage(pages, request, given.id);
  return forwarded(await readMessage(await rawBytes(pages, raw)), { ...given, size: meta.size });
}

async function goneOnWith(pages: Pages, request: Asked, draftId: unknown): Promise<Shown> {
  const visit = await pages.visits.require(request);
  const draft = isDraftId(draftId) ? await readDraft(pages, visit, draftId) : undefined;
  if (!isDraftId(draftId) || draft?.isOpen !== true) {
    throw notFound('There is no such draft: it was sent or discarded.');
  }
  const { content, revision, savedAt } = draft;
  const keys = { draftId, revision, window: newCommandId() };
  return { typed: content, attachments: content.attachments, keys, savedAt, query: request.query };
}

/** Its draft has no id yet: the form's own command gives it one. */
function fresh(request: Asked, shown: Omit<Shown, 'keys'>): Shown {
  return {
    ...shown,
    keys: { draftId: '', revision: 0, window: newCommandId() },
    query: request.query,
  };
}
