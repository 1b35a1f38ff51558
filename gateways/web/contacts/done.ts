/** What was done, as the page that a form leads to says it: `?done=saved&undo=t-05:1234`; only a hint for words. */
import type { FastifyReply } from 'fastify';
import type { Accepted } from '../../../storage-nodes/client/client.ts';
import { counted } from '../../pages/wording.ts';

const WORDS: Readonly<Record<string, (n: number) => string>> = {
  saved: () => 'The contact is saved.',
  deleted: () => 'The contact is deleted.',
  group: () => 'The group is saved.',
  'group-deleted': () => 'The group is deleted. Its contacts are still here.',
  added: (n) => `${counted(n, 'person', 'people')} added to the group.`,
  'taken-out': () => 'Taken out of the group.',
  forgotten: (n) => `${counted(n, 'address', 'addresses')} forgotten.`,
  collecting: () => 'Addresses you write to will be collected.',
  'not-collecting': () => 'Addresses you write to will not be collected any more.',
  undone: () => 'Undone.',
};

export function doneWords(query: Readonly<Record<string, unknown>>): { done?: string; undo?: string } {
  const { done, n, undo } = query;
  const words = typeof done === 'string' && Object.hasOwn(WORDS, done) ? WORDS[done] : undefined;
  if (words === undefined) return {};
  const isEntry = typeof undo === 'string' && /^[A-Za-z0-9-]{1,40}:\d{1,15}$/.test(undo);
  return {
    done: words(typeof n === 'string' && /^\d{1,9}$/.test(n) ? Number(n) : 1),
    ...(isEntry && { undo }),
  };
}

/** `accepted`: what can be undone from there. */
export function leadTo(
  reply: FastifyReply,
  path: string,
  done: string,
  { accepted, n }: { accepted?: Accepted; n?: number } = {},
): FastifyReply {
  const said = new URLSearchParams({ done });
  if (n !== undefined) said.set('n', String(n));
  if (accepted) said.set('undo', `${accepted.tablet}:${accepted.seq}`);
  return reply.redirect(`${path}?${said.toString()}`, 303);
}
