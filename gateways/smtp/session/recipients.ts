/**
 * Whether a recipient is ours, asked of the store at RCPT, so that a message to nobody is refused
 * before its bytes are sent. The command decides again later.
 */
import { accountStream } from '../../../domain/streams.ts';
import { profileCell } from '../../../projections/keys.ts';
import type { StoreClient } from '../../../storage-nodes/client/client.ts';
import { isServed, recipientAccount } from '../../message/addresses.ts';
import { POSTMASTER, type Postmaster } from './postmaster.ts';
import { SmtpReply } from './smtp-reply.ts';

/** The client waits five minutes for this answer (RFC 5321 §4.5.3.2.3); a failover takes seconds. */
const DEADLINE_MS = 30_000;

/** The account's name. Throws SmtpReply; any other error is a fault of the store: 451. */
export async function findRecipient(
  store: StoreClient,
  address: string,
  domains: readonly string[],
  postmaster: Postmaster,
): Promise<string> {
  if (!isServed(address, domains)) {
    throw new SmtpReply(550, '5.7.1', `<${address}>: relaying denied; served here: ${domains.join(', ')}`);
  }
  const account = recipientAccount(address, domains);
  if (account === POSTMASTER) return postmaster.account();
  if (account === undefined || !(await exists(store, account))) {
    throw new SmtpReply(550, '5.1.1', `<${address}>: no such user here`);
  }
  return account;
}

async function exists(store: StoreClient, account: string): Promise<boolean> {
  const profile = profileCell(accountStream(account));
  const answer = await store.read(profile.row, [{ get: profile }], { deadlineMs: DEADLINE_MS });
  return (answer.results[0]?.length ?? 0) > 0;
}
