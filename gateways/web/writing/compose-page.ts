/** The page on which a message is written, whole or as the fragment that the script swaps in. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { typed as asTyped } from '../../pages/form.ts';
import type { Pages } from '../../pages/pages.ts';
import { doneWords } from '../mail/done-words.ts';
import { mailboxFrom, mailboxQueries, sidebar } from '../mail/folders/sidebar.ts';
import { keyOf, type Attachment, type Typed } from '../../drafts/draft-content.ts';
import { DELAYS, OFFSETS } from './send-times.ts';
import { writersOf } from './sender.ts';
import { signedAs, type DraftKeys } from './written-form.ts';

export type Shown = {
  readonly typed: Typed;
  readonly attachments: readonly Attachment[];
  readonly keys: DraftKeys;
  /** The message that is forwarded, while the draft is not saved. */
  readonly forwards?: { readonly id: string; readonly asAttachment: boolean };
  /** When it was saved last, if it is as shown. */
  readonly savedAt?: number;
  readonly refusal?: { readonly title: string; readonly status: number; readonly message: string };
  /** The draft as another window saved it. */
  readonly other?: string;
  /** The form that was refused. */
  readonly when?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, unknown>>;
};

export async function showCompose(
  pages: Pages,
  request: FastifyRequest<{ Querystring: Record<string, unknown> }>,
  reply: FastifyReply,
  shown: Shown,
): Promise<FastifyReply> {
  const visit = await pages.visits.require(request, mailboxQueries);
  const { typed, keys, refusal, forwards, other, savedAt } = shown;
  const writers = await writersOf(pages, visit);
  const { at = '', delay = '', offset = '' } = asTyped(shown.when ?? {}, ['at', 'delay', 'offset']);
  const view = {
    title: titleOf(shown),
    section: 'mail' as const,
    ...doneWords(shown.query ?? {}),
    ...(refusal && { status: refusal.status, alert: refusal.message }),
    data: {
      ...typed,
      writers: writers.map(({ id, address, displayName, signature }) => ({
        id,
        signature,
        words: displayName === '' ? address : `${displayName} <${address}>`,
        chosen: id === typed.from,
      })),
      severalWriters: writers.length > 1,
      signedAs: signedAs(shown.when ?? {}) ?? typed.from,
      folders: sidebar(mailboxFrom(visit.results), keys.revision > 0 ? 'drafts' : undefined),
      copies: typed.cc !== '' || typed.bcc !== '',
      focus: typed.to === '' ? 'to' : 'text',
      draft: {
        ...keys,
        forwards,
        other,
        savedAt,
        attachments: shown.attachments.map((one) => ({
          key: keyOf(one),
          name: one.name,
          size: one.size,
        })),
      },
      later: {
        open: at !== '' || delay !== '',
        at,
        zone: visit.profile.zone ?? '',
        delays: DELAYS.map(({ value, words }) => ({ value, words, chosen: value === delay })),
        offsets: OFFSETS.map((value) => ({ value, chosen: value === (offset || '+00:00') })),
      },
    },
  };
  if (request.query['fragment'] === 'draft') {
    if (refusal !== undefined) void reply.status(refusal.status);
    return pages.showFragment(request, reply, { ...view, template: 'web/writing/live-draft.hbs' });
  }
  return pages.show(request, reply, { ...view, template: 'web/writing/compose.hbs' });
}

function titleOf({ typed, keys, forwards }: Shown): string {
  if (forwards !== undefined) return 'Forward';
  if (typed.answers !== '') return 'Reply';
  return keys.revision > 0 ? 'Draft' : 'New message';
}
