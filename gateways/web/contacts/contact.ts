/**
 * One contact: shown, made, changed, deleted. The form carries a digest of what its writer saw, so that a change
 * made elsewhere meanwhile is never overwritten unseen; a refusal keeps what was typed.
 */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  ADDRESSES_PER_CONTACT_MAX,
  encodeContact,
  NAME_CHARACTERS_MAX,
  NOTE_CHARACTERS_MAX,
  PHONE_CHARACTERS_MAX,
  PHONES_PER_CONTACT_MAX,
  type Contact,
} from '../../../domain/contacts/book.ts';
import { readContact } from '../../../projections/contacts-cells.ts';
import { contactCell } from '../../../projections/keys.ts';
import { Rejected } from '../../../storage-nodes/client/client.ts';
import { isValidAddress } from '../../message/addresses.ts';
import { idFrom } from '../../pages/command-ids.ts';
import { field, typed, type Fields } from '../../pages/form.ts';
import type { Pages } from '../../pages/pages.ts';
import { badField, notFound, PageRefusal } from '../../pages/refusals.ts';
import { cellOf, type Visit } from '../../pages/visit.ts';
import {
  asideFrom,
  asideQueries,
  asideView,
  changeBook,
  contactChange,
  contactsById,
  groupChange,
  groupsFrom,
  groupsQuery,
  type Aside,
} from './book.ts';
import { doneWords, leadTo } from './done.ts';
import { makeContact } from './make.ts';

type ContactRoute = { Params: { contact: string }; Querystring: Record<string, unknown> };
const FIELDS = ['name', 'organisation', 'addresses', 'phones', 'note', 'seen'] as const;
const LIST_BYTES_MAX = 16 * 1024;

export function registerContact(app: FastifyInstance, pages: Pages): void {
  app.get<ContactRoute>('/contacts/new', async (request, reply) => {
    const { name, address } = request.query;
    const text = (value: unknown) => (typeof value === 'string' ? value.slice(0, 320) : '');
    return showForm(pages, request, reply, { values: { name: text(name), addresses: text(address) } });
  });
  app.post('/contacts/new', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    return save(pages, request, reply, { visit, fields, commandId });
  });
  app.get<ContactRoute>('/contacts/:contact', async (request, reply) => showContact(pages, request, reply));
  app.get<ContactRoute>('/contacts/:contact/edit', async (request, reply) => {
    const { contact, id } = await openContact(pages, request);
    return showForm(pages, request, reply, { id, values: valuesOf(contact) });
  });
  app.post<ContactRoute>('/contacts/:contact/edit', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const { visit, id, contact } = await openContact(pages, request);
    return save(pages, request, reply, { visit, fields, commandId, id, before: contact });
  });
  app.post<ContactRoute>('/contacts/:contact/delete', async (request, reply) => {
    const { commandId } = pages.form(request);
    const { visit, id, contact } = await openContact(pages, request);
    const change = contactChange(id, contact, undefined);
    const accepted = await changeBook(pages, visit, commandId, [change], 'Delete contact');
    return leadTo(reply, '/contacts', 'deleted', { accepted });
  });
  app.post<ContactRoute>('/contacts/:contact/groups', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const { visit, id } = await openContact(pages, request);
    const wanted = new Set([fields['group'] ?? []].flat());
    const changes = groupsFrom(visit.results[3]).flatMap(({ id: groupId, group }) => {
      const isIn = group.members.includes(id);
      if (isIn === wanted.has(groupId)) return [];
      const others = group.members.filter((member) => member !== id);
      return [groupChange(groupId, group, { ...group, members: isIn ? others : [...others, id] })];
    });
    if (changes.length === 0) return leadTo(reply, `/contacts/${id}`, 'saved');
    const accepted = await changeBook(pages, visit, commandId, changes, 'Change groups of contact');
    return leadTo(reply, `/contacts/${id}`, 'saved', { accepted });
  });
}

async function openContact(
  pages: Pages,
  request: FastifyRequest<ContactRoute>,
): Promise<{ visit: Visit; aside: Aside; id: string; contact: Contact }> {
  const id = request.params.contact;
  if (!/^[a-z2-7]{26}$/.test(id)) throw noContact();
  const visit = await pages.visits.require(request, (owner) => [
    ...asideQueries(owner),
    { get: contactCell(owner, id) },
    groupsQuery(owner),
  ]);
  const contact = cellOf(visit.results[2], readContact);
  if (contact === undefined) throw noContact();
  return { visit, aside: asideFrom(visit.results), id, contact };
}

function noContact(): PageRefusal {
  return notFound('There is no such contact: it may have been deleted.');
}

async function showContact(pages: Pages, request: FastifyRequest<ContactRoute>, reply: FastifyReply) {
  const { visit, aside, id, contact } = await openContact(pages, request);
  const groups = groupsFrom(visit.results[3]).map(({ id: groupId, group }) => ({
    id: groupId,
    name: group.name,
    isIn: group.members.includes(id),
  }));
  return pages.show(request, reply, {
    title: nameOf(contact),
    template: 'web/contacts/contact.hbs',
    ...doneWords(request.query),
    data: {
      aside: asideView(aside, undefined),
      id,
      shown: nameOf(contact),
      contact,
      addresses: contact.addresses.map((address) => ({
        address,
        letter: `/mail/compose?${new URLSearchParams({ to: address }).toString()}`,
      })),
      groups,
    },
  });
}

type Form = {
  readonly id?: string;
  readonly status?: number;
  readonly alert?: string;
  readonly holder?: { readonly id: string; readonly name: string };
  readonly values: Partial<Record<(typeof FIELDS)[number], string>>;
};

