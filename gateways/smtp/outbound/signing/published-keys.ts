/**
 * Whether a signing key's record stands in DNS as its resolver sees it: a signature that nobody can check yet looks
 * like a forged one to some.
 */
import type { SigningKey } from './signing-keys.ts';
import { keyRecord } from './signing-keys.ts';

/** Of node:dns: the strings of each TXT record. */
export type TxtResolver = { resolveTxt(name: string): Promise<string[][]> };

export type Publication =
  | 'published'
  /** There is no record of that name. */
  | 'missing'
  /** There is one, of another key. */
  | 'different'
  /** The name server could not say. */
  | 'unknown';

/** Never rejects. */
export async function publicationOf(key: SigningKey, resolver: TxtResolver): Promise<Publication> {
  const { name, text } = keyRecord(key);
  let records: string[][];
  try {
    records = await resolver.resolveTxt(name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENODATA' || code === 'ENOTFOUND' ? 'missing' : 'unknown';
  }
  if (records.length === 0) return 'missing';
  const ours = tagsOf(text);
  // RFC 6376 §3.6.2.2: of several records nobody knows which one is read.
  const isOurs = records.every((strings) => {
    const tags = tagsOf(strings.join(''));
    return tags.get('p') === ours.get('p') && (tags.get('k') ?? 'rsa') === ours.get('k');
  });
  return isOurs ? 'published' : 'different';
}

/** RFC 6376 §3.2; white space has no meaning in the tags that are compared. */
function tagsOf(record: string): Map<string, string> {
  return new Map(
    record.split(';').map((tag) => {
      const [name = '', ...value] = tag.split('=');
      return [name.trim(), value.join('=').replace(/\s+/g, '')];
    }),
  );
}
