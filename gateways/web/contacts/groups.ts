/** A group: who is in it, a letter to all of them, people added by name and address, and taken out again. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { addressKey, GROUP_MEMBERS_MAX, NAME_CHARACTERS_MAX } from '../../../domain/contacts/book.ts';
import { CHANGES_PER_COMMAND_MAX } from '../../../domain/contacts/decider.ts';
import { readGroup } from '../../../projections/contacts-cells.ts';
import { groupCell } from '../../../projections/keys.ts';
import { Rejected } from '../../../storage-nodes/client/client.ts';
import { parseAddressList } from '../../message/addresses.ts';
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
  holdersOf,
  type Change,
} from './book.ts';
import { recipientsOf } from './completions.ts';
import { nameOf } from './contact.ts';
import { doneWords, leadTo } from './done.ts';
import { makeContact, makeGroup } from './make.ts';

type GroupRoute = { Params: { group: string }; Querystring: Record<string, unknown> };
const PEOPLE_BYTES_MAX = 16 * 1024;
/** New contacts beside the group itself, in one command. */
const NEW_PEOPLE_MAX = CHANGES_PER_COMMAND_MAX - 1;
/** What the page of a new message takes from its address; the name of a larger group completes itself there. */
const LETTER_TO_CHARACTERS_MAX = 400;

export function registerGroups(app: FastifyInstance, pages: Pages): void {
  app.get('/contacts/groups/new', (request, reply) => showNew(pages, request, reply, {}));
  app.post('/contacts/groups/new', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    const id = idFrom(visit.account.name, commandId, 'group');
    try {
      const { members, changes } = await peopleFrom(pages, visit, fields, commandId);
      const all = [...changes, groupChange(id, undefined, makeGroup(groupName(fields), members))];
      const accepted = await changeBook(pages, visit, commandId, all, 'Make group');
      return leadTo(reply, `/contacts/groups/${id}`, 'group', { accepted });
    } catch (error) {
      const isKnown = error instanceof PageRefusal || error instanceof Rejected;
      if (!isKnown) throw error;
      const alert = error.message;
      return showNew(pages, request, reply, {
        status: 400,
        alert,
        values: typed(fields, ['name', 'people']),
      });
    }
  });
  app.get<GroupRoute>('/contacts/groups/:group', (request, reply) => showGroup(pages, request, reply));
  app.post<GroupRoute>('/contacts/groups/:group/name', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const { visit, id, group } = await openGroup(pages, request);
    const after = makeGroup(groupName(fields), group.members);
    const accepted = await changeBook(
      pages,
      visit,
      commandId,
      [groupChange(id, group, after)],
      'Rename group',
    );
    return leadTo(reply, `/contacts/groups/${id}`, 'group', { accepted });
  });
  app.post<GroupRoute>('/contacts/groups/:group/add', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const { visit, id, group } = await openGroup(pages, request);
    const { members, changes } = await peopleFrom(pages, visit, fields, commandId);
    if (members.length === 0) throw badField('People is missing: write at least one mail address.');
    const all = [...new Set([...group.members, ...members])];
    if (all.length > GROUP_MEMBERS_MAX) {
      throw badField(`A group has at most ${GROUP_MEMBERS_MAX} people; these would be ${all.length}.`);
    }
    const change = groupChange(id, group, { ...group, members: all });
    const accepted = await changeBook(pages, visit, commandId, [...changes, change], 'Add people to group');
    const n = all.length - group.members.length;
    return leadTo(reply, `/contacts/groups/${id}`, 'added', { accepted, n });
  });
  app.post<GroupRoute>('/contacts/groups/:group/remove', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const { visit, id, group } = await openGroup(pages, request);
    const members = group.members.filter((member) => member !== fields['member']);
    const change = groupChange(id, group, { ...group, members });
    const accepted = await changeBook(pages, visit, commandId, [change], 'Take out of group');
    return leadTo(reply, `/contacts/groups/${id}`, 'taken-out', { accepted });
  });
  app.post<GroupRoute>('/contacts/groups/:group/delete', async (request, reply) => {
    const { commandId } = pages.form(request);
    const { visit, id, group } = await openGroup(pages, request);
    const change = groupChange(id, group, undefined);
    const accepted = await changeBook(pages, visit, commandId, [change], 'Delete group');
    return leadTo(reply, '/contacts', 'group-deleted', { accepted });
  });
}

