/** A person's own words about themselves: names and signatures, and how long they may be. */
import type { Content } from '../decider.ts';
import { hasControlCharacter, partText, refuse } from '../fields.ts';

export const DISPLAY_NAME_BYTES_MAX = 255;
export const SIGNATURE_BYTES_MAX = 2000;

/** Requires `parsed` around it; so does the other one. */
export function checkName(content: Content, part: number): void {
  if (hasControlCharacter(partText(content, part, 'display name', 0, DISPLAY_NAME_BYTES_MAX))) {
    refuse(
      'Malformed',
      'Display name must not contain control characters (line breaks, tabs and the like).',
      { field: 'display name', limit: DISPLAY_NAME_BYTES_MAX },
    );
  }
}

/** Several lines, parted by LF. */
export function checkSignature(content: Content, part: number): void {
  const text = partText(content, part, 'signature', 0, SIGNATURE_BYTES_MAX);
  if (hasControlCharacter(text.replaceAll('\n', ''))) {
    refuse('Malformed', 'Signature must not contain control characters other than line breaks.', {
      field: 'signature',
      limit: SIGNATURE_BYTES_MAX,
    });
  }
}
