/**
 * Whether somebody who writes with a mail client is who they say (AUTH PLAIN and LOGIN, RFC 4954): by the account's
 * password, or by an app password. Where two-step log-in is on, only by an app password: a mail client cannot show a code.
 *
 * Always holds: the lock that the store keeps after many wrong passwords (domain/account/failures.ts) holds here as on
 * the log-in page, and failures here count towards it; a name without an account costs the same work as one with.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isAccountName } from '../../../domain/account/names.ts';
import { accountStream } from '../../../domain/streams.ts';
import { readAccountCredentials } from '../../../projections/account.ts';
import { readAppPassword } from '../../../projections/app-passwords.ts';
import { appPasswordsRow, credentialsCell, lockCell, secondFactorCell } from '../../../projections/keys.ts';
import { readLock, readSecondFactor } from '../../../projections/second-factor.ts';
import type { ReadCell, StoreClient } from '../../../storage-nodes/client/client.ts';
import { recipientAccount } from '../../message/addresses.ts';
import { network } from '../../pages/network.ts';
import { Attempts } from '../../passwords/attempts.ts';
import { PASSWORD_BYTES_MAX, Passwords, TooManyChecks } from '../../passwords/passwords.ts';
import { commandId } from '../session/command-id.ts';
import { SmtpReply } from '../session/smtp-reply.ts';

/** As many as there can be, and those of an earlier password. */
const APP_PASSWORDS_READ = 40;
const DEADLINE_MS = 30_000;
const COMMAND_LIFE_MS = 60_000;
/** Wrong passwords from one address, before it has to wait for the window to pass. */
const FAILURES_PER_ADDRESS = 100;
const WINDOW_MS = 5 * 60_000;

/** Who logged in, and by what. */
export type LogIn = {
  /** Name. */
  readonly account: string;
  readonly passwordVersion: number;
  /** Its id; undefined: the account's own password. */
  readonly appPassword: string | undefined;
};

export class Credentials {
  readonly #store: StoreClient;
  readonly #domains: readonly string[];
  readonly #passwords = new Passwords();
  readonly #perAddress = new Attempts({ failuresMax: FAILURES_PER_ADDRESS, windowMs: WINDOW_MS });

  constructor(store: StoreClient, domains: readonly string[]) {
    this.#store = store;
    this.#domains = domains;
  }

  /** `username`: an account's name or its address. Throws SmtpReply. */
  async check(username: string, password: string, address: string): Promise<LogIn> {
    const now = Date.now();
    const client = network(address);
    if (this.#perAddress.waitMs(client, now) > 0) throw tooMany();
    // Counted from its beginning, so that many at once are not all let through.
    this.#perAddress.failed(client, now);
    let isWrong = false;
    try {
      const logIn = await this.#checked(this.#nameOf(username), password, now);
      isWrong = logIn === undefined;
      if (logIn !== undefined) return logIn;
      throw new SmtpReply(535, '5.7.8', 'The username or the password is wrong');
    } catch (error) {
      throw error instanceof TooManyChecks ? tooMany() : error;
    } finally {
      if (!isWrong) this.#perAddress.takenBack(client);
    }
  }

  /** Undefined: the password is wrong, or there is no such account. Throws SmtpReply, TooManyChecks. */
  async #checked(name: string | undefined, password: string, now: number): Promise<LogIn | undefined> {
    const owner = name === undefined ? undefined : accountStream(name);
    const found = owner === undefined ? undefined : await this.#readWithLock(owner);
    const version = found?.known?.passwordVersion;
    // A secret of 130 bits cannot be guessed: it is let in also while guessers keep the account locked.
    const app = found?.apps.find((one) => isSecret(one.hash, password));
    if (app !== undefined) return { account: name!, passwordVersion: version!, appPassword: app.id };
    if (found?.lock !== undefined && found.lock.until > now) throw tooMany();
    const isRight =
      Buffer.byteLength(password) <= PASSWORD_BYTES_MAX &&
      (await this.#passwords.holds(found?.known?.passwordHash, password));
    if (!isRight) {
      if (found?.known !== undefined && owner !== undefined) await this.#tell(owner);
      return undefined;
    }
    if (found?.isTwoStep !== true)
      return { account: name!, passwordVersion: version!, appPassword: undefined };
    const text =
      'Two-step log-in is on for this account: mail clients need an app password, made on its account page';
    throw new SmtpReply(535, '5.7.8', text);
  }

  /** Whether who logged in so may go on: a connection can outlive the password that opened it. */
  async isValid({ account, passwordVersion, appPassword }: LogIn): Promise<boolean> {
    const { known, isTwoStep, apps } = await this.#read(accountStream(account), []);
    if (known?.passwordVersion !== passwordVersion) return false;
    return appPassword === undefined ? !isTwoStep : apps.some(({ id }) => id === appPassword);
  }

  async #readWithLock(owner: string) {
    const { more, ...found } = await this.#read(owner, [lockCell(owner, 'password')]);
    return { ...found, lock: cellOf(more[0], readLock) };
  }

  /** `apps`: the app passwords that work; `more`: the further cells asked for, as of the same moment. */
  async #read(owner: string, further: readonly ReturnType<typeof lockCell>[]) {
    const row = appPasswordsRow(owner);
    const { results } = await this.#store.read(
      owner,
      [
        { scan: { from: { row, column: '' }, to: null, limit: APP_PASSWORDS_READ } },
        ...[credentialsCell(owner), secondFactorCell(owner), ...further].map((get) => ({ get })),
      ],
      { deadlineMs: DEADLINE_MS },
    );
    const [scanned = [], credentials, secondFactor, ...more] = results;
    const known = cellOf(credentials, readAccountCredentials);
    const apps = scanned
      .filter((cell) => cell.row === row)
      .flatMap(({ bytes }) => (bytes === undefined ? [] : [readAppPassword(bytes)]))
      .filter(({ passwordVersion }) => passwordVersion === known?.passwordVersion);
    return { known, apps, isTwoStep: cellOf(secondFactor, readSecondFactor)?.on === true, more };
  }

  /** Its address may be at any domain served; a tag is no part of a username. */
  #nameOf(username: string): string | undefined {
    const typed = username.trim().toLowerCase();
    const name = typed.includes('@') ? recipientAccount(typed, this.#domains) : typed;
    return name !== undefined && isAccountName(name) ? name : undefined;
  }

  /** Told one by one: a session ends after a few of them. */
  async #tell(owner: string): Promise<void> {
    await this.#store.execute(
      {
        id: commandId(),
        expiresAt: Date.now() + COMMAND_LIFE_MS,
        stream: owner,
        type: 'account.CountFailures',
        data: { kind: 'password', failures: 1 },
        parts: [],
        actor: 'anonymous',
        session: '',
        action: 'Log-ins failed',
      },
      { deadlineMs: DEADLINE_MS },
    );
  }
}

function cellOf<T>(cells: readonly ReadCell[] | undefined, read: (bytes: Uint8Array) => T): T | undefined {
  const bytes = cells?.[0]?.bytes;
  return bytes === undefined ? undefined : read(bytes);
}

/** Typed with dashes, spaces and capitals, or without. */
function isSecret(hash: string, typed: string): boolean {
  const secret = typed.toLowerCase().replace(/[\s-]/g, '');
  return timingSafeEqual(Buffer.from(hash, 'hex'), createHash('sha256').update(secret).digest());
}

/** RFC 4954 §6: a failure that passes. */
function tooMany(): SmtpReply {
  return new SmtpReply(454, '4.7.0', 'Too many wrong passwords, try again later');
}
