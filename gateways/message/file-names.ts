/**
 * Names and media types of attachments, as strangers wrote them, turned into ones that are safe to
 * show, to store and to save under: no folders, no controls, never empty, never `.` or `..`.
 */
import { extension } from 'mime-types';
import { oneLine } from './readable-text.ts';

export const FILE_NAME_CHARS_MAX = 200;
/** What drives and file systems take: 255 octets. */
const FILE_NAME_OCTETS_MAX = 255;

const UNKNOWN_TYPE = 'application/octet-stream';

/** RFC 6838 §4.2: restricted names of at most 127 characters. */
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/;

/** `type` may be anything: a parser that found none may say so in its own way. */
export function safeMediaType(type: unknown): string {
  const lower = typeof type === 'string' ? type.toLowerCase() : '';
  return MEDIA_TYPE.test(lower) ? lower : UNKNOWN_TYPE;
}

/** The last path segment of the name given, or `attachment-<n>` with an extension that fits the type. */
export function safeFileName(name: string | undefined, index: number, type: string): string {
  const lastSegment =
    (name ?? '')
      .slice(-4 * FILE_NAME_CHARS_MAX)
      .split(/[/\\]/)
      .at(-1) ?? '';
  const readable = oneLine(lastSegment, 4 * FILE_NAME_CHARS_MAX);
  if (/^[.\s]*$/.test(readable)) {
    const ending = extension(type);
    return `attachment-${index + 1}${ending ? `.${ending}` : ''}`;
  }
  return shorten(readable);
}

/** Cuts the middle out of a long name, so that its extension stays. */
function shorten(name: string): string {
  if (fits(name)) return name;
  const dot = name.lastIndexOf('.');
  const ending = dot > 0 && name.length - dot <= 16 ? [...name.slice(dot)] : [];
  const stem = [...(ending.length > 0 ? name.slice(0, dot) : name)];
  while (stem.length > 1 && !fits([...stem, '…', ...ending].join(''))) stem.pop();
  return [...stem, '…', ...ending].join('');
}

function fits(name: string): boolean {
  return name.length <= FILE_NAME_CHARS_MAX && Buffer.byteLength(name) <= FILE_NAME_OCTETS_MAX;
}
