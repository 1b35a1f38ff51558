/**
 * App passwords: for mail clients, which cannot show the code of a two-step log-in. One is made of 130 random bits and
 * stands in the answer to the form that made it, and nowhere again; the store keeps its hash.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { APP_NAME_BYTES_MAX, APP_PASSWORDS_MAX } from '../../../domain/account/app-passwords.ts';
import { readAccountCredentials } from '../../../projections/account.ts';
import { readAppPassword } from '../../../projections/app-passwords.ts';
import { appPasswordsRow, credentialsCell } from '../../../projections/keys.ts';
import { base32, idFrom } from '../../pages/command-ids.ts';
import { field, typed } from '../../pages/form.ts';
import type { Pages } from '../../pages/pages.ts';
import { rowScan } from '../../pages/paging.ts';
import { cellOf } from '../../pages/visit.ts';
import { doneWords, ownAddress, refusalOf, sendOwn, showAccountPage } from './account-page.ts';
import type { Confirmation } from './confirmation.ts';
import { isRejected } from './log-in.ts';

const DONE = { removed: 'The app password is removed: who used it cannot send any more.' };
type View = { status?: number; alert?: string; done?: string; data?: Record<string, string> };

export function registerAppPasswords(app: FastifyInstance, pages: Pages, confirmation: Confirmation): void {
  const read = async (request: FastifyRequest) => {
    const visit = await pages.visits.require(request, (owner) => [
      { get: credentialsCell(owner) },
      rowScan(appPasswordsRow(owner), { reverse: false, limit: 2 * APP_PASSWORDS_MAX }),
    ]);
    const version = cellOf(visit.results[0], readAccountCredentials)?.passwordVersion;
    const passwords = (visit.results[1] ?? [])
      .flatMap(({ bytes }) => (bytes === undefined ? [] : [readAppPassword(bytes)]))
      .filter(({ passwordVersion }) => passwordVersion === version)
      .sort((a, b) => b.at - a.at);
    return { visit, passwords };
  };

  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    view: View = {},
  ): Promise<FastifyReply> => {
    const { visit, passwords } = await read(request);
    const { data, ...rest } = view;
    return showAccountPage(pages, request, reply, {
      title: 'App passwords',
      name: 'app-passwords',
      done: doneWords(request, DONE),
      ...rest,
      data: {
        passwords: passwords.map(({ id, name, at }) => ({ id, name: name || 'Without a name', at })),
        full: passwords.length >= APP_PASSWORDS_MAX,
        username: ownAddress(pages, visit),
        ...data,
      },
    });
  };

  app.get('/account/app-passwords', (request, reply) => show(request, reply));

  app.post('/account/app-passwords', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    const secret = newSecret();
    const hash = createHash('sha256').update(secret.replaceAll('-', '')).digest('hex');
    const appPasswordId = idFrom(visit.account.name, commandId, 'app-password');
    try {
      const name = field(fields, 'name', {
        label: 'Name',
        bytesMax: APP_NAME_BYTES_MAX,
        required: true,
      }).trim();
      const passwordVersion = await confirmation.passwordVersion(visit, fields);
      await sendOwn(pages, visit, {
        id: commandId,
        type: 'account.AddAppPassword',
        data: { appPasswordId, hash, passwordVersion },
        parts: [Buffer.from(name)],
        action: 'Make an app password',
      });
    } catch (error) {
      const refusal = isRejected(error, 'TooMany', 'WrongPassword')
        ? { status: 409, alert: (error as Error).message }
        : refusalOf(error);
      if (refusal === undefined) throw error;
      return show(request, reply, { ...refusal, data: typed(fields, ['name']) });
    }
    const made = (await read(request)).passwords.find(({ id }) => id === appPasswordId);
    if (made?.hash !== hash) {
      const alert = 'This form was sent before, and its app password was shown then: make another one.';
      return show(request, reply, { status: 409, alert });
    }
    return show(request, reply, { done: 'The app password is ready.', data: { secret } });
  });

  app.post<{ Params: { id: string } }>('/account/app-passwords/:id/remove', async (request, reply) => {
    const { commandId } = pages.form(request);
    const { visit, passwords } = await read(request);
    const { id } = request.params;
    if (passwords.some((one) => one.id === id)) {
      await sendOwn(pages, visit, {
        id: commandId,
        type: 'account.RemoveAppPassword',
        data: { appPasswordId: id },
        action: 'Remove an app password',
      });
    }
    return reply.redirect('/account/app-passwords?done=removed', 303);
  });
}

/** 26 characters of base32: 130 bits; dashes for the eye. */
function newSecret(): string {
  return base32(randomBytes(17))
    .slice(0, 26)
    .replace(/(.{6})(?=.)/g, '$1-');
}
