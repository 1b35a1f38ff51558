/**
 * Import and export. The answer to an import says of every card what became of it; sending the same file again
 * changes nothing. An export is streamed: groups behind the contacts that they name.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CHANGES_PER_COMMAND_MAX } from '../../../domain/contacts/decider.ts';
import { readContact } from '../../../projections/contacts-cells.ts';
import { contactsRow } from '../../../projections/keys.ts';
import { Rejected, type StoreClient } from '../../../storage-nodes/client/client.ts';
import { idFrom } from '../../pages/command-ids.ts';
import { attachmentDisposition } from '../../pages/content-disposition.ts';
import type { Pages } from '../../pages/pages.ts';
import { rowScan } from '../../pages/paging.ts';
import { badField, PageRefusal } from '../../pages/refusals.ts';
import type { Visit } from '../../pages/visit.ts';
import {
  asideFrom,
  asideQueries,
  asideView,
  changeBook,
  groupsFrom,
  groupsQuery,
  type Change,
} from './book.ts';
import { taking, type Outcome, type Taken } from './take-in.ts';
import { CARD_FILE_BYTES_MAX, readCards, uidOf, writeContact, writeGroup, type CardFile } from './vcard.ts';

const READ_AT_ONCE = 200;
const ROWS_SHOWN_MAX = 1000;

export function registerTransfer(app: FastifyInstance, pages: Pages): void {
  app.get('/contacts/import', (request, reply) => showImport(pages, request, reply, {}));

  app.post('/contacts/import', async (request, reply) => {
    try {
      const visit = await pages.visits.require(request, (owner) => [groupsQuery(owner)]);
      const { file, commandId } = await fileOf(pages, request);
      const account = { name: visit.account.name, stream: visit.stream };
      const read = readCards(file);
      const plan = await taking(pages.deps.store, account, read.cards, groupsFrom(visit.results[0]));
      const done = await saveAll(pages, visit, commandId, plan);
      return await showImport(pages, request, reply, { read, done });
    } catch (error) {
      // What still arrives is let go by, so that the browser gets to read the answer.
      request.raw.unpipe();
      request.raw.resume();
      if (!(error instanceof PageRefusal) || request.visit === undefined) throw error;
      return showImport(pages, request, reply, { status: error.status, alert: error.message });
    }
  });

  app.get('/contacts/export', async (request, reply) => {
    const visit = await pages.visits.require(request, (owner) => [groupsQuery(owner)]);
    void reply
      .type('text/vcard; charset=utf-8')
      .header('content-disposition', attachmentDisposition('contacts.vcf'))
      .header('cache-control', 'no-store');
    return reply.send(Readable.from(exported(pages.deps.store, visit)));
  });
}

async function* exported(store: StoreClient, { stream, results }: Visit): AsyncGenerator<string> {
  const uids = new Map<string, string>();
  for (let after: string | undefined; ;) {
    const range = { reverse: false, limit: READ_AT_ONCE, ...(after !== undefined && { after }) };
    const [cells = []] = (await store.read(stream, [rowScan(contactsRow(stream), range)])).results;
    for (const cell of cells) {
      const contact = readContact(await store.bytes(cell));
      uids.set(cell.column, uidOf(cell.column, contact));
      yield writeContact(cell.column, contact);
    }
    after = cells.at(-1)?.column;
    if (cells.length < READ_AT_ONCE) break;
  }
  for (const { id, group } of groupsFrom(results[0])) {
    const members = group.members.flatMap((member) => uids.get(member) ?? []);
    yield writeGroup(id, group.name, members);
  }
}

/** Throws PageRefusal. */
async function fileOf(pages: Pages, request: FastifyRequest): Promise<{ file: Buffer; commandId: string }> {
  const fields: Record<string, unknown> = {};
  const limits = { fileSize: CARD_FILE_BYTES_MAX, files: 1, fields: 10, fieldSize: 4096, headerPairs: 50 };
  for await (const part of request.parts({ limits })) {
    if (part.type === 'field') {
      fields[part.fieldname] = part.value;
      continue;
    }
    const commandId = pages.checkForm(request, fields);
    if (part.filename === '') throw badField('File is missing: choose one.');
    const pieces: Buffer[] = [];
    for await (const piece of part.file) pieces.push(piece as Buffer);
    if (part.file.truncated) {
      throw badField(`File is too large: at most ${CARD_FILE_BYTES_MAX / 1024 / 1024} MiB.`);
    }
    return { file: Buffer.concat(pieces), commandId };
  }
  throw badField('File is missing: choose one.');
}

