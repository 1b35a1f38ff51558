/**
 * Passwords: argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane). Hashing takes memory and a
 * thread for some 20 ms, so only a few run at once in a process and a bounded number wait; more than that is told to
 * come back. A name without an account costs the same work as one with, so that time tells nothing.
 */
import { randomBytes } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';

const ARGON2ID = { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 } as const;
export const PASSWORD_CHARS_MIN = 8;
export const PASSWORD_BYTES_MAX = 256;

const RUNNING_MAX = 2;
const WAITING_MAX = 64;

/** Whoever asked has to come back: nothing was checked. */
export class TooManyChecks extends Error {
  constructor() {
    super('Many people are logging in just now: please try again in a moment.');
  }
}

export class Passwords {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  /** A hash that no password has; made with the same parameters as real ones. */
  private decoy: Promise<string> | undefined;

  /** PHC text. Throws TooManyChecks. */
  hash(password: string): Promise<string> {
    return this.queued(() => hash(password, ARGON2ID));
  }

  /** `passwordHash` undefined: there is no such account; the answer is false, after the same work. Throws TooManyChecks. */
  async holds(passwordHash: string | undefined, password: string): Promise<boolean> {
    this.decoy ??= hash(randomBytes(32), ARGON2ID);
    const compared = passwordHash ?? (await this.decoy);
    const same = await this.queued(() => verify(compared, password));
    return same && passwordHash !== undefined;
  }

  private async queued<T>(work: () => Promise<T>): Promise<T> {
    if (this.running < RUNNING_MAX) this.running++;
    else if (this.waiting.length >= WAITING_MAX) throw new TooManyChecks();
    else await new Promise<void>((go) => this.waiting.push(go));
    try {
      return await work();
    } finally {
      // Its place goes to the next one; free for a moment, somebody else would take it too.
      const next = this.waiting.shift();
      if (next) next();
      else this.running--;
    }
  }
}