async function openGroup(pages: Pages, request: FastifyRequest<GroupRoute>) {
  const id = request.params.group;
  const none = notFound('There is no such group: it may have been deleted.');
  if (!/^[a-z2-7]{26}$/.test(id)) throw none;
  const visit = await pages.visits.require(request, (owner) => [
    ...asideQueries(owner),
    { get: groupCell(owner, id) },
  ]);
  const group = cellOf(visit.results[2], readGroup);
  if (group === undefined) throw none;
  return { visit, id, group, aside: asideFrom(visit.results) };
}

async function showGroup(pages: Pages, request: FastifyRequest<GroupRoute>, reply: FastifyReply) {
  const { visit, id, group, aside } = await openGroup(pages, request);
  const people = await contactsById(pages.deps.store, visit.stream, group.members);
  const to = recipientsOf(people.map(({ contact }) => contact)).join(', ');
  const members = people
    .map(({ id: member, contact }) => ({
      id: member,
      name: nameOf(contact),
      address: contact.addresses[0] ?? '',
    }))
    .sort((a, b) => a.name.localeCompare(b.name));
  return pages.show(request, reply, {
    title: group.name,
    template: 'web/contacts/group.hbs',
    ...doneWords(request.query),
    data: {
      aside: asideView(aside, id),
      id,
      group,
      members,
      ...(to !== '' &&
        (to.length <= LETTER_TO_CHARACTERS_MAX
          ? { letter: `/mail/compose?${new URLSearchParams({ to }).toString()}` }
          : { isLarge: true })),
    },
  });
}

async function showNew(
  pages: Pages,
  request: FastifyRequest,
  reply: FastifyReply,
  { status, alert, values = {} }: { status?: number; alert?: string; values?: Record<string, string> },
) {
  const visit = await pages.visits.require(request, asideQueries);
  return pages.show(request, reply, {
    title: 'New group',
    template: 'web/contacts/group-form.hbs',
    ...(status !== undefined && { status }),
    alert,
    data: { aside: asideView(asideFrom(visit.results), undefined), values },
  });
}

function groupName(fields: Fields): string {
  const name = field(fields, 'name', { label: 'Name', bytesMax: 4 * NAME_CHARACTERS_MAX, required: true });
  if (name.length > NAME_CHARACTERS_MAX) {
    throw badField(`Name is too long: at most ${NAME_CHARACTERS_MAX} characters, this has ${name.length}.`);
  }
  return name;
}

/** The contacts that have the addresses typed; those that nobody has become contacts by the same command. */
async function peopleFrom(
  pages: Pages,
  visit: Visit,
  fields: Fields,
  commandId: string,
): Promise<{ members: string[]; changes: Change[] }> {
  const text = field(fields, 'people', { label: 'People', bytesMax: PEOPLE_BYTES_MAX, multiline: true });
  const { ok, bad } = parseAddressList(text);
  if (bad.length > 0)
    throw badField(`People holds “${bad[0]}”, which is not a mail address: write it as name@domain.`);
  const each = [...new Map(ok.map((one) => [addressKey(one.address), one])).entries()];
  const holders = await holdersOf(
    pages.deps.store,
    visit.stream,
    ok.map(({ address }) => address),
  );
  const fresh = each.filter(([key]) => !holders.has(key));
  if (fresh.length > NEW_PEOPLE_MAX) {
    throw badField(`People: at most ${NEW_PEOPLE_MAX} new ones at a time, these are ${fresh.length}.`);
  }
  const idOf = (key: string) => holders.get(key) ?? idFrom(visit.account.name, commandId, `contact ${key}`);
  const changes = fresh.map(([key, { name, address }]) => {
    const empty = { phones: [], organisation: '', note: '', uid: '' };
    return contactChange(idOf(key), undefined, makeContact({ name, addresses: [address], ...empty }));
  });
  return { members: [...new Set(each.map(([key]) => idOf(key)))], changes };
}
