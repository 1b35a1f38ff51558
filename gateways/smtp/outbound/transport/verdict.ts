/**
 * What came of trying to bring a message to one recipient. RFC 5321 §4.2.1: 2xx is done, 4xx is worth another try, 5xx
 * is not; what is no answer at all (a network, a name server, a peer that talks garbage) is worth another try.
 */
import { oneLine } from '../../../message/readable-text.ts';

export type Verdict = {
  readonly outcome: 'delivered' | 'deferred' | 'failed';
  /** Of the peer's reply; null: it gave none. */
  readonly code: number | null;
  /** RFC 3463, for the notice to the sender. */
  readonly status: string;
  /** Who was asked; '': nobody could be. */
  readonly host: string;
  /** The reply, or why there was none, in a sentence for the sender. */
  readonly text: string;
};

const TEXT_CHARACTERS_MAX = 1000;
const REPLY = /^([2-5]\d\d)(?:[ -]|$)/;

/** Of a whole reply, its lines joined. What does not begin as a reply does (RFC 5321 §4.2) is none. */
export function verdictOfReply(reply: string, host: string): Verdict {
  const code = Number(REPLY.exec(reply)?.[1] ?? 0);
  const text = readable(reply.replace(/\n(?:[2-5]\d\d[ -])?/g, ' '));
  if (code === 0 || (code >= 300 && code < 400))
    return unanswered(host, `${host} did not answer as a mail server does: ${text.slice(0, 200)}`);
  const outcome = code < 300 ? 'delivered' : code < 500 ? 'deferred' : 'failed';
  const digit = Math.floor(code / 100);
  const enhanced = new RegExp(`^\\d{3}[ -](${digit}\\.\\d{1,3}\\.\\d{1,3})\\b`).exec(reply)?.[1];
  return { outcome, code, status: enhanced ?? `${digit}.0.0`, host, text };
}

/** No answer: worth another try. `status`: 4.4.1 nobody answers, 4.4.2 the connection broke, 4.4.3 no name server. */
export function unanswered(host: string, text: string, status = '4.4.2'): Verdict {
  return { outcome: 'deferred', code: null, status, host, text: readable(text) };
}

/** Nobody needs to be asked: it cannot be delivered. */
export function impossible(text: string, status: string, host = ''): Verdict {
  return { outcome: 'failed', code: null, status, host, text: readable(text) };
}

function readable(text: string): string {
  return oneLine(text, TEXT_CHARACTERS_MAX);
}
