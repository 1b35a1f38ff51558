/**
 * The stylesheet, the script and the icon of the pages. Each is served under a name that holds the hash
 * of its bytes, so that a browser may keep it for a year and still never shows an old one.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { projectRoot } from './project-root.ts';

const FILES = ['style.css', 'page.js', 'icon.svg'] as const;
const YEAR_MS = 365 * 24 * 3600 * 1000;

/** `{'style.css': '/assets/style.1f0c9a2b77.css', …}`. */
export type AssetUrls = Readonly<Record<(typeof FILES)[number], string>>;

export function assetUrls(folder: string = join(projectRoot(), 'gateways/pages/assets')): AssetUrls {
  const urls = FILES.map((file) => {
    const hash = createHash('sha256')
      .update(readFileSync(join(folder, file)))
      .digest('hex')
      .slice(0, 10);
    return [file, `/assets/${file.replace('.', `.${hash}.`)}`];
  });
  return Object.fromEntries(urls) as AssetUrls;
}

export async function registerAssets(app: FastifyInstance, urls: AssetUrls): Promise<void> {
  const folder = join(projectRoot(), 'gateways/pages/assets');
  await app.register(fastifyStatic, { root: folder, serve: false });
  const fileOf = new Map(Object.entries(urls).map(([file, url]) => [url.slice('/assets/'.length), file]));
  app.get<{ Params: { name: string } }>('/assets/:name', (request, reply) => {
    const file = fileOf.get(request.params.name);
    if (file === undefined) return reply.callNotFound();
    return reply.sendFile(file, { immutable: true, maxAge: YEAR_MS, etag: true });
  });
  // Browsers ask for this name unbidden.
  app.get('/favicon.ico', (_request, reply) => reply.redirect(urls['icon.svg'], 301));
}
