/**
 * Conditional requests (RFC 9110 §13): what a client already has is not sent again, and what it wants to
 * go on with is checked to be the same. Entity tags here are strong: one tag, the same bytes.
 */
import { createHash, webcrypto } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export type Validators = {
  /** With its quotes. */
  readonly etag: string;
  /** Milliseconds since 1970; only the second counts. */
  readonly lastModified?: number;
};

/** `send`: as if there were no condition. `unchanged`: 304. `failed`: 412. In the order of §13.2.2, for GET and HEAD. */
export function judge(
  headers: IncomingHttpHeaders,
  { etag, lastModified }: Validators,
): 'send' | 'unchanged' | 'failed' {
  const second = lastModified === undefined ? undefined : Math.floor(lastModified / 1000);
  const secondIn = (date: string | undefined): number => (date === undefined ? NaN : Date.parse(date) / 1000);
  if (headers['if-match'] !== undefined) {
    if (!tagsIn(headers['if-match']).some((tag) => tag === etag || tag === '*')) return 'failed';
  } else if (second !== undefined && second > secondIn(headers['if-unmodified-since'])) return 'failed';

  if (headers['if-none-match'] !== undefined) {
    const known = tagsIn(headers['if-none-match']).some(
      (tag) => tag.replace(/^W\//, '') === etag || tag === '*',
    );
    return known ? 'unchanged' : 'send';
  }
  return second !== undefined && second <= secondIn(headers['if-modified-since']) ? 'unchanged' : 'send';
}

/** The Range of a request, unless its If-Range says that the client has pieces of something else. */
export function rangeIn(
  headers: IncomingHttpHeaders,
  { etag, lastModified }: Validators,
): string | undefined {
  const condition = headers['if-range'];
  if (condition === undefined || condition === etag) return headers.range;
  const same =
    lastModified !== undefined && Date.parse(String(condition)) === Math.floor(lastModified / 1000) * 1000;
  return same ? headers.range : undefined;
}

/** sha256, on a thread of its own for what is long. */
export async function etagOf(bytes: Uint8Array): Promise<string> {
  const digest = await webcrypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return quoted(Buffer.from(digest));
}

export function etagOfShort(bytes: Uint8Array): string {
  return quoted(createHash('sha256').update(bytes).digest());
}

/** The tag of the same content in another coding: other bytes, so another tag (§8.8.3.3). */
export function etagIn(coding: 'br' | 'gzip' | 'identity', etag: string): string {
  return coding === 'identity' ? etag : `${etag.slice(0, -1)}-${coding}"`;
}

function quoted(digest: Buffer): string {
  return `"${digest.toString('base64url')}"`;
}

function tagsIn(list: string): string[] {
  return list.match(/(?:W\/)?"[^"]*"|\*/g) ?? [];
}
