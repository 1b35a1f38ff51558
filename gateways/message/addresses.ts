/**
 * Addresses: read from header fields (tolerantly, from strangers), typed by users (strictly, with a
 * reason for each one refused), and mapped to local accounts.
 *
 * An address list is parsed by nodemailer's addressparser; whether a single address is valid is
 * decided here, by RFC 5321's grammar and lengths.
 */
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import addressparser from 'nodemailer/lib/addressparser';
import { isAccountName } from '../../domain/account/names.ts';
import type { Address } from '../../domain/mail/message/summary.ts';
import { decodeWords } from './encoded-words.ts';
import { oneLine } from './readable-text.ts';

export type { Address };

export const NAME_CHARS_MAX = 200;
export const ADDRESS_CHARS_MAX = 320;

/** RFC 5321 §4.5.3.1.1–3; a path of 256 octets with its angle brackets leaves 254 for the address. */
const LOCAL_PART_OCTETS_MAX = 64;
const DOMAIN_OCTETS_MAX = 255;
const ADDRESS_OCTETS_MAX = 254;

/** What is read of one address field, and of what a user typed into one. */
const LIST_CHARS_MAX = 64 * 1024;

/** The mailboxes of header fields, groups flattened, made readable; at most `countMax`, with their true number. */
export function readAddresses(
  values: readonly string[],
  countMax: number,
): { list: Address[]; total: number } {
  const found = values.flatMap((value) => addressparser(value.slice(0, LIST_CHARS_MAX), { flatten: true }));
  const list = found.slice(0, countMax).map(({ name, address }) => ({
    name: oneLine(decodeWords(name ?? ''), NAME_CHARS_MAX),
    // RFC 2047 §5 (3): no encoded word in an address; one is there to show another address than it is.
    address: (address ?? '').includes('=?') ? '' : oneLine(address ?? '', ADDRESS_CHARS_MAX),
  }));
  return { list, total: found.length };
}

/** What a user typed into To, Cc or Bcc. `bad` quotes what is not a valid address, for the refusal. */
export function parseAddressList(text: string): { ok: Address[]; bad: string[] } {
  const ok: Address[] = [];
  const bad: string[] = [];
  if (text.length > LIST_CHARS_MAX) return { ok, bad: [oneLine(text, 60)] };
  // People separate with line ends and semicolons too; in a quoted name these stay what they are.
  const listed = text.replace(/[\r\n]+/g, ', ').replace(/;(?=(?:[^"]*"[^"]*")*[^"]*$)/g, ',');
  for (const { name, address } of addressparser(listed, { flatten: true })) {
    const typed = oneLine(address ?? '', ADDRESS_CHARS_MAX);
    if (isValidAddress(typed)) ok.push({ name: oneLine(name ?? '', NAME_CHARS_MAX), address: typed });
    else if (typed !== '' || (name ?? '') !== '') bad.push(oneLine(`${name ?? ''} ${typed}`, NAME_CHARS_MAX));
  }
  return { ok, bad };
}

/** Those that have an address, as a list that `parseAddressList` reads back the same way. */
export function addressList(addresses: readonly Address[]): string {
  return addresses
    .filter(({ address }) => address !== '')
    .map(({ name, address }) => (name === '' ? address : `"${name.replace(/["\\]/g, '')}" <${address}>`))
    .join(', ');
}

/** RFC 5321 §4.1.2 `Mailbox`, with RFC 6531's UTF-8, and the lengths of §4.5.3.1. */
export function isValidAddress(address: string): boolean {
  const at = address.lastIndexOf('@');
  if (at < 1 || Buffer.byteLength(address) > ADDRESS_OCTETS_MAX) return false;
  const localPart = address.slice(0, at);
  if (Buffer.byteLength(localPart) > LOCAL_PART_OCTETS_MAX) return false;
  return (
    (DOT_STRING.test(localPart) || QUOTED_STRING.test(localPart)) && isValidDomain(address.slice(at + 1))
  );
}

const ATOM = "[a-z0-9!#$%&'*+/=?^_`{|}~\\u00a1-\\uffff-]+";
const DOT_STRING = new RegExp(`^${ATOM}(?:\\.${ATOM})*$`, 'i');
const QUOTED_STRING = /^"(?:[ !#-[\]-~\u00a1-\uffff]|\\[ -~])*"$/;

function isValidDomain(domain: string): boolean {
  const literal = /^\[(?:IPv6:([0-9a-f:.]+)|([0-9.]+))\]$/i.exec(domain);
  if (literal) return isIP(literal[1] ?? '') === 6 || isIP(literal[2] ?? '') === 4;
  if (!/^[a-z0-9.\u00a1-\uffff-]+$/i.test(domain)) return false;
  const ascii = domainToASCII(domain);
  return (
    ascii.length > 0 &&
    ascii.length <= DOMAIN_OCTETS_MAX &&
    ascii.split('.').every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label))
  );
}

/** Served besides those configured. */
const ALWAYS_SERVED = 'localhost';

/** Whether mail for this address is ours to take. `postmaster` alone is (RFC 5321 §4.5.1). */
export function isServed(address: string, domains: readonly string[]): boolean {
  if (address.toLowerCase() === 'postmaster') return true;
  const at = address.lastIndexOf('@');
  const domain = normalDomain(address.slice(at + 1));
  return at > 0 && [...domains, ALWAYS_SERVED].some((served) => normalDomain(served) === domain);
}

/**
 * The name of the local account that an address means: its domain is served, compared without case;
 * its local part, without quotes, lower-cased and without a `+tag`, is a possible account name. Whether such an
 * account exists is another question. `undefined` otherwise.
 */
export function recipientAccount(address: string, domains: readonly string[]): string | undefined {
  if (!isServed(address, domains)) return undefined;
  const at = address.lastIndexOf('@');
  const localPart = unquoted(at < 0 ? address : address.slice(0, at));
  const name = localPart.toLowerCase().replace(/\+.*$/s, '');
  return isAccountName(name) ? name : undefined;
}

/** RFC 5321 §4.1.2: a local part means the same in quotes. */
function unquoted(localPart: string): string {
  const [, quoted] = /^"((?:[^"\\]|\\.)*)"$/s.exec(localPart) ?? [];
  return quoted === undefined ? localPart : quoted.replace(/\\(.)/gs, '$1');
}

/** A U-label and its punycode are one domain, as is the one with the root's dot. */
function normalDomain(domain: string): string {
  return domainToASCII(domain.replace(/\.$/, '')) || domain.toLowerCase();
}
