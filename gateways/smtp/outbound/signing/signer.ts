/**
 * Signs what leaves with the keys of the domain in its From (DKIM), so that its own readers can see that it is ours. A
 * message whose From is another domain's (one that a rule forwards) goes as it came.
 *
 * Of each kind the newest active key signs. A newer one that is not active yet is looked up now and then, and becomes
 * active for good when its record is seen.
 */
import type { Logger } from 'pino';
import { readAddresses } from '../../../message/addresses.ts';
import { readHeaderBlock } from '../../../message/header-block.ts';
import { dkimFields } from './dkim-fields.ts';
import { publicationOf, type TxtResolver } from './published-keys.ts';
import { activate, signingKeys, type SigningKey } from './signing-keys.ts';

export type SignerOptions = {
  readonly folder: string;
  /** Those served; there are keys of no others. */
  readonly domains: readonly string[];
  readonly resolver: TxtResolver;
  readonly logger: Logger;
};

/** What an operator changes counts after so long. */
const KEPT_MS = 5_000;
const LOOKED_UP_MS = 60_000;

type Kept = { readonly keys: Promise<SigningKey[]>; readonly until: number };

export class Signer {
  readonly #options: SignerOptions;
  readonly #domains: ReadonlySet<string>;
  readonly #kept = new Map<string, Kept>();
  readonly #lookedUp = new Map<string, number>();
  readonly #seen = new Set<string>();

  constructor(options: SignerOptions) {
    this.#options = options;
    this.#domains = new Set(options.domains);
  }

  /** Its signatures, to stand in front of it; empty where there is no key. */
  async fieldsFor(message: Buffer): Promise<Buffer> {
    const { list, total } = readAddresses(readHeaderBlock(message).all('from'), 2);
    const domain = list[0]?.address.split('@').at(-1)?.toLowerCase();
    if (total !== 1 || domain === undefined || !this.#domains.has(domain)) return Buffer.alloc(0);
    const keys = await this.#keysOf(domain);
    return keys.length === 0 ? Buffer.alloc(0) : dkimFields(message, keys, new Date());
  }

  #keysOf(domain: string): Promise<SigningKey[]> {
    const kept = this.#kept.get(domain);
    if (kept !== undefined && kept.until > performance.now()) return kept.keys;
    const keys = this.#usable(domain);
    this.#kept.set(domain, { keys, until: performance.now() + KEPT_MS });
    return keys;
  }

  async #usable(domain: string): Promise<SigningKey[]> {
    const keys = await signingKeys(this.#options.folder, domain);
    const newest = await Promise.all(
      (['rsa', 'ed25519'] as const).map((algorithm) =>
        this.#newestActive(keys.filter((key) => key.algorithm === algorithm).reverse()),
      ),
    );
    return newest.flatMap((key) => key ?? []);
  }

  async #newestActive(newestFirst: readonly SigningKey[]): Promise<SigningKey | undefined> {
    for (const key of newestFirst) if (key.isActive || (await this.#becomesActive(key))) return key;
    return undefined;
  }

  async #becomesActive(key: SigningKey): Promise<boolean> {
    const { folder, resolver, logger } = this.#options;
    const { domain, selector } = key;
    const name = `${selector}.${domain}`;
    if (this.#seen.has(name)) return true;
    if ((this.#lookedUp.get(name) ?? -Infinity) + LOOKED_UP_MS > performance.now()) return false;
    this.#lookedUp.set(name, performance.now());
    if ((await publicationOf(key, resolver)) !== 'published') return false;
    this.#seen.add(name);
    logger.info({ domain, selector }, 'a DKIM key is published, and signs now');
    await activate(folder, key).catch((error: unknown) =>
      logger.warn({ err: error, domain, selector }, 'that it signs could not be noted in the keys’ folder'),
    );
    return true;
  }
}
