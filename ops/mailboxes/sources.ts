/**
 * Where imported messages come from: an mbox file, a Maildir with its subfolders (Maildir++), or single .eml files.
 * Each yields messages one by one, in bounded memory; what cannot be taken is yielded with the reason, and the rest
 * goes on.
 */
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readMailDate } from '../../gateways/message/mail-date.ts';
import { marksOf, type Marks } from './marks.ts';
import { readMbox } from './mbox.ts';

export type Found = {
  /** What it is called in a report. */
  readonly name: string;
} & ({ readonly message: Buffer; readonly marks: Marks } | { readonly refused: string });

/** `done` and `total`: bytes read, for progress. */
export type Progress = { done: number; total: number };

export async function* fromMbox(
  path: string,
  messageBytesMax: number,
  progress: Progress,
): AsyncGenerator<Found> {
  progress.total = (await stat(path)).size;
  const input = createReadStream(path, { highWaterMark: 256 * 1024 });
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      progress.done += chunk.length;
      yield chunk;
    }
  }
  let number = 0;
  for await (const { opening, bytes } of readMbox(counted(), messageBytesMax)) {
    const name = `message ${++number}`;
    if (bytes === undefined) yield { name, refused: tooLarge(messageBytesMax) };
    else {
      const { message, marks } = marksOf(bytes);
      yield { name, message, marks: { ...marks, dated: marks.dated ?? openedAt(opening) } };
    }
  }
}

/** A Maildir: `cur` and `new`; folders in it that begin with a dot are its subfolders, `.Work.Clients` say. */
export async function* fromMaildir(
  path: string,
  messageBytesMax: number,
  progress: Progress,
): AsyncGenerator<Found> {
  const boxes = (await readdir(path, { withFileTypes: true }))
    .filter((one) => one.isDirectory() && /^\.[^.]/.test(one.name))
    .map(({ name }) => ({ folder: name.slice(1).split('.').map(fromModifiedUtf7), at: join(path, name) }));
  const files: { at: string; name: string; folder: readonly string[] | undefined; isNew: boolean }[] = [];
  for (const { folder, at } of [{ folder: undefined, at: path }, ...boxes]) {
    for (const part of ['new', 'cur']) {
      for (const name of (await readdir(join(at, part)).catch(() => [])).sort()) {
        if (!name.startsWith('.'))
          files.push({ at: join(at, part, name), name, folder, isNew: part === 'new' });
      }
    }
  }
  progress.total = files.length;
  for (const { at, name, folder, isNew } of files) {
    const flags = /[:;!]2,([A-Za-z]*)$/.exec(name)?.[1] ?? '';
    const found = await readOne(at, name, messageBytesMax);
    progress.done++;
    if ('refused' in found) yield found;
    else {
      const marks = {
        ...found.marks,
        read: !isNew && flags.includes('S'),
        starred: flags.includes('F'),
        folder: placeOf(flags) ?? folder ?? found.marks.folder,
      };
      yield { ...found, marks };
    }
  }
}

/** Single messages: files, or folders with files called *.eml. */
export async function* fromEml(
  paths: readonly string[],
  messageBytesMax: number,
  progress: Progress,
): AsyncGenerator<Found> {
  const files: string[] = [];
  for (const path of paths) {
    if (!(await stat(path)).isDirectory()) files.push(path);
    else {
      const names = (await readdir(path, { recursive: true })).filter((name) => /\.eml$/i.test(name));
      files.push(...names.sort().map((name) => join(path, name)));
    }
  }
  progress.total = files.length;
  for (const file of files) {
    const found = await readOne(file, file, messageBytesMax);
    progress.done++;
    yield found;
  }
}

async function readOne(path: string, name: string, messageBytesMax: number): Promise<Found> {
  const { size, mtimeMs } = await stat(path);
  if (size > messageBytesMax) return { name, refused: tooLarge(messageBytesMax) };
  const { message, marks } = marksOf(withCrlf(await readFile(path)));
  return { name, message, marks: { ...marks, dated: marks.dated ?? Math.floor(mtimeMs) } };
}

function tooLarge(bytesMax: number): string {
  return `longer than ${bytesMax} bytes (PENNCLOUD_MESSAGE_BYTES_MAX)`;
}

/** Files keep lines as their system does. */
function withCrlf(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  return /(?<!\r)\n/.test(text) ? Buffer.from(text.replace(/\r?\n/g, '\r\n'), 'latin1') : bytes;
}

function openedAt(opening: string): number | undefined {
  return readMailDate(opening.replace(/^From \S+ +/, '')) ?? undefined;
}

/** RFC 3501 §5.1.3: how IMAP servers name folders on disk. */
function fromModifiedUtf7(name: string): string {
  return name.replace(/&([A-Za-z0-9+,]*)-/g, (_all, code: string) => {
    if (code === '') return '&';
    const bytes = Buffer.from(code.replace(/,/g, '/'), 'base64');
    return bytes
      .subarray(0, bytes.length - (bytes.length % 2))
      .swap16()
      .toString('utf16le');
  });
}

/** Where the flags of a Maildir say that it lies (trashed, a draft), whichever folder it was found in. */
function placeOf(flags: string): readonly string[] | undefined {
  if (flags.includes('T')) return ['trash'];
  return flags.includes('D') ? ['drafts'] : undefined;
}
