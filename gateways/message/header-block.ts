/**
 * A tolerant reader of a message's header block (RFC 5322 §2.2). It reads bytes as they come: lines
 * that are no header fields are skipped, 8-bit bytes are accepted, names are compared without case.
 * It never throws, and its work is bounded by `BLOCK_BYTES_MAX`, whatever the message holds.
 *
 * Fields are kept as a list, never as keys of an object: a field called `__proto__` is just a name.
 */
import { decodeUnlabelled } from './encoded-words.ts';

/** What is read of a header block. The largest of the 6,046 real test messages has 18 KiB. */
const BLOCK_BYTES_MAX = 256 * 1024;
const FIELDS_MAX = 2_000;

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;

export type HeaderBlock = {
  /** Where the body begins: after the empty line, or the length of the message. */
  readonly bodyAt: number;
  /** The fields of that name in order, unfolded, encoded words still encoded. */
  all(name: string): string[];
  first(name: string): string | undefined;
  /** Every field in order, its name as it is written. */
  list(): { name: string; value: string }[];
};

type Field = { readonly name: string; readonly written: string; readonly valueFrom: number; valueTo: number };

export function readHeaderBlock(raw: Buffer): HeaderBlock {
  const fields: Field[] = [];
  let at = 0;
  let bodyAt = raw.length;
  while (at < raw.length && at < BLOCK_BYTES_MAX) {
    const lf = raw.indexOf(LF, at);
    const end = lf < 0 ? raw.length : lf;
    const next = lf < 0 ? raw.length : lf + 1;
    const length = end - at - (end > at && raw[end - 1] === CR ? 1 : 0);
    if (length === 0) {
      bodyAt = next;
      break;
    }
    const folded = raw[at] === 0x20 || raw[at] === 0x09;
    const last = fields.at(-1);
    if (folded && last) last.valueTo = at + length;
    else if (!folded && fields.length < FIELDS_MAX) {
      const field = fieldAt(raw, at, at + length);
      if (field) fields.push(field);
    }
    at = next;
  }
  const values = (name: string) => fields.filter((field) => field.name === name.toLowerCase());
  const text = (field: Field) =>
    decodeUnlabelled(raw.subarray(field.valueFrom, Math.min(field.valueTo, BLOCK_BYTES_MAX)))
      .replace(/\r?\n(?=[ \t])/g, '')
      .trim();
  return {
    bodyAt,
    all: (name) => values(name).map(text),
    first: (name) => values(name).slice(0, 1).map(text)[0],
    list: () => fields.map((field) => ({ name: field.written, value: text(field) })),
  };
}

/** `Name: value`; the obsolete syntax allows space before the colon (RFC 5322 §4.5). */
function fieldAt(raw: Buffer, from: number, to: number): Field | undefined {
  const colon = raw.subarray(from, Math.min(to, from + 200)).indexOf(COLON);
  if (colon < 1) return undefined;
  const name = raw.toString('latin1', from, from + colon).trimEnd();
  if (!/^[!-9;-~]+$/.test(name)) return undefined;
  return { name: name.toLowerCase(), written: name, valueFrom: from + colon + 1, valueTo: to };
}
