/**
 * Signs what leaves with the key of the domain in its From (DKIM, relaxed/relaxed), so that its own readers can see
 * that it is ours. A message whose From is another domain's (one that a rule forwards) goes as it came.
 */
import type { DKIMSignOptions } from 'mailauth';
import { dkimSign } from 'mailauth/lib/dkim/sign.js';
import { readAddresses } from '../../message/addresses.ts';
import { readHeaderBlock } from '../../message/header-block.ts';
import { signingKeys, type SigningKey } from './signing-keys.ts';

/** A new key is used after so long. */
const KEPT_MS = 5_000;

export class Signer {
  readonly #folder: string;
  readonly #keys = new Map<
    string,
    { readonly key: Promise<SigningKey | undefined>; readonly until: number }
  >();
  readonly #domains: ReadonlySet<string>;

  /** `domains`: those served; there are keys of no others. */
  constructor(folder: string, domains: readonly string[]) {
    this.#folder = folder;
    this.#domains = new Set(domains);
  }

  /** The message with its signature in front, or as it is where there is no key. */
  async signed(message: Buffer): Promise<Buffer> {
    const { list, total } = readAddresses(readHeaderBlock(message).all('from'), 2);
    const domain = list[0]?.address.split('@').at(-1)?.toLowerCase();
    if (total !== 1 || domain === undefined || !this.#domains.has(domain)) return message;
    const key = await this.#key(domain);
    if (key === undefined) return message;
    const options = {
      canonicalization: 'relaxed/relaxed',
      algorithm: 'rsa-sha256',
      signTime: new Date(),
      signatureData: [{ signingDomain: domain, selector: key.selector, privateKey: key.pem }],
    };
    // Its types want one signature's data at the top, where the code does not look.
    const { signatures, errors } = await dkimSign(message, options as unknown as DKIMSignOptions);
    if (errors.length > 0)
      throw new Error(`The DKIM key ${key.selector} of ${domain} cannot sign.`, { cause: errors[0] });
    return Buffer.concat([Buffer.from(signatures), message]);
  }

  #key(domain: string): Promise<SigningKey | undefined> {
    const kept = this.#keys.get(domain);
    if (kept !== undefined && kept.until > performance.now()) return kept.key;
    const key = signingKeys(this.#folder, domain).then((keys) => keys.at(-1));
    this.#keys.set(domain, { key, until: performance.now() + KEPT_MS });
    return key;
  }
}
