/**
 * Whether a recipient is ours, asked of the store at RCPT, so that a message to nobody is refused
 * before its bytes are sent. The command decides again later.
 *
 * That an account exists is remembered for a few seconds: who is written to is mostly written to again. One that is
 * deleted meanwhile is refused behind its message's bytes then, by the command. That there is none is asked each time.
 */
import { accountStream } from '../../../domain/streams.ts';
import { profileCell } from '../../../projections/keys.ts';
import type { StoreClient } from '../../../storage-nodes/client/client.ts';
import { isServed, recipientAccount } from '../../message/addresses.ts';
import { NoPostmaster, POSTMASTER, type Postmaster } from '../../postmaster/postmaster.ts';
import { SmtpReply } from './smtp-reply.ts';

/** The client waits five minutes for this answer (RFC 5321 §4.5.3.2.3); a failover takes seconds. */
const DEADLINE_MS = 30_000;
const REMEMBERED_MS = 5_000;
const REMEMBERED_MAX = 10_000;

export type RecipientsOptions = {
  readonly store: StoreClient;
  /** `localhost` is served besides these. */
  readonly domains: readonly string[];
  readonly postmaster: Postmaster;
  /** Monotonic, in ms. */
  readonly now?: () => number;
};

export class Recipients {
  readonly #options: RecipientsOptions;
  /** When each was found, longest ago first. */
  readonly #found = new Map<string, number>();

  constructor(options: RecipientsOptions) {
    this.#options = options;
  }

  /** The account's name. Throws SmtpReply; any other error is a fault of the store: 451. */
  async find(address: string): Promise<string> {
    const { domains, postmaster } = this.#options;
    if (!isServed(address, domains)) {
      throw new SmtpReply(550, '5.7.1', `<${address}>: relaying denied; served here: ${domains.join(', ')}`);
    }
    const account = recipientAccount(address, domains);
    if (account === POSTMASTER) return postmaster.account().catch(putOff);
    if (account === undefined || !(await this.#exists(account))) {
      throw new SmtpReply(550, '5.1.1', `<${address}>: no such user here`);
    }
    return account;
  }

  async #exists(account: string): Promise<boolean> {
    const now = (this.#options.now ?? (() => performance.now()))();
    const found = this.#found.get(account);
    if (found !== undefined && now - found < REMEMBERED_MS) return true;
    const profile = profileCell(accountStream(account));
    const answer = await this.#options.store.read(profile.row, [{ get: profile }], {
      deadlineMs: DEADLINE_MS,
    });
    this.#found.delete(account);
    if ((answer.results[0]?.length ?? 0) === 0) return false;
    this.#found.set(account, now);
    const [longestAgo] = this.#found.keys();
    if (this.#found.size > REMEMBERED_MAX && longestAgo !== undefined) this.#found.delete(longestAgo);
    return true;
  }
}

/** RFC 5321 §4.5.1: mail for postmaster is never refused for good. */
function putOff(error: unknown): never {
  if (!(error instanceof NoPostmaster)) throw error;
  throw new SmtpReply(451, '4.3.5', 'Nobody here reads the mail for postmaster yet, try again later');
}
