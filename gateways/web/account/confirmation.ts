/**
 * The current password, asked once more before something that whoever finds an open browser must not do.
 * Wrong ones are counted for each account in this gateway's memory, apart from log-ins: a stranger who locks
 * the log-in does not lock out the owner who is in.
 */
import { readAccountCredentials } from '../../../projections/account.ts';
import { credentialsCell } from '../../../projections/keys.ts';
import { Attempts } from '../../passwords/attempts.ts';
import { field, type Fields } from '../../pages/form.ts';
import { PASSWORD_BYTES_MAX, type Passwords } from '../../passwords/passwords.ts';
import type { Pages } from '../../pages/pages.ts';
import { PageRefusal } from '../../pages/refusals.ts';
import { cellOf, type Visit } from '../../pages/visit.ts';
import { spanInWords } from '../../pages/wording.ts';

export class Confirmation {
  private readonly pages: Pages;
  private readonly passwords: Passwords;
  private readonly attempts = new Attempts({ failuresMax: 10, windowMs: 5 * 60_000 });

  constructor(pages: Pages, passwords: Passwords) {
    this.pages = pages;
    this.passwords = passwords;
  }

  /** The version of the password that the field `current` holds. Throws PageRefusal 400, 401 or 429. */
  async passwordVersion(visit: Visit, fields: Fields): Promise<number> {
    const current = field(fields, 'current', {
      label: 'Current password',
      bytesMax: PASSWORD_BYTES_MAX,
      required: true,
    });
    return this.tried(visit, async () => {
      const { stream } = visit;
      const answer = await this.pages.deps.store.read(stream, [{ get: credentialsCell(stream) }]);
      const credentials = cellOf(answer.results[0], readAccountCredentials);
      if (!(await this.passwords.holds(credentials?.passwordHash, current)) || credentials === undefined) {
        throw new PageRefusal(401, 'Wrong password', 'Current password is wrong: nothing was changed.');
      }
      return credentials.passwordVersion;
    });
  }

  /** Counts what throws a PageRefusal among the wrong ones. Throws PageRefusal 429 after too many. */
  async tried<T>({ account }: Visit, work: () => Promise<T>): Promise<T> {
    const waitMs = this.attempts.waitMs(account.name, Date.now());
    if (waitMs > 0) {
      throw new PageRefusal(
        429,
        'Too many tries',
        `Too many wrong passwords or codes: try again in ${spanInWords(waitMs)}.`,
      );
    }
    this.attempts.failed(account.name, Date.now());
    const result = await work();
    this.attempts.takenBack(account.name);
    return result;
  }
}