async function showForm(pages: Pages, request: FastifyRequest, reply: FastifyReply, form: Form) {
  const visit = await pages.visits.require(request, asideQueries);
  const { id, status, alert, holder, values } = form;
  return pages.show(request, reply, {
    title: id === undefined ? 'New contact' : 'Change contact',
    template: 'web/contacts/contact-form.hbs',
    ...(status !== undefined && { status }),
    alert,
    data: {
      aside: asideView(asideFrom(visit.results), undefined),
      action: id === undefined ? '/contacts/new' : `/contacts/${id}/edit`,
      back: id === undefined ? '/contacts' : `/contacts/${id}`,
      heading: id === undefined ? 'New contact' : 'Change contact',
      holder,
      values,
    },
  });
}

type Saving = {
  readonly visit: Visit;
  readonly fields: Fields;
  readonly commandId: string;
  readonly id?: string;
  readonly before?: Contact;
};

async function save(pages: Pages, request: FastifyRequest, reply: FastifyReply, saving: Saving) {
  const { visit, fields, commandId, before } = saving;
  const id = saving.id ?? idFrom(visit.account.name, commandId, 'contact');
  const again = { ...(saving.id !== undefined && { id: saving.id }), values: typed(fields, FIELDS) };
  try {
    const after = contactFrom(fields, before?.uid ?? '');
    if (before !== undefined && fields['seen'] !== stateSeen(before)) {
      const values = { ...again.values, seen: stateSeen(before) };
      const alert =
        'This contact was changed elsewhere meanwhile. Saving once more replaces that change by what stands below.';
      return await showForm(pages, request, reply, { ...again, values, status: 409, alert });
    }
    const action = before === undefined ? 'Add contact' : 'Change contact';
    const accepted = await changeBook(pages, visit, commandId, [contactChange(id, before, after)], action);
    return leadTo(reply, `/contacts/${id}`, 'saved', { accepted });
  } catch (error) {
    if (error instanceof PageRefusal) {
      return showForm(pages, request, reply, { ...again, status: error.status, alert: error.message });
    }
    if (!(error instanceof Rejected) || error.rejection.code !== 'NameTaken') throw error;
    const holderId = String(error.rejection.details?.['holder']);
    const [other] = await contactsById(pages.deps.store, visit.stream, [holderId]);
    const holder = other && { id: other.id, name: nameOf(other.contact) };
    const alert = error.rejection.message.replace('another contact', holder?.name ?? 'another contact');
    return showForm(pages, request, reply, { ...again, status: 409, alert, ...(holder && { holder }) });
  }
}

/** Throws PageRefusal that names the field and the limit. */
function contactFrom(fields: Fields, uid: string): Contact {
  const contact = makeContact({
    name: field(fields, 'name', { label: 'Name', bytesMax: 4 * NAME_CHARACTERS_MAX }),
    organisation: field(fields, 'organisation', { label: 'Organisation', bytesMax: 4 * NAME_CHARACTERS_MAX }),
    addresses: lines(fields, 'addresses', 'Mail addresses'),
    phones: lines(fields, 'phones', 'Phone numbers'),
    note: field(fields, 'note', { label: 'Note', bytesMax: LIST_BYTES_MAX, multiline: true }),
    uid,
  });
  const { addresses, phones } = contact;
  atMost('Name', contact.name.length, NAME_CHARACTERS_MAX, 'characters');
  atMost('Organisation', contact.organisation.length, NAME_CHARACTERS_MAX, 'characters');
  atMost('Note', contact.note.length, NOTE_CHARACTERS_MAX, 'characters');
  atMost('Mail addresses', addresses.length, ADDRESSES_PER_CONTACT_MAX, 'addresses');
  atMost('Phone numbers', phones.length, PHONES_PER_CONTACT_MAX, 'numbers');
  for (const phone of phones) atMost('A phone number', phone.length, PHONE_CHARACTERS_MAX, 'characters');
  const bad = addresses.find((address) => !isValidAddress(address));
  if (bad !== undefined) throw badField(`“${bad}” is not a mail address: write it as name@domain.`);
  const keys = addresses.map((address) => address.toLowerCase());
  const twice = addresses.find((_address, i) => keys.indexOf(keys[i]!) < i);
  if (twice !== undefined) throw badField(`${twice} stands there twice: leave one out.`);
  if (contact.name === '' && addresses.length === 0) {
    throw badField('Name is missing: fill in a name or a mail address.');
  }
  return contact;
}

function atMost(label: string, has: number, max: number, what: string): void {
  if (has > max) throw badField(`${label}: at most ${max} ${what}, there are ${has}.`);
}

/** One on a line; empty lines are left out. */
function lines(fields: Fields, name: string, label: string): string[] {
  const text = field(fields, name, { label, bytesMax: LIST_BYTES_MAX, multiline: true });
  return text
    .split(/\r\n?|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function valuesOf(contact: Contact): Form['values'] {
  const { name, organisation, addresses, phones, note } = contact;
  return {
    name,
    organisation,
    addresses: addresses.join('\n'),
    phones: phones.join('\n'),
    note,
    seen: stateSeen(contact),
  };
}

/** Which state of the contact its writer saw. */
function stateSeen(contact: Contact): string {
  return createHash('sha256').update(encodeContact(contact)).digest('base64url').slice(0, 22);
}

export function nameOf({ name, organisation, addresses }: Contact): string {
  return name || organisation || (addresses[0] ?? 'Unnamed');
}
