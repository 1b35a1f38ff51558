/**
 * Drafts that a search means. They are in no index, so that saving while one types costs nothing more: each search
 * looks at them as they are now, the newest ones, which are few (decision 0024). What is read is bounded: so many
 * drafts, and of very long ones no text beyond what lists show of it.
 */
import { holds } from '../../../domain/mail/message/query.ts';
import { draftContentCell, metaCell, threadCell } from '../../../projections/keys.ts';
import { readConversation } from '../../../projections/mailbox-cells.ts';
import { readMessageMeta, type MessageMeta } from '../../../projections/message.ts';
import type { ReadCell, StoreClient } from '../../../storage-nodes/client/client.ts';
import { folded } from '../../message/fold.ts';
import { messageWords } from '../../message/words.ts';
import { cellOf } from '../../pages/visit.ts';
import { folderQuery, linesFrom } from '../mail/folders/folder-list.ts';
import type { FoundMessage } from '../mail/search/find.ts';
import type { SearchQuery } from '../mail/search/query.ts';
import { decodeDraft, textOf } from '../../drafts/draft-content.ts';

/** The newest; older ones are found in their folder. */
export const DRAFTS_LOOKED_AT_MAX = 200;
const LOOKED_AT_ONCE = 50;
/** Longer drafts are looked at by their subject, their recipients and their beginning. */
const DRAFT_BYTES_MAX = 512 * 1024;
/** Of drafts that do not come with the read itself, of one search. */
const FETCHED_BYTES_MAX = 4 * 1024 * 1024;

/** Newest first. */
export async function findDrafts(
  store: StoreClient,
  owner: string,
  query: SearchQuery,
): Promise<Omit<FoundMessage, 'doc'>[]> {
  if (query.unread === true || !['drafts', 'anywhere', undefined].includes(query.in)) return [];
  const range = { reverse: false, limit: DRAFTS_LOOKED_AT_MAX };
  const { results } = await store.read(owner, [folderQuery(owner, 'drafts', range)]);
  const ids = linesFrom(results[0] ?? []).map(({ newest }) => newest);
  const found: Omit<FoundMessage, 'doc'>[] = [];
  const budget = { bytes: FETCHED_BYTES_MAX };
  for (let at = 0; at < ids.length; at += LOOKED_AT_ONCE) {
    found.push(...(await lookAt(store, owner, query, ids.slice(at, at + LOOKED_AT_ONCE), budget)));
  }
  return found;
}

async function lookAt(
  store: StoreClient,
  owner: string,
  query: SearchQuery,
  ids: readonly string[],
  budget: { bytes: number },
): Promise<Omit<FoundMessage, 'doc'>[]> {
  const needsText = query.clauses.some(({ field }) => field === undefined || field === 'body');
  const { results } = await store.read(owner, [
    ...ids.flatMap((id) => [{ get: threadCell(owner, id) }, { get: metaCell(owner, id) }]),
    ...(needsText ? ids.map((id) => ({ get: draftContentCell(owner, id) })) : []),
  ]);
  const found: Omit<FoundMessage, 'doc'>[] = [];
  for (const [i, id] of ids.entries()) {
    const conversation = cellOf(results[2 * i], readConversation);
    const meta = cellOf(results[2 * i + 1], readMessageMeta);
    const message = conversation?.messages.find((one) => one.id === id);
    if (conversation === undefined || meta === undefined || message?.folder !== 'drafts') continue;
    const { starred, at, attachments } = message;
    if (query.starred === true && !starred) continue;
    if (query.attachment === true && attachments === 0) continue;
    if (
      (query.before !== undefined && at >= query.before) ||
      (query.after !== undefined && at < query.after)
    ) {
      continue;
    }
    const text = (await textIn(store, results[2 * ids.length + i]?.[0], budget)) ?? meta.snippet;
    if (!mayHold(query, { ...meta, text })) continue;
    const words = messageWords({ ...meta, text, html: undefined });
    if (!query.clauses.every((clause) => holds(clause, words))) continue;
    found.push({ thread: id, subject: conversation.subject, message });
  }
  return found;
}

/** Whether all that is looked for stands there at all: folding is cheap, and splitting into words is not. */
function mayHold(
  { clauses }: SearchQuery,
  { from, to, cc, bcc = [], subject, attachments, text }: MessageMeta & { readonly text: string },
): boolean {
  const people = [from, ...to, ...cc, ...bcc].map(({ name, address }) => `${name} ${address}`);
  const all = folded([...people, subject, ...attachments.map(({ name }) => name), text].join('\n'));
  return clauses.every(({ terms, not }) => not === true || terms.every((term) => all.includes(term.text)));
}

/** Undefined: it is not needed, too long, erased, or nothing that a draft can be. */
async function textIn(
  store: StoreClient,
  cell: ReadCell | undefined,
  budget: { bytes: number },
): Promise<string | undefined> {
  if (cell?.part !== undefined) {
    if (cell.part.length > Math.min(DRAFT_BYTES_MAX, budget.bytes)) return undefined;
    budget.bytes -= cell.part.length;
  }
  const draft = cell && decodeDraft(cell.bytes ?? (await store.bytes(cell)));
  return draft && textOf(draft);
}
