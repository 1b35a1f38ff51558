/** Ids that follow from content, so that the same decision names the same thing on every copy. */
const ID_CHARACTERS = 26;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/**
 * An id as `randomId` checks it, out of a sha256 in hexadecimal: 5 bits of each byte. Of what was erased
 * (undefined) nobody needs one.
 */
export function idFrom(digest: string | undefined): string {
  const hex = digest ?? '0'.repeat(2 * ID_CHARACTERS);
  return Array.from({ length: ID_CHARACTERS }, (_, i) =>
    ALPHABET.charAt(Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16) & 31),
  ).join('');
}
