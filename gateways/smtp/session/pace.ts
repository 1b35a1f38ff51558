/**
 * How long a client may take, whatever it dribbles in the meantime: an idle timeout alone is no end for who sends one
 * byte a second. What always holds, for a session that waits for its client:
 *
 *   a command is whole within `commandMs` of the reply before it              RFC 5321 §4.5.3.2.7: five minutes
 *   data of n bytes is whole within `dataMs` + n / `dataBytesPerSecondMin`    §4.5.3.2.5: three minutes for each piece
 *   a message is kept within `messageMs` of the last one, or of the greeting
 *   and within `commandsMax` commands: NOOP, RSET and VRFY keep nobody's place
 *
 * While the client waits for us, nothing of its time is counted.
 */
import { SmtpReply } from './smtp-reply.ts';

export type PaceSettings = {
  readonly commandMs: number;
  readonly dataMs: number;
  readonly dataBytesPerSecondMin: number;
  readonly messageMs: number;
  readonly commandsMax: number;
  /** For TLS before the greeting. */
  readonly handshakeMs: number;
};

export const DEFAULT_PACE: PaceSettings = {
  commandMs: 5 * 60_000,
  dataMs: 5 * 60_000,
  dataBytesPerSecondMin: 1000,
  messageMs: 60 * 60_000,
  commandsMax: 1000,
  handshakeMs: 60_000,
};

/** Times in ms of a clock that never goes back; bytes: all that came in over the connection so far. */
export class Pace {
  readonly #settings: PaceSettings;
  #since: number;
  #lastMessage: number;
  #commands = 0;
  /** What had come in when the data began; undefined: a command is waited for. */
  #dataFrom: number | undefined;

  constructor(settings: PaceSettings, now: number) {
    this.#settings = settings;
    this.#since = now;
    this.#lastMessage = now;
  }

  /** A command came; what is wrong with its coming. */
  command(): SmtpReply | undefined {
    const { commandsMax } = this.#settings;
    if (++this.#commands <= commandsMax) return undefined;
    return new SmtpReply(421, '4.7.0', `Too many commands without a message, the limit is ${commandsMax}`);
  }

  /** A reply was given. */
  answered(now: number, more: { bytes: number; opensData: boolean; isKept: boolean }): void {
    this.#since = now;
    this.#dataFrom = more.opensData ? more.bytes : undefined;
    if (!more.isKept) return;
    this.#lastMessage = now;
    this.#commands = 0;
  }

  /** Requires that the client is waited for. Why the session ends; undefined: it does not. */
  late(now: number, bytes: number): SmtpReply | undefined {
    const { commandMs, dataMs, dataBytesPerSecondMin, messageMs } = this.#settings;
    const waited = now - this.#since;
    if (this.#dataFrom !== undefined) {
      const allowed = dataMs + ((bytes - this.#dataFrom) * 1000) / dataBytesPerSecondMin;
      return waited > allowed ? tooSlow('The message arrives too slowly') : undefined;
    }
    if (waited > commandMs) return tooSlow(`No whole command within ${commandMs / 1000} s`);
    return now - this.#lastMessage > messageMs
      ? tooSlow(`No message within ${messageMs / 1000} s`)
      : undefined;
  }
}

/** RFC 3463 §3.5: 4.4.2 is a connection that went bad. */
function tooSlow(text: string): SmtpReply {
  return new SmtpReply(421, '4.4.2', `${text}: closing the connection`);
}
