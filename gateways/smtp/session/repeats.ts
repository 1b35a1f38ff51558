/**
 * Which messages are tries of one message (decision 0030). A message's id is made of its fingerprint (peer, envelope
 * and bytes as they came) and the hour, so that the store, where an account takes an id once, knows a try that comes
 * again. What this process remembers decides the rest: a message whose 250 was read, or which is on its way in
 * another connection, and that comes once more is another message, and gets an id of its own. A connection over which
 * nothing has come for a minute since its 250 is taken for dead: a network that fails does not say goodbye.
 */
import { createHash, randomBytes } from 'node:crypto';
import { idFrom } from '../../../domain/derived-id.ts';

const HOUR_MS = 60 * 60_000;
/** Who has read a 250 says what is next, or goodbye, within seconds. */
const DEAD_MS = 60_000;
const REMEMBERED_MAX = 100_000;

type State = 'under way' | 'read' | 'broken';
type Memory = {
  readonly messageId: string;
  readonly at: number;
  state: State;
  /** When its 250 was written. */
  answeredAt?: number;
};

export type Attempt = {
  readonly messageId: string;
  /** The id it has if it came in the hour before; undefined: it did not, as far as this process knows. */
  readonly earlier: string | undefined;
  /** Its 250 is written. `now`: ms since 1970. */
  answered(now: number): void;
  /** The client has read its 250. */
  read(): void;
  /** It was refused, or the connection ended before the client can have read that it was not. */
  broke(): void;
};

export class Repeats {
  readonly #remembered = new Map<string, Memory>();
  /** From then on every message is remembered. */
  #since: number;

  /** ms since 1970 */
  constructor(now: number) {
    this.#since = now;
  }

  begin(fingerprint: string, now: number): Attempt {
    const known = this.#remembered.get(fingerprint);
    const fresh = known !== undefined && now - known.at < HOUR_MS ? known : undefined;
    const isBroken = fresh !== undefined && isOver(fresh, now);
    const hour = Math.floor(now / HOUR_MS);
    const isUnknown = fresh === undefined && now - this.#since < HOUR_MS;
    const messageId =
      fresh === undefined
        ? idOf(`${fingerprint} ${hour}`)
        : isBroken
          ? fresh.messageId
          : idOf(randomBytes(32));
    const memory: Memory = { messageId, at: isBroken ? fresh.at : now, state: 'under way' };
    this.#remember(fingerprint, memory);
    return {
      messageId,
      earlier: isUnknown ? idOf(`${fingerprint} ${hour - 1}`) : undefined,
      answered: (at) => (memory.answeredAt = at),
      read: () => (memory.state = 'read'),
      broke: () => (memory.state = 'broken'),
    };
  }

  #remember(fingerprint: string, memory: Memory): void {
    this.#remembered.delete(fingerprint);
    this.#remembered.set(fingerprint, memory);
    const [oldest] = this.#remembered;
    if (this.#remembered.size <= REMEMBERED_MAX || oldest === undefined) return;
    this.#since = Math.max(this.#since, oldest[1].at);
    this.#remembered.delete(oldest[0]);
  }
}

/** The client cannot have read that it is kept, or that it is not. */
function isOver({ state, answeredAt }: Memory, now: number): boolean {
  return (
    state === 'broken' || (state === 'under way' && answeredAt !== undefined && now - answeredAt >= DEAD_MS)
  );
}

/** Of what makes two tries the same. */
export function fingerprintOf(
  peer: string,
  sender: string,
  recipients: readonly string[],
  pieces: readonly Buffer[],
): string {
  const hash = createHash('sha256').update(JSON.stringify([peer, sender, [...recipients].sort()]));
  for (const piece of pieces) hash.update(piece);
  return hash.digest('base64url');
}

function idOf(source: string | Buffer): string {
  return idFrom(createHash('sha256').update(source).digest('hex'));
}
