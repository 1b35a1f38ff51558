/**
 * Whom a request comes from, told by the front door to a gateway:
 *
 *   Forwarded:        for="192.0.2.7";host="cloud.example.org";proto=https      RFC 7239
 *   X-PennCloud-Seal: HMAC-SHA256(key, the value of Forwarded), base64url
 *
 * The key comes from the cluster's secret: nobody else can write such a line. A gateway drops every line of
 * this kind that is not sealed, so that a client cannot make itself another address.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export type Origin = {
  /** The client's IP address. */
  readonly address: string;
  /** As the client wrote it, with its port. */
  readonly host: string;
  readonly proto: 'http' | 'https';
};

/** Header lines that say where a request came from: none of a client's own goes on. */
export const ORIGIN_HEADERS: ReadonlySet<string> = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-real-ip',
  'x-penncloud-seal',
]);

export function sealedOrigin(key: string, { address, host, proto }: Origin): Record<string, string> {
  const bare = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
  const forwarded = `for="${bare.includes(':') ? `[${bare}]` : bare}";host="${host}";proto=${proto}`;
  return {
    forwarded,
    'x-forwarded-for': bare,
    'x-forwarded-proto': proto,
    'x-penncloud-seal': seal(key, forwarded),
  };
}

/**
 * Leaves `x-forwarded-for` and `-proto` in the headers only as the front door said them. `key` undefined:
 * there is no front door to believe.
 */
export function believeSealed(key: string | undefined, headers: IncomingHttpHeaders): void {
  const { forwarded } = headers;
  const given = headers['x-penncloud-seal'];
  const holds =
    key !== undefined &&
    forwarded !== undefined &&
    typeof given === 'string' &&
    sameText(given, seal(key, forwarded));
  for (const name of ORIGIN_HEADERS) delete headers[name];
  const told = holds ? /^for="\[?([0-9a-fA-F.:]+)\]?";host="[^"]*";proto=(https?)$/.exec(forwarded) : null;
  if (told === null) return;
  headers['x-forwarded-for'] = told[1];
  headers['x-forwarded-proto'] = told[2];
}

function seal(key: string, forwarded: string): string {
  return createHmac('sha256', key).update(`forwarded\0${forwarded}`).digest('base64url');
}

function sameText(a: string, b: string): boolean {
  const [given, expected] = [Buffer.from(a), Buffer.from(b)];
  return given.length === expected.length && timingSafeEqual(given, expected);
}
