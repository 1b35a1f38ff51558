/** All that is recorded beside a message when it enters: read of it in one walk, so that nobody parses it again to list, find or file it. */
import type { MailSummary } from '../../domain/mail/message/summary.ts';
import { readHeaderBlock } from './header-block.ts';
import { walkMessage } from './mime-walk.ts';
import { namedIds } from './named-ids.ts';
import { summaryOf } from './summary.ts';
import { encodedWords } from './words.ts';

export type MessageDigest = {
  readonly summary: MailSummary;
  /** The part that goes with the message. */
  readonly words: Buffer;
  /** Hashes of the Message-IDs in its header, nearest first. */
  readonly ids: readonly string[];
};

/** Resolves for any bytes at all. `header`: of the same message, where it is read already. */
export async function digestOf(raw: Buffer, header = readHeaderBlock(raw)): Promise<MessageDigest> {
  const walk = await walkMessage(raw, { header });
  const summary = summaryOf(raw, header, walk);
  const words = encodedWords({ ...summary, text: walk.text, html: walk.html });
  return { summary, words, ids: namedIds(header) };
}
