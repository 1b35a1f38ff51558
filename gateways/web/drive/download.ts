/**
 * Downloading: a file's chunks, streamed in order with a little read-ahead. The process holds a few
 * chunks, whatever the file's size and however slow the reader. The answer is a download, never a page:
 * what someone uploaded is not shown from our own address.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readFileManifest, type FileManifest } from '../../../projections/drive.ts';
import { manifestCell } from '../../../projections/keys.ts';
import { byteRange, contentRange, type ByteRange } from '../../pages/byte-range.ts';
import { asDownload } from '../../pages/downloads.ts';
import type { Pages } from '../../pages/pages.ts';
import { notFound } from '../../pages/refusals.ts';
import { changed } from '../../pages/representation.ts';
import { judge, rangeIn } from '../../pages/validators.ts';
import { cellOf } from '../../pages/visit.ts';
import { fileBytes } from '../../chunks/read-chunks.ts';

type FileRoute = { Params: { file: string } };

export function registerDownload(app: FastifyInstance, pages: Pages): void {
  // Bytes as they are: a length that was promised, ranges that fit, nothing compressed twice.
  const options = { compress: false as const, exposeHeadRoute: false };
  app.get<FileRoute>('/drive/file/:file', options, (request, reply) => download(pages, request, reply));
  // Of its own: the length that is told is the file's, though nothing of it is sent.
  app.head<FileRoute>('/drive/file/:file', options, (request, reply) => download(pages, request, reply));
}

async function download(
  pages: Pages,
  request: FastifyRequest<FileRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const manifest = await findFile(pages, request);
  const validators = { etag: `"${manifest.sha256}"`, lastModified: manifest.addedAt };
  const verdict = judge(request.headers, validators);
  if (verdict === 'failed') throw changed();
  asDownload(reply, manifest.name, manifest.mediaType);
  void reply.headers({
    etag: validators.etag,
    'accept-ranges': 'bytes',
    'last-modified': new Date(manifest.addedAt).toUTCString(),
  });
  if (verdict === 'unchanged') return reply.status(304).send();

  const range = byteRange(rangeIn(request.headers, validators), manifest.size);
  if (range === 'unsatisfiable') {
    return reply.status(416).header('content-range', `bytes */${manifest.size}`).send('');
  }
  const span: ByteRange = range === 'whole' ? { offset: 0, length: manifest.size } : range;
  void reply.header('content-length', span.length);
  if (range !== 'whole') {
    void reply.status(206).header('content-range', contentRange(span, manifest.size));
  }
  if (request.method === 'HEAD') return reply.send();
  const bytes = fileBytes(pages.deps.store, manifest, span);
  return reply.send(Readable.from(bytes, { objectMode: false, highWaterMark: 1 }));
}

async function findFile(pages: Pages, request: FastifyRequest<FileRoute>): Promise<FileManifest> {
  const fileId = request.params.file;
  const known = /^[a-z2-7]{26}$/.test(fileId);
  const visit = await pages.visits.require(request, (owner) =>
    known ? [{ get: manifestCell(owner, fileId) }] : [],
  );
  const manifest = cellOf(visit.results[0], readFileManifest);
  if (manifest === undefined) throw notFound('There is no such file: it may have been deleted.');
  return manifest;
}
