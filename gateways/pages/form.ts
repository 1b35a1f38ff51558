/**
 * A form as it was sent: its fields are untrusted text. Reading one checks that it is text, that it is
 * no longer than its limit, and that it holds no control characters; the refusal names field and limit.
 */
import { badField } from './refusals.ts';

export type FieldRule = {
  /** As on the page: 'Username'. */
  readonly label: string;
  readonly bytesMax: number;
  /** Default: may be left empty. */
  readonly required?: boolean;
  /** Default: one line. */
  readonly multiline?: boolean;
};

export type Fields = Readonly<Record<string, unknown>>;

/** The field's text, '' if it is absent and not required. Throws PageRefusal 400. */
export function field(fields: Fields, name: string, rule: FieldRule): string {
  const value = fields[name] ?? '';
  if (typeof value !== 'string') throw badField(`${rule.label} was sent more than once.`);
  const bytes = Buffer.byteLength(value);
  if (rule.required === true && value.trim() === '')
    throw badField(`${rule.label} is missing: please fill it in.`);
  if (bytes > rule.bytesMax) {
    throw badField(`${rule.label} is too long: at most ${rule.bytesMax} bytes, this has ${bytes}.`);
  }
  const forbidden = rule.multiline === true ? /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/ : /[\0-\x1f\x7f]/;
  if (forbidden.test(value)) throw badField(`${rule.label} holds control characters: please remove them.`);
  return value;
}

/** What was typed, as far as it can be shown again in the form after a refusal. */
export function typed(fields: Fields, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => [name, typeof fields[name] === 'string' ? (fields[name] as string) : '']),
  );
}