/** A few contacts in a command; those of one that is refused are tried one by one. */
async function saveAll(
  pages: Pages,
  visit: Visit,
  commandId: string,
  plan: readonly Taken[],
): Promise<Taken[]> {
  const done: Taken[] = plan.filter(({ change }) => change === undefined);
  for (const batch of batches(plan.filter(({ change }) => change !== undefined))) {
    const refusal = await save(batch);
    if (refusal === undefined || batch.length === 1) {
      done.push(...batch.map((one) => (refusal === undefined ? one : refused(one, refusal))));
      continue;
    }
    for (const one of batch) {
      const why = await save([one]);
      done.push(why === undefined ? one : refused(one, why));
    }
  }
  return done.sort((a, b) => a.line - b.line);

  async function save(some: readonly Taken[]): Promise<string | undefined> {
    const changes = some.map(({ change }) => change as Change);
    const content = changes.map(({ id, before, after }) => [
      id,
      Buffer.from(before ?? []).toString(),
      Buffer.from(after ?? []).toString(),
    ]);
    // The content belongs to the id: a form sent again, after the book has changed, asks for something else.
    const id = `${commandId}-${idFrom(visit.account.name, JSON.stringify(content), 'import')}`;
    try {
      await changeBook(pages, visit, id, changes, 'Import contacts');
      return undefined;
    } catch (error) {
      if (error instanceof Rejected) return error.rejection.message;
      throw error;
    }
  }
}

/** A contact that two cards change stands in two batches, in their order. */
function batches(plan: readonly Taken[]): Taken[][] {
  const all: Taken[][] = [];
  let ids = new Set<string>();
  for (const one of plan) {
    const id = one.change?.id ?? '';
    const last = all.at(-1);
    if (last === undefined || last.length === CHANGES_PER_COMMAND_MAX || ids.has(id)) {
      all.push([one]);
      ids = new Set([id]);
    } else {
      last.push(one);
      ids.add(id);
    }
  }
  return all;
}

function refused(one: Taken, why: string): Taken {
  return { ...one, outcome: 'not taken', notes: [why] };
}

type Shown = { status?: number; alert?: string; read?: CardFile; done?: readonly Taken[] };

async function showImport(pages: Pages, request: FastifyRequest, reply: FastifyReply, shown: Shown) {
  const visit = await pages.visits.require(request, asideQueries);
  const { status, alert, read, done } = shown;
  const count = (outcome: Outcome) => (done ?? []).filter((one) => one.outcome === outcome).length;
  const isTold = ({ outcome, notes }: Taken) => outcome === 'not taken' || notes.length > 0;
  const told = (done ?? []).filter(isTold);
  const rows = (some: readonly Taken[]) =>
    some.slice(0, ROWS_SHOWN_MAX).map(({ line, name, outcome, notes }) => ({
      line,
      name: name || 'A card',
      outcome,
      isBad: outcome === 'not taken',
      notes: notes.join('; '),
    }));
  return pages.show(request, reply, {
    title: 'Import contacts',
    template: 'web/contacts/import.hbs',
    ...(status !== undefined && { status }),
    alert: alert ?? read?.problem,
    data: {
      aside: asideView(asideFrom(visit.results), undefined),
      fileMaxMiB: CARD_FILE_BYTES_MAX / 1024 / 1024,
      ...(done !== undefined && {
        finished: true,
        added: count('added'),
        filled: count('filled in'),
        unchanged: count('already there'),
        bad: count('not taken'),
        told: rows(told),
        others: rows(done.filter((one) => !isTold(one))),
      }),
    },
  });
}
