/**
 * What a mailbox file says of a message besides its bytes: where it lay, and how it was marked. Our own exports say it
 * in fields in front of the message, which are taken off again, so that a message comes back byte for byte; those of
 * other programs in fields of theirs, which stay.
 */
import { readHeaderBlock } from '../../gateways/message/header-block.ts';
import { readMailDate } from '../../gateways/message/mail-date.ts';

export type Marks = {
  readonly read: boolean;
  readonly starred: boolean;
  /** The names of a folder and of those around it, outermost first; undefined: the file does not say. */
  readonly folder: readonly string[] | undefined;
  /** Ms since 1970. */
  readonly dated: number | undefined;
  /** The id that it had in the account that it was exported from. */
  readonly id: string | undefined;
  /** Of a draft: JSON of what was typed in the fields of its form. */
  readonly typed?: string | undefined;
};

const OWN_FIELD = /^(?:X-PennCloud-(Id|Folder|Date|Draft)|Status|X-Status): ([^\r\n]*)\r\n/;
/** Longer ones are not written: the fields of the message say nearly the same. */
const TYPED_CHARS_MAX = 6000;

/** Fields in front of an exported message. */
export function exportedFields(
  marks: Marks & { readonly folder: readonly string[]; readonly dated: number },
): string {
  const { read, starred, folder, dated, id } = marks;
  const typed = encodeURIComponent(marks.typed ?? '');
  return [
    `X-PennCloud-Id: ${id ?? ''}`,
    `X-PennCloud-Folder: ${folder.map(encodeURIComponent).join('/')}`,
    `X-PennCloud-Date: ${new Date(dated).toISOString()}`,
    // What mutt, Thunderbird and others look at.
    `Status: ${read ? 'RO' : 'O'}`,
    ...(starred ? ['X-Status: F'] : []),
    ...(typed !== '' && typed.length <= TYPED_CHARS_MAX ? [`X-PennCloud-Draft: ${typed}`] : []),
    '',
  ].join('\r\n');
}

/** The message without what our own export has put in front of it, and what is known of it. */
export function marksOf(bytes: Buffer): { readonly message: Buffer; readonly marks: Marks } {
  return bytes.toString('latin1', 0, 16) === 'X-PennCloud-Id: ' ? ownMarks(bytes) : othersMarks(bytes);
}

function ownMarks(bytes: Buffer): { message: Buffer; marks: Marks } {
  const said: Record<string, string> = {};
  let rest = bytes;
  for (let i = 0; i < 6; i++) {
    const field = OWN_FIELD.exec(rest.toString('latin1', 0, 8192));
    const name = field?.[1] ?? (field?.[0].startsWith('X-Status') ? 'marked' : 'status');
    if (field === null || said[name] !== undefined) break;
    said[name] = field[2]!;
    rest = rest.subarray(field[0].length);
  }
  const dated = Date.parse(said['Date'] ?? '');
  return {
    message: rest,
    marks: {
      read: said['status']?.includes('R') === true,
      starred: said['marked']?.includes('F') === true,
      folder: said['Folder'] === undefined || said['Folder'] === '' ? undefined : decodedPath(said['Folder']),
      dated: Number.isFinite(dated) ? dated : undefined,
      id: /^[a-z2-7]{26}(?:-in)?$/.test(said['Id'] ?? '') ? said['Id'] : undefined,
      ...(said['Draft'] !== undefined && { typed: decoded(said['Draft']) }),
    },
  };
}

function othersMarks(message: Buffer): { message: Buffer; marks: Marks } {
  const header = readHeaderBlock(message);
  const labels = labelsOf(header.first('x-gmail-labels'));
  const status = `${header.first('status') ?? ''}${header.first('x-status') ?? ''}`;
  const hasStatus = header.first('status') !== undefined;
  const received = header.first('received');
  return {
    message,
    marks: {
      read: labels === undefined ? !hasStatus || status.includes('R') : !labels.includes('unread'),
      starred: labels?.includes('starred') === true || status.includes('F'),
      folder: labels && placeOf(labels, header.first('x-gmail-labels') ?? ''),
      // When it came in is told by its newest trace field, behind the last semicolon (RFC 5321 §4.4).
      dated:
        readMailDate(received?.slice(received.lastIndexOf(';') + 1).trim()) ??
        readMailDate(header.first('date')) ??
        undefined,
      id: undefined,
    },
  };
}

/** Google's export names folders and marks in one field, with commas between them. */
function labelsOf(field: string | undefined): readonly string[] | undefined {
  return field?.split(',').map((label) => label.trim().toLowerCase());
}

const PLACES = ['spam', 'trash', 'drafts', 'sent', 'inbox'];
const NO_PLACES = ['unread', 'opened', 'starred', 'important', 'archived', 'chat', ''];

function placeOf(labels: readonly string[], written: string): readonly string[] {
  const place = PLACES.find((one) => labels.includes(one));
  if (place !== undefined) return [place];
  const own = written
    .split(',')
    .map((label) => label.trim())
    .find((label) => !NO_PLACES.includes(label.toLowerCase()) && !/^category /i.test(label));
  return own === undefined ? ['archive'] : own.split('/');
}

function decodedPath(path: string): readonly string[] | undefined {
  const names = path.split('/').map(decoded);
  return names.includes(undefined) ? undefined : (names as string[]);
}

/** Undefined for what `encodeURIComponent` cannot have written. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
