/**
 * What people type into the search box, read as clauses and filters:
 *
 *   words              all of them must stand somewhere; a word of three letters or more finds longer ones too
 *   "two words"        exactly these, one behind the other
 *   inv*               the beginning of a word          -word    must not stand there
 *   from: to: subject: filename:    in that field alone
 *   in:inbox  in:"My folder"  in:anywhere               is:unread is:read is:starred
 *   has:attachment     before:2026-11-23  after:2026-11-01
 *
 * Throws PageRefusal for what looks like a filter and cannot be one; anything else is words.
 */
import type { Clause, WordTerm } from '../../../../domain/mail/message/query.ts';
import { isSystemFolder, type Folder } from '../../../../domain/mail/folders.ts';
import type { WordField } from '../../../../domain/mail/message/words.ts';
import { prefixLettersMin } from '../../../../projections/word-blocks.ts';
import { folded, isUnspaced, wordsOf } from '../../../message/fold.ts';
import { badField } from '../../../pages/refusals.ts';
import type { Mailbox } from '../folders/sidebar.ts';

export const QUERY_BYTES_MAX = 1000;
const CLAUSES_MAX = 20;
/** Shorter words are looked for as they are: too many begin so. */
const LETTERS_TO_COMPLETE = 3;

export type SearchQuery = {
  readonly clauses: readonly Clause[];
  /** Undefined: everywhere but in the trash and in spam. */
  readonly in?: Folder | 'anywhere';
  readonly unread?: boolean;
  readonly starred?: true;
  readonly attachment?: true;
  /** Milliseconds since 1970. */
  readonly before?: number;
  readonly after?: number;
};

const PIECE = /(-?)(?:([a-z]+):)?(?:"([^"]*)"?|([^\s"]+))/giu;
const FIELDS: Readonly<Record<string, WordField>> = {
  from: 'from',
  to: 'to',
  cc: 'to',
  subject: 'subject',
  filename: 'names',
};

export function parseQuery(text: string, mailbox: Mailbox): SearchQuery {
  const clauses: Clause[] = [];
  let filters: Partial<SearchQuery> = {};
  for (const [, minus = '', operator = '', quoted, plain = ''] of text.matchAll(PIECE)) {
    const name = operator.toLowerCase();
    const value = quoted ?? plain;
    const filter = FILTERS[name]?.(value, mailbox);
    if (filter !== undefined) filters = { ...filters, ...filter };
    else {
      const field = FIELDS[name];
      const words = operator !== '' && field === undefined ? `${operator}:${value}` : value;
      const terms = termsOf(words, quoted !== undefined, field);
      if (terms.length === 0) continue;
      clauses.push({ terms, ...(field && { field }), ...(minus !== '' && { not: true as const }) });
    }
  }
  if (clauses.length > CLAUSES_MAX) {
    throw badField(`Search takes at most ${CLAUSES_MAX} words at once; these are ${clauses.length}.`);
  }
  return { clauses, ...filters };
}

/** Plain words, quotes and minus, for one field (undefined: any): what a rule looks for. An address is meant whole. */
export function fieldClauses(text: string, field: WordField | undefined): Clause[] {
  return [...text.matchAll(/(-?)(?:"([^"]*)"?|([^\s"]+))/gu)].flatMap(([, minus, quoted, plain = '']) => {
    const isWhole = quoted !== undefined || /^[^\s@]+@[^\s@*]+$/.test(plain);
    const terms = termsOf(quoted ?? plain, isWhole, field);
    if (terms.length === 0) return [];
    return [{ terms, ...(field && { field }), ...(minus !== '' && { not: true as const }) }];
  });
}

/** Whether there is anything to look for. */
export function isEmpty(query: SearchQuery): boolean {
  return query.clauses.length === 0 && Object.keys(query).length === 1;
}

const FILTERS: Readonly<Record<string, (value: string, mailbox: Mailbox) => Partial<SearchQuery>>> = {
  in: (value, mailbox) => ({ in: folderNamed(value, mailbox) }),
  is(value) {
    if (value === 'unread' || value === 'read') return { unread: value === 'unread' };
    if (value === 'starred') return { starred: true };
    throw badField(`“is:${value}” is none of is:unread, is:read and is:starred.`);
  },
  has(value) {
    if (value === 'attachment' || value === 'attachments') return { attachment: true };
    throw badField(`“has:${value}” is not has:attachment.`);
  },
  before: (value) => ({ before: dayOf('before', value) }),
  after: (value) => ({ after: dayOf('after', value) }),
};

function folderNamed(value: string, mailbox: Mailbox): Folder {
  const name = folded(value);
  if (name === 'anywhere' || isSystemFolder(name)) return name;
  const own = mailbox.own.find((folder) => folded(folder.name) === name || folded(folder.path) === name);
  if (own === undefined) throw badField(`There is no folder “${value.slice(0, 64)}” to search in.`);
  return own.id;
}

function dayOf(operator: string, value: string): number {
  const [, year, month, day] = /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})$/.exec(value) ?? [];
  const at = Date.UTC(Number(year), Number(month) - 1, Number(day));
  const isDay = !Number.isNaN(at) && new Date(at).getUTCMonth() === Number(month) - 1;
  if (!isDay)
    throw badField(`“${operator}:${value.slice(0, 40)}” needs a day, as in ${operator}:2026-11-23.`);
  return at;
}

function termsOf(text: string, quoted: boolean, field: WordField | undefined): WordTerm[] {
  const isAddress = (field === 'from' || field === 'to') && /^[^\s@]+@[^\s@]+$/.test(text);
  if (isAddress) return [{ text: folded(text).replace(/\*$/, ''), prefix: !quoted }];
  const words = wordsOf(text, 50);
  const wantsPrefix = !quoted && text.endsWith('*');
  return words.flatMap((word, i) => {
    const isLast = i === words.length - 1;
    // The last character of such a run stands alone in the index; between others it is in a pair.
    if (isUnspaced(word))
      return isLast && words.length > 1 && [...word].length === 1 ? [] : [{ text: word, prefix: true }];
    const isLong = [...word].length >= (wantsPrefix ? prefixLettersMin(word) : LETTERS_TO_COMPLETE);
    return [{ text: word, prefix: isLast && !quoted && isLong }];
  });
}
