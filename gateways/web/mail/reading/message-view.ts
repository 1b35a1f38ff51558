/** One message of a conversation, as its partial shows it whole: headings, text or frame, deliveries. */
import type { ConversationMessage } from '../../../../projections/mailbox-cells.ts';
import type { MessageMeta } from '../../../../projections/message.ts';
import { readHeaderBlock } from '../../../message/header-block.ts';
import type { ReadMessage } from '../../../message/read-message.ts';
import { attachmentsView } from './attachments.ts';
import { answerLine, forwardLines, NOT_FORWARDED, sentLines } from './delivery-view.ts';
import { invitationView } from './invitation.ts';
import { blocks } from './plain-text.ts';
import { readVerdict, verdictWords } from '../../../message/verdict.ts';
import { leftBehind } from './send-now.ts';
import { unsubscribeView } from './unsubscribe.ts';

/** `raw`: the message's bytes, of which `message` was read, with the calendars in it. */
export function messageView(
  meta: MessageMeta,
  place: ConversationMessage,
  raw: Buffer,
  message: ReadMessage,
  page: {
    readonly url: string;
    readonly query: Readonly<Record<string, unknown>>;
    readonly isOnly: boolean;
    /** What this system calls itself to mail servers. */
    readonly hostname: string;
  },
) {
  const { from, to, cc } = message.headers;
  const verdict = readVerdict(readHeaderBlock(raw), page.hostname);
  const sender = from.name || from.address || 'Unknown sender';
  const asText = page.query['view'] === 'text' || message.html === undefined;
  const withImages = page.query['images'] === '1';
  return {
    whole: {
      id: meta.id,
      url: page.url,
      isOnly: page.isOnly,
      starred: place.starred,
      from,
      sender,
      initial: ([...sender][0] ?? '?').toUpperCase(),
      to,
      cc,
      bcc: meta.bcc ?? [],
      others: to.length + cc.length > 1,
      at: meta.at,
      problem: message.problem ?? meta.problem,
      attachments: attachmentsView(page.url, message, asText),
      invitation: invitationView(message),
      unsubscribe: unsubscribeView(meta, raw, page.url, place.folder, verdict),
      verdict: verdict && verdictWords(verdict, place.folder),
      asText,
      blocks: asText ? blocks(message.text ?? '') : [],
      frame: asText ? undefined : frame(message.html ?? '', withImages),
      hasHtml: message.html !== undefined,
      withImages,
      ...deliveriesView(meta),
    },
  };
}

/** What became of it on its way to others: the part that changes while the page is open. */
export function deliveriesView(meta: MessageMeta) {
  return {
    reply: replyView(meta),
    delivery: sentLines(meta),
    sendNow: leftBehind(meta).length > 0 && `/mail/sent/${meta.id}/send-now`,
    forwards: forwardLines(meta),
    notForwarded: meta.notForwarded && NOT_FORWARDED[meta.notForwarded],
  };
}

/** How tall the frame should be: it has no scripts that could tell, so the beginning of its text is weighed. */
function frame(whole: string, withImages: boolean) {
  const html = whole.slice(0, 200_000);
  const textLength = html.replace(/<[^<>]*>/g, '').length;
  const lines = textLength / 80 + (html.match(/<(?:p|br|div|tr|li|h\d|img)\b/gi)?.length ?? 0);
  const height = lines < 12 ? 'short' : lines < 40 ? 'medium' : lines < 120 ? 'tall' : 'long';
  const remote = /<img\b[^<>]*\bsrc\s*=\s*["']?\s*https?:/i.test(html);
  return { height, offersImages: remote && !withImages };
}

/** The answer to it, as far as is known: `line` of one to another system, `waits` if an earlier release left it there. */
function replyView(meta: MessageMeta) {
  const line = answerLine(meta);
  return (
    meta.reply && { to: meta.reply.to, line, waits: line === undefined && meta.reply.state === 'queued' }
  );
}
