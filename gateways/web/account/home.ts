/** The first page: the log-in form for a visitor, the menu for an account. */
import type { FastifyInstance } from 'fastify';
import { EMPTY_DRIVE, readDriveUsage } from '../../../projections/drive.ts';
import { EMPTY_FOLDER, readFolderCounts } from '../../../projections/mailbox-cells.ts';
import { folderCountsCell, usageCell } from '../../../projections/keys.ts';
import type { Pages } from '../../pages/pages.ts';
import { cellOf } from '../../pages/visit.ts';
import type { LogIn } from './log-in.ts';

export function registerHome(app: FastifyInstance, pages: Pages, logIn: LogIn): void {
  app.get<{ Querystring: Record<string, unknown> }>('/', async (request, reply) => {
    const visit = await pages.visits.find(request, (owner) => [
      { get: folderCountsCell(owner, 'inbox') },
      { get: usageCell(owner) },
    ]);
    if (visit === undefined) return logIn.show(request, reply, greeting(request.query));
    return pages.show(request, reply, {
      title: 'Welcome',
      template: 'web/account/home.hbs',
      done: request.query['new'] === '1' ? 'Your account is ready.' : undefined,
      data: {
        inbox: cellOf(visit.results[0], readFolderCounts) ?? EMPTY_FOLDER,
        usage: cellOf(visit.results[1], readDriveUsage) ?? EMPTY_DRIVE,
        address: `${visit.account.name}@${pages.deps.domains[0]}`,
      },
    });
  });
}

function greeting(query: Record<string, unknown>): { done?: string; alert?: string; status?: number } {
  if (query['left'] === '1') return { done: 'You are logged out.' };
  if (query['deleted'] === '1') return { done: 'Your account is deleted.' };
  if (query['reset'] === '1') return { done: 'Your new password is set: log in with it.' };
  if (query['again'] === '1')
    return { alert: 'That took too long, or your password was changed: please log in again.', status: 401 };
  if (query['ended'] === '1') return { alert: 'Please log in first: nothing was changed.', status: 401 };
  if (typeof query['next'] === 'string') return { alert: 'Please log in to see that page.' };
  return {};
}
