/**
 * The header lines that go on through a proxy. Those that concern one connection alone stay behind (RFC 9110
 * §7.6.1): a fixed list, and whatever the line Connection names. How a body is delimited is written
 * anew on each side, from what the parser understood: two servers can never read one request as two.
 */
import type { IncomingMessage } from 'node:http';
import { ORIGIN_HEADERS } from '../http/forwarded.ts';

const OF_ONE_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Never dropped on the word of a Connection line: without them the message would mean something else. */
const NEVER_DROPPED: ReadonlySet<string> = new Set(['host', 'content-length', 'cookie', 'authorization']);

export type HeaderLines = Record<string, string | string[]>;

/** Of a request; without Host and without what a client says about where it comes from. */
export function requestLines(request: Pick<IncomingMessage, 'rawHeaders' | 'headers'>): HeaderLines {
  return linesThat(request, (name) => name !== 'host' && !ORIGIN_HEADERS.has(name));
}

export function responseLines(response: Pick<IncomingMessage, 'rawHeaders' | 'headers'>): HeaderLines {
  return linesThat(response, () => true);
}

/** True if the parser found a body, of whatever length. */
export function hasBody({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return (
    headers['transfer-encoding'] !== undefined ||
    (headers['content-length'] !== undefined && Number(headers['content-length']) > 0)
  );
}

function linesThat(
  message: Pick<IncomingMessage, 'rawHeaders' | 'headers'>,
  goOn: (name: string) => boolean,
): HeaderLines {
  const named = (message.headers.connection ?? '').toLowerCase().split(',');
  const dropped = new Set(named.map((name) => name.trim()).filter((name) => !NEVER_DROPPED.has(name)));
  // Without a prototype: a line may be called "__proto__".
  const lines = Object.create(null) as HeaderLines;
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    const name = message.rawHeaders[at]!.toLowerCase();
    if (OF_ONE_CONNECTION.has(name) || dropped.has(name) || !goOn(name)) continue;
    const value = message.rawHeaders[at + 1]!;
    const before = lines[name];
    lines[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return lines;
}
