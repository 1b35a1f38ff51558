/**
 * What of an attachment a browser may show from our address. What a file is, its first bytes say, never its
 * sender alone: a picture must begin as one does. Text is the exception, since it begins as anything does; it
 * leaves as text/plain in UTF-8, which no browser takes for something else under `nosniff`.
 *
 * Left out: SVG and HTML (they act), sound and video, office documents: these are downloads.
 */
import { fileTypeFromBuffer } from 'file-type';
import { lookup } from 'mime-types';
import { decodeUnlabelled } from './encoded-words.ts';
import { manyLines } from './readable-text.ts';

export type PreviewKind = 'image' | 'pdf' | 'text';

/** What to send in place of the attachment itself; its media type is ours. */
export type Preview = { readonly kind: PreviewKind; readonly mediaType: string; readonly content: Buffer };

/** As the sender wrote it, made safe. */
type Declared = { readonly type: string; readonly name: string };

const IMAGES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);
const TEXTS =
  /^(?:text\/(?:plain|csv|markdown|x-[\w.+-]+|tab-separated-values)|application\/(?:json|x-yaml|toml))$/;
const TEXT_CHARS_MAX = 1024 * 1024;

/** What its sender calls it promises; the bytes have to keep it. */
export function promisedPreview({ type, name }: Declared): PreviewKind | undefined {
  // Many senders know no better than "bytes", but the name's ending.
  const known = type === 'application/octet-stream' ? lookup(name) || type : type;
  if (IMAGES.has(known) || known === 'image/jpg' || known === 'image/pjpeg') return 'image';
  if (known === 'application/pdf') return 'pdf';
  return TEXTS.test(known) ? 'text' : undefined;
}

/** undefined: it can only be downloaded. */
export async function previewOf(content: Buffer, declared: Declared): Promise<Preview | undefined> {
  const promised = promisedPreview(declared);
  if (promised === undefined) return undefined;
  if (promised === 'text') {
    const text = manyLines(decodeUnlabelled(content), TEXT_CHARS_MAX);
    return { kind: 'text', mediaType: 'text/plain; charset=utf-8', content: Buffer.from(text) };
  }
  const found = await fileTypeFromBuffer(content.subarray(0, 4_100));
  if (found === undefined) return undefined;
  if (promised === 'image' && IMAGES.has(found.mime))
    return { kind: 'image', mediaType: found.mime, content };
  if (promised === 'pdf' && found.mime === 'application/pdf')
    return { kind: 'pdf', mediaType: found.mime, content };
  return undefined;
}
