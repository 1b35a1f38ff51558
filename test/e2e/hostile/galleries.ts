/**
 * The same hostile HTML with some or all walls taken away, many on one page: as it came, after the sanitiser alone,
 * and in the sandboxed frame alone. So each wall is tested apart from the others, and the watching is tested too.
 *
 * A frame's name is its row's number, and so is the name of the host that it must not ask: `r17.evil.example`.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { framePolicy, sanitiseMail } from '../../../gateways/web/mail/reading/html/html-mail.ts';

export type Walls = 'none' | 'sanitiser' | 'frame';

export type Galleries = {
  url(walls: Walls, rows: readonly number[]): string;
  close(): Promise<void>;
};

export async function openGalleries(htmlOf: (row: number) => string): Promise<Galleries> {
  const server = createServer((request, response) => {
    const [, kind, walls, rows = ''] = (request.url ?? '').split('/') as [string, string, Walls, string];
    response.setHeader('content-type', 'text/html; charset=utf-8');
    if (kind === 'gallery') return response.end(galleryOf(walls, rows.split(',')));
    const html = htmlOf(Number(rows)).replaceAll('evil.example', `r${rows}.evil.example`);
    if (walls === 'frame') response.setHeader('content-security-policy', framePolicy(false));
    const none = { inlineImages: new Map<string, string>(), remoteImages: false };
    return response.end(walls === 'sanitiser' ? sanitiseMail(html, none) : html);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: (walls, rows) => `http://127.0.0.1:${port}/gallery/${walls}/${rows.join(',')}`,
    close: () => closed(server),
  };
}

function galleryOf(walls: Walls, rows: readonly string[]): string {
  const sandbox = walls === 'frame' ? ' sandbox="allow-popups allow-popups-to-escape-sandbox"' : '';
  const frames = rows.map((row) => `<iframe name="${row}" src="/one/${walls}/${row}"${sandbox}></iframe>`);
  return `<!doctype html>${frames.join('\n')}`;
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
