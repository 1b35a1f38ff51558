/**
 * The stylesheet, the scripts (one for every page, one for writing) and the icon of the pages. Each is served under a name that holds the hash
 * of its bytes, so that a browser may keep it for a year and still never shows an old one. Stylesheet
 * and script are written in a file for each part of the pages, and served as one. All of it is compressed
 * once, at the start, as small as it gets.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { chooseCoding, encode, type Coding } from './content-coding.ts';
import { projectRoot } from './project-root.ts';
import { AS_SENT, changed } from './representation.ts';
import { etagIn, etagOfShort, judge } from './validators.ts';

const FILES = ['style.css', 'page.js', 'compose.js', 'icon.svg'] as const;
const TYPES = {
  'style.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'compose.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;
const YEAR_S = 365 * 24 * 3600;
const CODINGS = ['br', 'gzip', 'identity'] as const;
const BEST_QUALITY = 11;
/** In `assets/style`, in the order of the cascade: what stands later overrides. */
const STYLES = [
  'tokens-and-text',
  'controls',
  'notices',
  'bar',
  'pages',
  'mail',
  'own-folders',
  'message',
  'reading',
  'compose',
  'drive',
  'contacts',
  'account',
  'rules',
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

/** One after the other. */
const SCRIPTS = {
  'page.js': ['list', 'live', 'in-place', 'drag', 'page', 'way-back'],
  'compose.js': ['compose', 'addresses'],
} as const;

function bytesOf(file: (typeof FILES)[number]): Buffer {
  if (file === 'icon.svg') return readFileSync(join(folder(), file));
  const parts =
    file === 'style.css'
      ? STYLES.map((part) => `style/${part}.css`)
      : SCRIPTS[file].map((part) => `${part}.js`);
  return Buffer.from(parts.map((part) => readFileSync(join(folder(), part))).join('\n'));
}

const folder = (): string => join(projectRoot(), 'gateways/pages/assets');

type Asset = {
  readonly type: string;
  readonly etag: string;
  readonly bytes: Readonly<Record<Coding, Buffer>>;
};

export async function registerAssets(app: FastifyInstance, urls: AssetUrls): Promise<void> {
  const loaded = await Promise.all(FILES.map(async (file) => [urls[file], await load(file)] as const));
  const assets = new Map<string, Asset>(loaded);
  app.get('/assets/:name', AS_SENT, (request, reply) => {
    const asset = assets.get(request.url.split('?')[0]!);
    if (asset === undefined) return reply.callNotFound();
    const coding = chooseCoding(request.headers['accept-encoding']);
    const etag = etagIn(coding, asset.etag);
    const verdict = judge(request.headers, { etag });
    if (verdict === 'failed') throw changed();
    void reply.headers({
      etag,
      vary: 'accept-encoding',
      'cache-control': `public, max-age=${YEAR_S}, immutable`,
    });
    if (verdict === 'unchanged') return reply.status(304).send();
    if (coding !== 'identity') void reply.header('content-encoding', coding);
    return reply.type(asset.type).send(asset.bytes[coding]);
  });
  // Browsers ask for this name unbidden.
  app.get('/favicon.ico', (_request, reply) => reply.redirect(urls['icon.svg'], 301));
}

async function load(file: (typeof FILES)[number]): Promise<Asset> {
  const plain = bytesOf(file);
  const coded = CODINGS.map(async (coding) => [
    coding,
    Buffer.from(await encode(plain, coding, BEST_QUALITY)),
  ]);
  return {
    type: TYPES[file],
    etag: etagOfShort(plain),
    bytes: Object.fromEntries(await Promise.all(coded)) as Asset['bytes'],
  };
}
