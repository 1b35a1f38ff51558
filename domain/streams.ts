/**
 * Streams and the rows that belong to them. A stream's name is the row, or the row prefix, that it
 * owns: stream S owns row S and every row that starts with `S/`. The platform's own rows start with
 * '~'; every other row name is free for kv users, and is its own stream.
 *
 * A hash bucket follows the kind, so that default split points spread users and chunks evenly.
 */
export const PLATFORM_PREFIX = '~';

/** `~user/3f/alice`: an account with its mail and the metadata of its drive. */
export function accountStream(name: string): string {
  return `~user/${bucket(name)}/${name}`;
}

/** `~chunk/3f/<fileId>/<n>`: one chunk of a file's bytes. */
export function chunkStream(fileId: string, chunk: number): string {
  return `~chunk/${bucket(`${fileId}/${chunk}`)}/${fileId}/${chunk}`;
}

/** `~outbound/0` to `~outbound/f`: the queues of what waits to be taken to other systems; their number is for ever. */
export const OUTBOUND_STREAMS: readonly string[] = Array.from(
  '0123456789abcdef',
  (digit) => `~outbound/${digit}`,
);

/** The queue of an item. */
export function outboundStream(itemId: string): string {
  return `~outbound/${bucket(itemId).charAt(1)}`;
}

/** `~console`: one-time links and console sessions. */
export const CONSOLE_STREAM = '~console';

/** The account's name, or undefined if the stream is not an account's. */
export function accountOf(stream: string): string | undefined {
  return /^~user\/[0-9a-f]{2}\/([^/]+)/.exec(stream)?.[1];
}

/** Whether the stream is exactly an account's, not a row below it or under a wrong bucket. */
export function isAccountStream(stream: string): boolean {
  const name = accountOf(stream);
  return name !== undefined && accountStream(name) === stream;
}

export function isPlatformRow(row: string): boolean {
  return row.startsWith(PLATFORM_PREFIX);
}

/** Two hex digits of FNV-1a (32 bit, folded), stable for ever: rows depend on it. */
function bucket(name: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193) >>> 0;
  }
  return ((hash ^ (hash >>> 8) ^ (hash >>> 16) ^ (hash >>> 24)) & 0xff).toString(16).padStart(2, '0');
}
