/**
 * The addresses that one has written to and that are in no contact: taken into the book, forgotten (one, or all),
 * and whether they are collected at all.
 */
import type { FastifyInstance } from 'fastify';
import { FORGOTTEN_PER_COMMAND_MAX } from '../../../domain/contacts/decider.ts';
import { readKnownAddress } from '../../../projections/contacts-cells.ts';
import { collectedRow } from '../../../projections/keys.ts';
import type { Pages } from '../../pages/pages.ts';
import { cursorOf, pageOf, rowScan, scanFor } from '../../pages/paging.ts';
import { badField } from '../../pages/refusals.ts';
import type { Visit } from '../../pages/visit.ts';
import { asideFrom, asideQueries, asideView } from './book.ts';
import { doneWords, leadTo } from './done.ts';

const PAGE_SIZE = 50;
type WrittenRoute = { Querystring: Record<string, unknown> };

export function registerWrittenTo(app: FastifyInstance, pages: Pages): void {
  app.get<WrittenRoute>('/contacts/written-to', async (request, reply) => {
    const cursor = cursorOf(request.query);
    const visit = await pages.visits.require(request, (owner) => [
      ...asideQueries(owner),
      rowScan(collectedRow(owner), scanFor(cursor, PAGE_SIZE)),
    ]);
    const aside = asideFrom(visit.results);
    const scanned = (visit.results[2] ?? []).flatMap(({ column: key, bytes }) =>
      bytes === undefined ? [] : [{ key, ...readKnownAddress(bytes) }],
    );
    const page = pageOf(cursor, scanned, PAGE_SIZE, aside.state.collected, ({ key }) => key);
    const rows = page.rows.map(({ key, name, address, count, lastAt }) => ({
      key,
      name,
      address,
      count,
      lastAt,
      add: `/contacts/new?${new URLSearchParams({ name, address }).toString()}`,
    }));
    return pages.show(request, reply, {
      title: 'Written to',
      template: 'web/contacts/written-to.hbs',
      ...doneWords(request.query),
      data: {
        aside: asideView(aside, 'written'),
        rows,
        page,
        path: '/contacts/written-to',
        collecting: aside.state.collecting,
      },
    });
  });

  app.post('/contacts/written-to/forget', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    const { key } = fields;
    if (typeof key !== 'string' || key === '' || key.length > 320) throw badField('Address is missing.');
    await forget(pages, visit, commandId, [key]);
    return leadTo(reply, '/contacts/written-to', 'forgotten', { n: 1 });
  });

  app.post('/contacts/written-to/forget-all', async (request, reply) => {
    const { commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    let n = 0;
    // What is forgotten is gone from the row: the first ones left are the next ones.
    for (let step = 0; ; step++) {
      const scan = rowScan(collectedRow(visit.stream), { reverse: false, limit: FORGOTTEN_PER_COMMAND_MAX });
      const { results } = await pages.deps.store.read(visit.stream, [scan]);
      const keys = (results[0] ?? []).map(({ column }) => column);
      if (keys.length === 0) break;
      await forget(pages, visit, `${commandId}-${step}`, keys);
      n += keys.length;
    }
    return leadTo(reply, '/contacts/written-to', 'forgotten', { n });
  });

  app.post('/contacts/written-to/collecting', async (request, reply) => {
    const { fields, commandId } = pages.form(request);
    const visit = await pages.visits.require(request);
    const on = fields['on'] === 'true';
    await pages.send(
      { actor: visit.account.name, sessionHash: visit.sessionHash },
      {
        id: commandId,
        stream: visit.stream,
        type: 'contacts.SetCollecting',
        data: { on },
        action: on ? 'Collect addresses' : 'Stop collecting addresses',
      },
    );
    return leadTo(reply, '/contacts/written-to', on ? 'collecting' : 'not-collecting');
  });
}

async function forget(pages: Pages, visit: Visit, commandId: string, keys: readonly string[]): Promise<void> {
  await pages.send(
    { actor: visit.account.name, sessionHash: visit.sessionHash },
    {
      id: commandId,
      stream: visit.stream,
      type: 'contacts.ForgetAddresses',
      data: {},
      parts: [Buffer.from(JSON.stringify(keys))],
      action: 'Forget addresses',
    },
  );
}
