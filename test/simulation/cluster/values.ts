/** Values by name: `v12` is a few bytes, `v12:5000` as many as it says. A value that comes back is checked byte by byte. */
const cache = new Map<string, Buffer>();

export function valueOf(name: string): Buffer {
  const length = Number(name.split(':')[1] ?? 0);
  if (length === 0) return Buffer.from(name);
  let bytes = cache.get(name);
  if (!bytes) {
    bytes = Buffer.alloc(Math.max(length, name.length + 1), `${name} `);
    if (cache.size > 32) cache.clear();
    cache.set(name, bytes);
  }
  return bytes;
}

/** What was put under it: its name, or a text that no name is. */
export function valueName(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 40)).toString('latin1');
  const name = text.split(' ')[0]!;
  return valueOf(name).equals(bytes) ? name : `(damaged: ${text})`;
}
