/**
 * Passwords: argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane). Hashing takes memory and a
 * thread for some 20 ms, so only a few run at once and a bounded number wait; more than that is told to
 * come back. A name without an account costs the same work as one with, so that time tells nothing.
 */
import { randomBytes } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import { PageRefusal } from './refusals.ts';

const ARGON2ID = { memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 } as const;
export const PASSWORD_CHARS_MIN = 8;
export const PASSWORD_BYTES_MAX = 256;

const RUNNING_MAX = 2;
const WAITING_MAX = 64;

export class Passwords {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  /** A hash that no password has; made with the same parameters as real ones. */
  private decoy: Promise<string> | undefined;

  /** PHC text. Throws PageRefusal 503 when too many wait. */
  hash(password: string): Promise<string> {
    return this.queued(() => hash(password, ARGON2ID));
  }

  /** `passwordHash` undefined: there is no such account; the answer is false, after the same work. */
  async holds(passwordHash: string | undefined, password: string): Promise<boolean> {
    this.decoy ??= hash(randomBytes(32), ARGON2ID);
    const compared = passwordHash ?? (await this.decoy);
    const same = await this.queued(() => verify(compared, password));
    return same && passwordHash !== undefined;
  }

  private async queued<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= RUNNING_MAX) {
      if (this.waiting.length >= WAITING_MAX) {
        throw new PageRefusal(
          503,
          'Busy',
          'Many people are logging in just now: please try again in a moment.',
        );
      }
      await new Promise<void>((go) => this.waiting.push(go));
    }
    this.running++;
    try {
      return await work();
    } finally {
      this.running--;
      this.waiting.shift()?.();
    }
  }
}
