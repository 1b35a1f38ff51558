/**
 * Who reads `postmaster` (RFC 5321 §4.5.1): the account of that name, else an administrator.
 *
 * Always holds: whoever is named had the account, or was administrator, at the moment of asking. That nobody reads it is
 * told apart from a fault, and heals: the operator makes an administrator.
 *
 * Finding an administrator means walking over the accounts by name until the first one. That is done once at a time,
 * whoever asks; its find is kept for as long as it is one, and finding none is kept for a minute. Who asks waits for
 * a bounded time, the walk goes on without them.
 */
import type { Logger } from 'pino';
import { accountOf, accountStream } from '../../domain/streams.ts';
import { readAccountProfile } from '../../projections/account.ts';
import { profileCell } from '../../projections/keys.ts';
import type { StoreClient } from '../../storage-nodes/client/client.ts';
import { accountStreams } from './account-streams.ts';

export const POSTMASTER = 'postmaster';

/** There is no administrator yet. */
export class NoPostmaster extends Error {
  constructor() {
    super('Nobody here reads the mail for postmaster yet.');
  }
}

/** A read's, as for any other recipient: seconds for a failover. */
const DEADLINE_MS = 30_000;
/** Both together stay below the five minutes that a client waits (RFC 5321 §4.5.3.2.3). */
const WALK_WAIT_MS = 60_000;
const NONE_KEPT_MS = 60_000;

export type PostmasterOptions = {
  readonly store: StoreClient;
  readonly logger: Pick<Logger, 'error'>;
  /** Monotonic, in ms. */
  readonly now?: () => number;
};

export class Postmaster {
  readonly #options: PostmasterOptions;
  #administrator: string | undefined;
  #walk: Promise<void> | undefined;
  #noneUntil = -Infinity;

  constructor(options: PostmasterOptions) {
    this.#options = options;
  }

  /** The account's name. Throws NoPostmaster; any other error is a fault of the store. */
  async account(): Promise<string> {
    const known = this.#administrator;
    const [own, isStill] = await Promise.all([
      this.#profile(accountStream(POSTMASTER)),
      known !== undefined && this.#isAdministrator(accountStream(known)),
    ]);
    if (own) return POSTMASTER;
    if (known !== undefined && isStill) return known;
    if (this.#now() >= this.#noneUntil) {
      this.#walk ??= this.#find().finally(() => (this.#walk = undefined));
      await within(WALK_WAIT_MS, this.#walk);
    }
    if (this.#administrator !== undefined) return this.#administrator;
    throw new NoPostmaster();
  }

  async #find(): Promise<void> {
    this.#administrator = undefined;
    for await (const stream of accountStreams(this.#options.store)) {
      if (!(await this.#isAdministrator(stream))) continue;
      this.#administrator = accountOf(stream);
      return;
    }
    this.#noneUntil = this.#now() + NONE_KEPT_MS;
    this.#options.logger.error(
      'mail for postmaster is put off, for nobody can read it: make an administrator with `penncloud user add NAME --admin`',
    );
  }

  async #isAdministrator(stream: string): Promise<boolean> {
    const profile = await this.#profile(stream);
    return profile?.admin === true;
  }

  /** Undefined: there is no such account. */
  async #profile(stream: string) {
    const { store } = this.#options;
    const cell = profileCell(stream);
    const { results } = await store.read(cell.row, [{ get: cell }], { deadlineMs: DEADLINE_MS });
    const found = results[0]?.[0];
    return found && readAccountProfile(await store.bytes(found));
  }

  #now(): number {
    return (this.#options.now ?? (() => performance.now()))();
  }
}

/** Throws when it takes longer. What it then ends with is heard by nobody, and harms nobody. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the accounts take long to look through')), ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
