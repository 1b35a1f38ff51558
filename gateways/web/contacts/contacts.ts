/** The address book: contacts, groups, the addresses one has written to, vCards in and out, and senders. */
import type { FastifyInstance } from 'fastify';
import type { Pages } from '../../pages/pages.ts';
import { registerAddSender } from './add-sender.ts';
import { registerContact } from './contact.ts';
import { registerGroups } from './groups.ts';
import { registerContactList } from './list.ts';
import { registerTransfer } from './transfer.ts';
import { registerWrittenTo } from './written-to.ts';

export function registerContacts(app: FastifyInstance, pages: Pages): void {
  registerContactList(app, pages);
  registerWrittenTo(app, pages);
  registerTransfer(app, pages);
  registerGroups(app, pages);
  registerContact(app, pages);
  registerAddSender(app, pages);
}
