/**
 * Identities: further names and addresses to send as. An address is the account's own at one of the domains
 * served here, with or without a tag. Each form carries the version it was made on, and each command the
 * words as they were.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { IDENTITIES_MAX } from '../../../domain/account/identities.ts';
import { DISPLAY_NAME_BYTES_MAX } from '../../../domain/account/wording.ts';
import type { Identity } from '../../../projections/identities.ts';
import { idFrom } from '../../pages/command-ids.ts';
import { field, typed, type Fields } from '../../pages/form.ts';
import type { Pages } from '../../pages/pages.ts';
import { badField, notFound } from '../../pages/refusals.ts';
import { identitiesIn, identitiesQuery, sendersOf } from '../../pages/senders.ts';
import type { Visit } from '../../pages/visit.ts';
import { doneWords, ownAddress, refusalOf, sendOwn, showAccountPage } from './account-page.ts';
import { isRejected } from './log-in.ts';
import { signatureIn, versionIn } from './profile.ts';

const DONE = {
  added: 'The identity is added.',
  saved: 'The identity is saved.',
  removed: 'The identity is removed.',
};
const TYPED = ['tag', 'domain', 'displayName', 'signature'] as const;

type Words = Pick<Identity, 'address' | 'displayName' | 'signature'>;
type View = { status?: number; alert?: string; data?: Record<string, string> };
type OneRoute = { Params: { id: string } };

export function registerIdentities(app: FastifyInstance, pages: Pages): void {
  app.get('/account/identities', async (request, reply) => {
    const { visit, identities } = await read(request);
    return showAccountPage(pages, request, reply, {
      title: 'Identities',
      name: 'identities',
      done: doneWords(request, DONE),
      data: {
        own: sendersOf(visit, [], pages.deps.domains)[0],
        identities: [...identities].sort((a, b) => (a.address < b.address ? -1 : 1)),
        full: identities.length >= IDENTITIES_MAX,
      },
    });
  });

  const read = async (request: FastifyRequest) => {
    const visit = await pages.visits.require(request, (owner) => [identitiesQuery(owner)]);
    return { visit, identities: identitiesIn(visit.results[0]) };
  };

  const showNew = async (
    request: FastifyRequest,
    reply: FastifyReply,
    view: View = {},
  ): Promise<FastifyReply> => {
    const { visit } = await read(request);
    return showForm(request, reply, visit, { title: 'New identity', ...view });
  };

  const showOne = async (
    request: FastifyRequest<OneRoute>,
    reply: FastifyReply,
    view: View = {},
  ): Promise<FastifyReply> => {
    const { visit, identities } = await read(request);
    const identity = one(identities, request.params.id);
    return showForm(request, reply, visit, { title: 'Identity', ...view, identity });
  };

  function showForm(
    request: FastifyRequest,
    reply: FastifyReply,
    visit: Visit,
    { identity, data, ...view }: View & { title: string; identity?: Identity },
  ): FastifyReply {
    const { tag, domain } = addressIn(identity?.address ?? '', pages.deps.domains);
    const shown = {
      tag,
      domain,
      displayName: identity?.displayName ?? '',
      signature: identity?.signature ?? '',
      ...data,
    };
    return showAccountPage(pages, request, reply, {
      ...view,
      name: 'identity',
      data: {
        ...shown,
        identity,
        username: visit.account.name,
        own: ownAddress(pages, visit),
        domains: pages.deps.domains.map((served) => ({ served, chosen: served === shown.domain })),
      },
    });
  }

  app.get('/account/identities/new', (request, reply) => showNew(request, reply));
  app.get<OneRoute>('/account/identities/:id', (request, reply) => showOne(request, reply));

  app.post('/account/identities', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    try {
      const identityId = idFrom(visit.account.name, commandId, 'identity');
      await sendOwn(pages, visit, {
        id: commandId,
        type: 'account.AddIdentity',
        data: { identityId },
        parts: partsOf(wordsIn(fields, visit)),
        action: 'Add an identity',
      });
    } catch (error) {
      const refusal = isRejected(error, 'TooMany')
        ? { status: 409, alert: (error as Error).message }
        : refusalOf(error);
      if (refusal === undefined) throw error;
      return showNew(request, reply, { ...refusal, data: typed(fields, TYPED) });
    }
    return reply.redirect('/account/identities?done=added', 303);
  });

  app.post<OneRoute>('/account/identities/:id', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const { visit, identities } = await read(request);
    const before = one(identities, request.params.id);
    try {
      await sendOwn(pages, visit, {
        id: commandId,
        type: 'account.ChangeIdentity',
        data: { identityId: before.id, version: versionIn(fields) },
        parts: [...partsOf(wordsIn(fields, visit)), ...partsOf(before)],
        action: 'Change an identity',
      });
    } catch (error) {
      const refusal = isRejected(error, 'Stale')
        ? { status: 409, alert: (error as Error).message }
        : refusalOf(error);
      if (refusal === undefined) throw error;
      return showOne(request, reply, { ...refusal, data: typed(fields, TYPED) });
    }
    return reply.redirect('/account/identities?done=saved', 303);
  });

  app.post<OneRoute>('/account/identities/:id/remove', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const { visit, identities } = await read(request);
    const before = identities.find(({ id }) => id === request.params.id);
    // Removed already: that is what was wanted.
    if (before === undefined) return reply.redirect('/account/identities?done=removed', 303);
    try {
      await sendOwn(pages, visit, {
        id: commandId,
        type: 'account.RemoveIdentity',
        data: { identityId: before.id, version: versionIn(fields) },
        parts: partsOf(before),
        action: 'Remove an identity',
      });
    } catch (error) {
      if (!isRejected(error, 'Stale')) throw error;
      return showOne(request, reply, { status: 409, alert: (error as Error).message });
    }
    return reply.redirect('/account/identities?done=removed', 303);
  });

  /** Throws PageRefusal 400. */
  function wordsIn(fields: Fields, visit: Visit): Words {
    const { name } = visit.account;
    const tag = field(fields, 'tag', { label: 'Tag', bytesMax: 64 }).trim().toLowerCase().replace(/^\+/, '');
    if (!/^([a-z0-9._+-]*)$/.test(tag)) {
      throw badField('Tag must be letters, digits, dots, dashes or underscores, at most 64 of them.');
    }
    const domain = field(fields, 'domain', { label: 'Domain', bytesMax: 253 });
    if (!pages.deps.domains.includes(domain))
      throw badField('Domain is none of those served here: choose one of the list.');
    const displayName = field(fields, 'displayName', {
      label: 'Name',
      bytesMax: DISPLAY_NAME_BYTES_MAX,
    }).trim();
    const address = `${name}${tag === '' ? '' : `+${tag}`}@${domain}`;
    return { address, displayName, signature: signatureIn(fields) };
  }
}

/** Throws PageRefusal 404. */
function one(identities: readonly Identity[], id: string): Identity {
  const found = identities.find((identity) => identity.id === id);
  if (found === undefined) throw notFound('There is no such identity: it may have been removed.');
  return found;
}

function partsOf({ address, displayName, signature }: Words): Buffer[] {
  return [address, displayName, signature].map((text) => Buffer.from(text));
}

function addressIn(address: string, domains: readonly string[]): { tag: string; domain: string } {
  const [, tag = '', domain = domains[0] ?? ''] = /^[^+@]+(?:\+([^@]*))?@(.+)$/.exec(address) ?? [];
  return { tag, domain };
}
