/**
 * The Message-IDs that a message's header names, as conversations are found by: hashes, nearest first: its own,
 * those it answers, then the older ones (RFC 5322 §3.6.4). Ids are compared as they are written, but for case
 * and space around them; what is not an id is left out.
 */
import { createHash } from 'node:crypto';
import { NAMED_IDS_MAX } from '../../domain/fields.ts';
import type { HeaderBlock } from './header-block.ts';

const MESSAGE_ID = /<[^<>\s]{1,250}>/g;

export function namedIds(header: HeaderBlock): string[] {
  const ids = (name: string) => header.first(name)?.match(MESSAGE_ID) ?? [];
  const older = ids('references').reverse();
  const root = older.at(-1);
  const nearest = unique([...ids('message-id').slice(0, 1), ...ids('in-reply-to'), ...older]);
  const kept = nearest.slice(0, NAMED_IDS_MAX - 1);
  // However long the list is: its first one began the conversation.
  return unique(root === undefined ? kept : [...kept, root]).map(messageIdHash);
}

/** 22 characters of base64url: 128 bits of a sha256. `id`: with its angle brackets. */
export function messageIdHash(id: string): string {
  return createHash('sha256').update(id.trim().toLowerCase()).digest().subarray(0, 16).toString('base64url');
}

function unique(ids: readonly string[]): string[] {
  return [...new Set(ids)];
}
