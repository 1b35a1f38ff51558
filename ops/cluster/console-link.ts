/**
 * The one-time link that opens the admin console without an account. Only the token's hash goes into
 * the log; the token itself is printed once.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { CONSOLE_STREAM } from '../../domain/streams.ts';
import type { StoreClient } from '../../storage-nodes/client/client.ts';

const LINK_VALID_MS = 60 * 60 * 1000;
const COMMAND_VALID_MS = 10 * 60 * 1000;

/** The token; valid for one hour, once. */
export async function issueConsoleToken(store: StoreClient): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  const linkHash = createHash('sha256').update(token).digest('hex');
  const now = Date.now();
  await store.execute({
    id: randomUUID(),
    expiresAt: now + COMMAND_VALID_MS,
    stream: CONSOLE_STREAM,
    type: 'console.IssueLink',
    data: { linkHash, expiresAt: now + LINK_VALID_MS },
    parts: [],
    actor: 'cli',
    session: '',
    action: 'Issue a console link',
  });
  return token;
}
