/** "Add sender to contacts" on a message's page: one button, undone by one; whoever is in the book already stays as they are. */
import type { FastifyInstance } from 'fastify';
import { NAME_CHARACTERS_MAX } from '../../../domain/contacts/book.ts';
import { cut } from '../../../domain/mail/message/summary.ts';
import { Rejected, type Accepted } from '../../../storage-nodes/client/client.ts';
import { isValidAddress } from '../../message/addresses.ts';
import { idFrom } from '../../pages/command-ids.ts';
import type { Pages } from '../../pages/pages.ts';
import { badField } from '../../pages/refusals.ts';
import type { Visit } from '../../pages/visit.ts';
import { openMessage, placeOf, type MessageRoute } from '../mail/reading/open-message.ts';
import { changeBook, contactChange, holdersOf } from './book.ts';
import { leadTo } from './done.ts';
import { makeContact } from './make.ts';

export function registerAddSender(app: FastifyInstance, pages: Pages): void {
  app.post<MessageRoute>('/mail/:folder/:message/add-contact', async (request, reply) => {
    const { commandId } = pages.form(request);
    const opened = await openMessage(pages, request, request.params.message);
    const { meta, visit } = opened;
    const { folder } = (await placeOf(pages, opened)).place;
    if (meta.via === 'sent' || !isValidAddress(meta.from.address)) {
      throw badField('This message does not say who sent it: there is no address to add.');
    }
    const accepted = await add(pages, visit, commandId, meta.from);
    const page = `/mail/${folder}/${meta.id}`;
    return accepted === undefined
      ? leadTo(reply, page, 'known')
      : leadTo(reply, page, 'contact', { accepted });
  });
}

/** Undefined: the address is in the book. */
async function add(
  pages: Pages,
  visit: Visit,
  commandId: string,
  from: { readonly name: string; readonly address: string },
): Promise<Accepted | undefined> {
  const { address } = from;
  const id = idFrom(visit.account.name, commandId, 'contact');
  const holders = await holdersOf(pages.deps.store, visit.stream, [address]);
  // Its own contact: the form was sent once more, and gets the first answer.
  if ([...holders.values()].some((holder) => holder !== id)) return undefined;
  const name = from.name === address ? '' : cut(from.name, NAME_CHARACTERS_MAX);
  const fields = { name, addresses: [address], phones: [], organisation: '', note: '', uid: '' };
  const change = contactChange(id, undefined, makeContact(fields));
  try {
    return await changeBook(pages, visit, commandId, [change], 'Add sender to contacts');
  } catch (error) {
    // Somebody else was quicker in another window.
    if (error instanceof Rejected && error.rejection.code === 'NameTaken') return undefined;
    throw error;
  }
}
