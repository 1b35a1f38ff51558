/**
 * A request to a stranger's server, made by the gateway on a reader's click. The address comes out of a mail, so it may
 * aim at what only the gateway can reach: the store, the console, a cloud's metadata service.
 *
 * Always holds: https only; the name is resolved once, every address it has must be a public one, and the
 * connection is made to the address that was checked; no redirects, no cookies; bounded in time; the answer's
 * body is never read.
 */
import { lookup } from 'node:dns/promises';
import { request } from 'node:https';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Where such requests may go, and who vouches for it. Tests have a world of their own. */
export type Reach = {
  resolve(host: string): Promise<readonly string[]>;
  allows(address: string, port: number): boolean;
  /** A certificate to trust besides the system's. */
  readonly ca?: string;
};

export const PUBLIC_INTERNET: Reach = {
  resolve: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  allows: (address, port) => port === 443 && isPublic(address),
};

export type PostOutcome = { readonly ok: true } | { readonly ok: false; readonly why: string };

const TIME_MS_MAX = 10_000;

/** Never throws: what went wrong is told in words for the person who clicked. */
export async function postForm(
  url: string,
  body: string,
  reach: Reach = PUBLIC_INTERNET,
): Promise<PostOutcome> {
  const target = new URL(url);
  if (target.protocol !== 'https:') return refused('the address is not one of https');
  // URL writes IPv6 in brackets.
  const host = target.hostname.replace(/^\[|\]$/g, '');
  const port = Number(target.port || 443);
  const addresses = isIP(host) !== 0 ? [host] : await reach.resolve(host).catch(() => []);
  const [address] = addresses;
  if (address === undefined) return refused(`${host} cannot be found`);
  if (!addresses.every((one) => reach.allows(one, port)))
    return refused(`${target.host} is not a public server`);
  return send(target, { address, port, host, body, ca: reach.ca });
}

/** Global unicast, of IPv4 also where it is wrapped in IPv6. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  // `process` unwraps ::ffff:a.b.c.d; other wrappings (6to4, NAT64, Teredo) are ranges of their own.
  const read = ipaddr.process(address);
  if (read.range() !== 'unicast') return false;
  // What IANA has given out as global unicast so far; below it lie old wrappings of IPv4 (::a.b.c.d).
  return !(read instanceof ipaddr.IPv6) || read.parts[0]! >> 13 === 1;
}

type Destination = { address: string; port: number; host: string; body: string; ca: string | undefined };

function send(url: URL, { address, port, host, body, ca }: Destination): Promise<PostOutcome> {
  return new Promise((resolve) => {
    const sent = request({
      method: 'POST',
      host: address,
      port,
      path: `${url.pathname}${url.search}`,
      // The certificate has to be the name's, though the connection goes to the address.
      ...(isIP(host) === 0 && { servername: host }),
      ...(ca !== undefined && { ca }),
      agent: false,
      headers: {
        host: url.host,
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': Buffer.byteLength(body),
        'user-agent': 'PennCloud',
      },
      signal: AbortSignal.timeout(TIME_MS_MAX),
    });
    sent.on('response', (answer) => {
      const { statusCode = 0 } = answer;
      answer.destroy();
      resolve(statusCode >= 200 && statusCode < 300 ? { ok: true } : refused(told(statusCode)));
    });
    sent.on('error', (error) => {
      const late = error.name === 'AbortError' || error.name === 'TimeoutError';
      resolve(refused(late ? `${url.host} did not answer in time` : `${url.host} could not be reached`));
    });
    sent.end(body);
  });
}

function told(status: number): string {
  return status >= 300 && status < 400
    ? 'the sender’s server wants to lead elsewhere, which is not followed'
    : `the sender’s server refused (${status})`;
}

function refused(why: string): PostOutcome {
  return { ok: false, why };
}
