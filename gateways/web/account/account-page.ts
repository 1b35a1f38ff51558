/** What the pages below the account's share: their frame, their commands, and the words that follow a form. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Rejected, type Accepted } from '../../../storage-nodes/client/client.ts';
import type { FormCommand, Pages, PageView } from '../../pages/pages.ts';
import { PageRefusal } from '../../pages/refusals.ts';
import type { Visit } from '../../pages/visit.ts';

export function ownAddress(pages: Pages, visit: Visit): string {
  return `${visit.account.name}@${pages.deps.domains[0]}`;
}

/** A page below the account's. */
export type AccountPage = Omit<PageView, 'section' | 'template'> & {
  /** Without folder and ending: 'profile'. */
  readonly name: string;
};

export function showAccountPage(
  pages: Pages,
  request: FastifyRequest,
  reply: FastifyReply,
  { name, ...view }: AccountPage,
): FastifyReply {
  return pages.show(request, reply, {
    ...view,
    template: `web/account/${name}.hbs`,
    section: 'account',
  });
}

/** A refusal of a form, or undefined for an error that is none of its field's. */
export function refusalOf(error: unknown): { status: number; alert: string } | undefined {
  if (error instanceof PageRefusal) return { status: error.status, alert: error.message };
  const isField = error instanceof Rejected && error.rejection.code === 'Malformed';
  return isField ? { status: 400, alert: error.message } : undefined;
}

/** The `done` of the address, in the words of this page. */
export function doneWords(
  request: FastifyRequest,
  words: Readonly<Record<string, string>>,
): string | undefined {
  const { done } = request.query as Record<string, unknown>;
  return typeof done === 'string' && Object.hasOwn(words, done) ? words[done] : undefined;
}

/** Sends a command to the visitor's own account. */
export function sendOwn(pages: Pages, visit: Visit, command: Omit<FormCommand, 'stream'>): Promise<Accepted> {
  return pages.send(
    { actor: visit.account.name, sessionHash: visit.sessionHash },
    { ...command, stream: visit.stream },
  );
}
