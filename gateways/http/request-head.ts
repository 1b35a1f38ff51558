/**
 * The head of a request, made plain before anything else sees it. Node's parser (llhttp, strict) refuses
 * what could be read in two ways: Content-Length with Transfer-Encoding, either of them twice, folded
 * lines, bare CR or LF, blanks before a colon. What it lets through and we do not:
 *
 *   two Host lines, or one that is no host                  RFC 9112 §3.2
 *   a transfer coding other than chunked, or under HTTP/1.0  RFC 9112 §6.1
 *   a target that is neither a path nor an http(s) URL       RFC 9112 §3.2
 *
 * A whole URL as the target stands for its path, and its host takes the place of the Host line (§3.2.2).
 */
import type { IncomingMessage } from 'node:http';

const HOST = /^(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?$/;

export type RequestHead = {
  /** As the client wrote it, with its port; '' only under HTTP/1.0. */
  readonly host: string;
  /** Path and query, beginning with '/'. */
  readonly path: string;
};

/** The head, or a sentence that says what is wrong with it. */
export function readHead(
  request: Pick<IncomingMessage, 'rawHeaders' | 'httpVersionMinor' | 'url'>,
): RequestHead | string {
  const hosts = valuesOf(request.rawHeaders, 'host');
  if (hosts.length > 1 || (hosts.length === 0 && request.httpVersionMinor > 0)) {
    return 'A request needs exactly one Host line.';
  }
  const [coding] = valuesOf(request.rawHeaders, 'transfer-encoding');
  if (coding !== undefined && (coding.toLowerCase() !== 'chunked' || request.httpVersionMinor === 0)) {
    return 'The only transfer coding taken is chunked, under HTTP/1.1.';
  }
  const target = request.url ?? '';
  const absolute = /^https?:\/\/([^/?#]*)([^#]*)$/i.exec(target);
  if (absolute === null && !target.startsWith('/')) return 'The target of a request is a path.';
  const host = absolute?.[1] ?? hosts[0] ?? '';
  if (host !== '' && !HOST.test(host)) return 'The Host line is malformed.';
  if (host === '' && (absolute !== null || hosts.length > 0)) return 'The Host line is empty.';
  const rest = absolute?.[2] ?? target;
  return { host, path: rest.startsWith('/') ? rest : `/${rest}` };
}

/** The host without its port; undefined if it is malformed. */
export function hostNameOf(host: string | undefined): string | undefined {
  return HOST.exec(host ?? '')?.[1];
}

/** `rawHeaders`: name, value, name, value, … as Node gives them. */
function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]!.toLowerCase() === name);
}
