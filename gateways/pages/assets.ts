/**
 * The stylesheet, the script and the icon of the pages. Each is served under a name that holds the hash
 * of its bytes, so that a browser may keep it for a year and still never shows an old one. The stylesheet is
 * written in a file for each part of the pages, and served as one.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { projectRoot } from './project-root.ts';

const FILES = ['style.css', 'page.js', 'icon.svg'] as const;
const YEAR_MS = 365 * 24 * 3600 * 1000;
/** In `assets/style`, in the order of the cascade: what stands later overrides. */
const STYLES = [
  'tokens-and-text',
  'controls',
  'notices',
  'bar',
  'pages',
  'mail',
  'message',
  'reading',
  'compose',
  'drive',
  'console',
  'keys',
  'narrow',
  'print',
] as const;

/** `{'style.css': '/assets/style.1f0c9a2b77.css', …}`. */
export type AssetUrls = Readonly<Record<(typeof FILES)[number], string>>;

export function assetUrls(): AssetUrls {
  const urls = FILES.map((file) => {
    const hash = createHash('sha256').update(bytesOf(file)).digest('hex').slice(0, 10);
    return [file, `/assets/${file.replace('.', `.${hash}.`)}`];
  });
  return Object.fromEntries(urls) as AssetUrls;
}

function bytesOf(file: (typeof FILES)[number]): Buffer {
  if (file !== 'style.css') return readFileSync(join(folder(), file));
  return Buffer.from(STYLES.map((part) => readFileSync(join(folder(), 'style', `${part}.css`))).join('\n'));
}

const folder = (): string => join(projectRoot(), 'gateways/pages/assets');

export async function registerAssets(app: FastifyInstance, urls: AssetUrls): Promise<void> {
  await app.register(fastifyStatic, { root: folder(), serve: false });
  const style = bytesOf('style.css');
  const fileOf = new Map(Object.entries(urls).map(([file, url]) => [url.slice('/assets/'.length), file]));
  app.get<{ Params: { name: string } }>('/assets/:name', (request, reply) => {
    const file = fileOf.get(request.params.name);
    if (file === undefined) return reply.callNotFound();
    if (file === 'style.css') return sendStyle(request, reply, style, `"${request.params.name}"`);
    return reply.sendFile(file, { immutable: true, maxAge: YEAR_MS, etag: true });
  });
  // Browsers ask for this name unbidden.
  app.get('/favicon.ico', (_request, reply) => reply.redirect(urls['icon.svg'], 301));
}

/** There is no file that could be sent. */
function sendStyle(request: FastifyRequest, reply: FastifyReply, style: Buffer, etag: string): FastifyReply {
  reply.headers({ etag, 'cache-control': `public, max-age=${YEAR_MS / 1000}, immutable` });
  if (request.headers['if-none-match'] === etag) return reply.code(304).send();
  return reply.type('text/css; charset=utf-8').send(style);
}
