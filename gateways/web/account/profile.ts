/**
 * Name and signature. The form carries the version it was made on, and the command the words as they were:
 * of two tabs the second is told, and what it typed is kept.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DISPLAY_NAME_BYTES_MAX, SIGNATURE_BYTES_MAX } from '../../../domain/account/wording.ts';
import { field, typed } from '../../pages/form.ts';
import type { Pages } from '../../pages/pages.ts';
import { badField } from '../../pages/refusals.ts';
import type { Visit } from '../../pages/visit.ts';
import { doneWords, ownAddress, refusalOf, sendOwn, showAccountPage } from './account-page.ts';
import { isRejected } from './log-in.ts';

const DONE = { saved: 'Your profile is saved.' };

export function registerProfile(app: FastifyInstance, pages: Pages): void {
  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    view: { status?: number; alert?: string; data?: Record<string, string> } = {},
  ): Promise<FastifyReply> => {
    const visit = await pages.visits.require(request);
    return showAccountPage(pages, request, reply, {
      title: 'Profile',
      name: 'profile',
      done: view.alert === undefined ? doneWords(request, DONE) : undefined,
      ...view,
      data: {
        ...wordsOf(visit),
        ...view.data,
        version: visit.profile.version ?? 0,
        address: ownAddress(pages, visit),
      },
    });
  };

  app.get('/account/profile', (request, reply) => show(request, reply));

  app.post('/account/profile', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    try {
      const displayName = field(fields, 'displayName', {
        label: 'Your name',
        bytesMax: DISPLAY_NAME_BYTES_MAX,
      }).trim();
      const signature = signatureIn(fields);
      const version = versionIn(fields);
      const before = wordsOf(visit);
      await sendOwn(pages, visit, {
        id: commandId,
        type: 'account.ChangeProfile',
        data: { version },
        parts: [displayName, signature, before.displayName, before.signature].map((text) =>
          Buffer.from(text),
        ),
        action: 'Change profile',
      });
    } catch (error) {
      const refusal = isRejected(error, 'Stale')
        ? {
            status: 409,
            alert:
              'Your profile was changed elsewhere meanwhile. What you typed is below: save it again if it is what you want.',
          }
        : refusalOf(error);
      if (refusal === undefined) throw error;
      return show(request, reply, { ...refusal, data: typed(fields, ['displayName', 'signature']) });
    }
    return reply.redirect('/account/profile?done=saved', 303);
  });
}

/** As the form shows them: a name that was never given is empty. */
function wordsOf({ profile }: Visit): { displayName: string; signature: string } {
  const { name, displayName, signature = '' } = profile;
  return { displayName: displayName === name ? '' : displayName, signature };
}

/** The field `signature`, its lines parted by LF. Throws PageRefusal 400. */
export function signatureIn(fields: Readonly<Record<string, unknown>>): string {
  const text = field(fields, 'signature', {
    label: 'Signature',
    bytesMax: SIGNATURE_BYTES_MAX * 2,
    multiline: true,
  });
  const lines = text.replace(/\r\n?/g, '\n').replaceAll('\t', ' ').trimEnd();
  const bytes = Buffer.byteLength(lines);
  if (bytes > SIGNATURE_BYTES_MAX) {
    throw badField(`Signature is too long: at most ${SIGNATURE_BYTES_MAX} bytes, this has ${bytes}.`);
  }
  return lines;
}

/** The version that the form was made on. Throws PageRefusal 400. */
export function versionIn(fields: Readonly<Record<string, unknown>>): number {
  const version = fields['version'];
  if (typeof version !== 'string' || !/^\d{1,9}$/.test(version)) {
    throw badField('The field version is missing: open the page again and send the form once more.');
  }
  return Number(version);
}
