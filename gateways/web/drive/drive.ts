/** The drive: what the folder holds, a hundred names a page, and the form that adds to it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ROOT_FOLDER } from '../../../domain/drive/commands.ts';
import { EMPTY_DRIVE, readDriveRow, readDriveUsage, type DriveRow } from '../../../projections/drive.ts';
import { driveFolderRow, usageCell } from '../../../projections/keys.ts';
import type { Pages } from '../../pages/pages.ts';
import { cursorOf, pageOf, rowScan, scanFor } from '../../pages/paging.ts';
import { cellOf } from '../../pages/visit.ts';
import { counted } from '../../pages/wording.ts';

const FILES_PER_PAGE = 100;

export function registerDrive(app: FastifyInstance, pages: Pages): void {
  app.get<{ Querystring: Record<string, unknown> }>('/drive', (request, reply) => {
    const added = Number(request.query['added']);
    const done = Number.isInteger(added) && added > 0 ? `${counted(added, 'file')} uploaded.` : undefined;
    return showFolder(pages, request, reply, done === undefined ? {} : { done });
  });
  app.get('/drive/root', (_request, reply) => reply.redirect('/drive', 303));
}

/** Also after a refused upload, which it tells. */
export async function showFolder(
  pages: Pages,
  request: FastifyRequest,
  reply: FastifyReply,
  view: { status?: number; alert?: string; done?: string },
): Promise<FastifyReply> {
  const query = (request.query ?? {}) as Record<string, unknown>;
  const cursor = cursorOf(query);
  const visit = await pages.visits.require(request, (owner) => [
    { get: usageCell(owner) },
    rowScan(driveFolderRow(owner, ROOT_FOLDER), scanFor(cursor, FILES_PER_PAGE)),
  ]);
  const usage = cellOf(visit.results[0], readDriveUsage) ?? EMPTY_DRIVE;
  const rows = (visit.results[1] ?? []).flatMap((cell) =>
    cell.bytes === undefined ? [] : [{ ...readDriveRow(cell.bytes), column: cell.column }],
  );
  const page = pageOf(cursor, rows, FILES_PER_PAGE, usage.files, (row) => row.column);
  const whole = {
    title: 'Files',
    section: 'drive' as const,
    ...view,
    data: { files: page.rows.map(fileView), page, path: '/drive', usage },
  };
  if (query['fragment'] === 'list') {
    return pages.showFragment(request, reply, { ...whole, template: 'web/drive/live-list.hbs' });
  }
  return pages.show(request, reply, { ...whole, template: 'web/drive/drive.hbs' });
}

const KINDS: readonly (readonly [RegExp, string])[] = [
  [/^image\//, 'Picture'],
  [/^audio\//, 'Sound'],
  [/^video\//, 'Film'],
  [/^application\/pdf/, 'PDF'],
  [/^text\/html/, 'Web page'],
  [/^text\//, 'Text'],
  [/zip|compressed|x-tar|gzip|x-7z|x-rar/, 'Archive'],
  [/spreadsheet|excel/, 'Spreadsheet'],
  [/presentation|powerpoint/, 'Slides'],
  [/msword|wordprocessing|opendocument\.text/, 'Document'],
];

function fileView(row: DriveRow) {
  return {
    url: `/drive/file/${row.fileId}`,
    name: row.name,
    size: row.size,
    at: row.addedAt,
    kind: KINDS.find(([pattern]) => pattern.test(row.mediaType))?.[1] ?? 'File',
  };
}
