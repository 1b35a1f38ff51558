/** A person's phone: an authenticator app that was set up from the page, and codes of other times. */
import { TOTP } from 'otpauth';
import type { Answer } from './visitor.ts';

export class Authenticator {
  readonly #totp: TOTP;
  /** Codes work once: each asked for is of a later step than the last, within what a server takes. */
  #last = 0;

  /** From the page that sets it up. */
  constructor(page: Pick<Answer, 'body'>) {
    const secret = /class="mono secret">([A-Z2-7 ]+)</.exec(page.body)?.[1];
    if (secret === undefined) throw new Error(`The page shows no secret:\n${page.body.slice(0, 2000)}`);
    this.#totp = new TOTP({ secret: secret.replaceAll(' ', '') });
  }

  /** The code of the first step that was not used yet, of now or the one ahead: the server takes one around its own. */
  next(): string {
    const now = this.#totp.counter();
    this.#last = Math.max(this.#last + 1, now);
    if (this.#last > now + 1) throw new Error('The codes of this minute are used up.');
    return this.at(this.#last);
  }

  at(step: number): string {
    return this.#totp.generate({ timestamp: step * 30_000 });
  }

  wrong(): string {
    const now = this.#totp.counter();
    const right = new Set([now - 2, now - 1, now, now + 1, now + 2].map((step) => this.at(step)));
    return ['000000', '111111', '222222', '333333', '444444', '555555'].find((code) => !right.has(code))!;
  }
}

export function recoveryCodesOn(page: Pick<Answer, 'body'>): string[] {
  return [...page.body.matchAll(/<li class="mono">([a-z2-7-]{19})<\/li>/g)].map(([, code]) => code!);
}
