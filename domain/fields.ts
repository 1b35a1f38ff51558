/**
 * Checking untrusted data, by hand: the shape of a command's fields and the bounds of its parts. A
 * check returns the value typed or refuses; the sentence of a refusal names the field and its limit and
 * says what would be right. Fields that a command does not know are refused too, so that a misspelt
 * optional field is never silently ignored.
 *
 * Checks refuse by throwing, and only `parsed` catches: a command's `parse` reads as a list of checks.
 */
import type { Content } from './decider.ts';
import { rejection, type Rejection, type RejectionCode } from './errors.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

class Refusal extends Error {
  readonly rejection: Rejection;
  constructor(refused: Rejection) {
    super(refused.message);
    this.rejection = refused;
  }
}

/** Runs the checks of one command; a refusal becomes the rejection, any other error is a defect. */
export function parsed<Data>(checks: () => Data): { data: Data } | { rejection: Rejection } {
  try {
    return { data: checks() };
  } catch (error) {
    if (error instanceof Refusal) return { rejection: error.rejection };
    throw error;
  }
}

/** Ends the surrounding `parsed` with this rejection. */
export function refuse(
  code: RejectionCode,
  message: string,
  more: Omit<Rejection, 'code' | 'message'>,
): never {
  throw new Refusal(rejection(code, message, more));
}

/** The command's fields by name; one that is not among `names` is refused. Missing ones are undefined. */
export function fieldsOf<Name extends string>(data: unknown, names: readonly Name[]): Record<Name, unknown> {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    refuse('Malformed', `The command's data must be an object with ${listed(names)}.`, { field: 'data' });
  }
  for (const key of Object.keys(data)) {
    if (!(names as readonly string[]).includes(key)) {
      const field = key.slice(0, 64);
      refuse('Malformed', `The field "${field}" is unknown here: expected ${listed(names)}.`, { field });
    }
  }
  const fields = {} as Record<Name, unknown>;
  for (const name of names) {
    fields[name] = Object.hasOwn(data, name) ? (data as Record<Name, unknown>)[name] : undefined;
  }
  return fields;
}

export function flag(value: unknown, field: string): boolean {
  if (typeof value !== 'boolean') refuse('Malformed', `${capital(field)} must be true or false.`, { field });
  return value;
}

/** A whole number with min <= value <= max. */
export function whole(value: unknown, field: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    refuse('Malformed', `${capital(field)} must be a whole number from ${min} to ${max}.`, {
      field,
      limit: max,
    });
  }
  return value;
}

/** A string that matches; `rule` ends the sentence "<Field> must be …" and is also the limit. */
export function matching(value: unknown, field: string, pattern: RegExp, rule: string): string {
  if (typeof value !== 'string' || !pattern.test(value)) {
    refuse('Malformed', `${capital(field)} must be ${rule}.`, { field, limit: rule });
  }
  return value;
}

const SHA256_HEX = /^[0-9a-f]{64}$/;

/** Lower-case hex sha256. */
export function sha256Hex(value: unknown, field: string): string {
  return matching(value, field, SHA256_HEX, '64 lower-case hexadecimal digits (a sha256)');
}

/** An id as gateways choose them: 26 base32 characters, 130 bits of randomness. */
export function randomId(value: unknown, field: string): string {
  return matching(
    value,
    field,
    /^[a-z2-7]{26}$/,
    '26 characters, each a lower-case letter or a digit 2 to 7',
  );
}

/** A list of min to max; `what` ends the sentence of a refusal. */
export function listOf(
  value: unknown,
  field: string,
  min: number,
  max: number,
  what: string,
): readonly unknown[] {
  if (!Array.isArray(value) || value.length < min || value.length > max) {
    refuse('Malformed', `The field ${field} must be a list of ${min} to ${max} ${what}.`, {
      field,
      limit: max,
    });
  }
  return value;
}

/** As many Message-IDs of a header are looked at: its own, the first one it names, and the last ones. */
export const NAMED_IDS_MAX = 12;

/** Hashes of Message-IDs, nearest first, each once; absent: none. */
export function namedIds(value: unknown): readonly string[] {
  if (value === undefined) return [];
  const list = listOf(value, 'ids', 0, NAMED_IDS_MAX, 'hashes of Message-IDs');
  const rule = '22 characters of base64url (a hash)';
  return [...new Set(list.map((id) => matching(id, 'ids', /^[A-Za-z0-9_-]{22}$/, rule)))];
}

/** Refuses a command that does not come with exactly the parts named. */
export function partsAre(content: Content, ...names: readonly string[]): void {
  if (content.count !== names.length) {
    const expected = names.length === 0 ? 'no parts' : `${names.length} parts (${names.join(', ')})`;
    refuse('Malformed', `This command takes ${expected}; it came with ${content.count}.`, {
      field: 'parts',
      limit: names.length,
    });
  }
}

/** A part of at most `bytesMax` bytes, or TooLarge. */
export function partAtMost(content: Content, part: number, field: string, bytesMax: number): void {
  const length = content.length(part);
  if (length > bytesMax) {
    refuse(
      'TooLarge',
      `${capital(field)} must be at most ${bytesText(bytesMax)}; this one has ${length} bytes.`,
      {
        field,
        limit: bytesMax,
      },
    );
  }
}

/** A part that is UTF-8 text with bytesMin <= bytes <= bytesMax. */
export function partText(
  content: Content,
  part: number,
  field: string,
  bytesMin: number,
  bytesMax: number,
): string {
  const length = content.length(part);
  if (length < bytesMin || length > bytesMax) {
    const rule = bytesMin === 0 ? `at most ${bytesMax} bytes` : `${bytesMin} to ${bytesMax} bytes`;
    refuse('Malformed', `${capital(field)} must be ${rule} of UTF-8 text; this one has ${length} bytes.`, {
      field,
      limit: bytesMax,
    });
  }
  const text = decodeText(content.bytes(part));
  if (text === undefined) {
    refuse('Malformed', `${capital(field)} must be valid UTF-8 text.`, { field, limit: bytesMax });
  }
  return text;
}

/** The UTF-8 text of a part; undefined when it was erased or is not UTF-8. */
export function decodeText(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Why a string cannot name a row or a column, in words that end "<Field> must …"; undefined when it can.
 * Lone surrogates are refused because different strings would become the same UTF-8 bytes.
 */
export function nameFault(value: string, bytesMax: number): string | undefined {
  // UTF-8 is never shorter than UTF-16 code units, so that a huge string is refused before it is encoded.
  if (value.length === 0 || value.length > bytesMax || new TextEncoder().encode(value).length > bytesMax) {
    return `be 1 to ${bytesMax} bytes of UTF-8`;
  }
  if (value.includes('\0')) return 'not contain NUL';
  if (/[\ud800-\udfff]/u.test(value)) return 'be valid Unicode text, without lone surrogates';
  return undefined;
}

/** C0 (U+0000 to U+001F), DEL and C1 (U+0080 to U+009F). */
export function hasControlCharacter(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return true;
  }
  return false;
}

/** "64 MiB", "1 KiB" or "1000 bytes". */
export function bytesText(bytes: number): string {
  if (bytes >= MIB && bytes % MIB === 0) return `${bytes / MIB} MiB`;
  if (bytes >= KIB && bytes % KIB === 0) return `${bytes / KIB} KiB`;
  return `${bytes} bytes`;
}

export function capital(field: string): string {
  return field.charAt(0).toUpperCase() + field.slice(1);
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'no fields' : `the fields ${names.join(', ')}`;
}
