/**
 * Mail on its way to other systems: what waits and what is held, over all queues, and what an operator does about it.
 * An item has a page of its own with all of its recipients; it is cancelled there, after reading what that means.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ItemAction } from '../../domain/outbound/events.ts';
import { outboundStream } from '../../domain/streams.ts';
import type { QueuedItem } from '../../projections/outbound.ts';
import { parseDueOrder } from '../../projections/outbound-keys.ts';
import { Rejected } from '../../storage-nodes/client/client.ts';
import { field } from '../pages/form.ts';
import { cursorOf, type Cursor } from '../pages/paging.ts';
import { badField, notFound, tell } from '../pages/refusals.ts';
import type { Console } from './console.ts';
import { readItem, readQueues, type QueuePart } from './queue-reading.ts';
import { countInWords, digitOf, listedItem, overdueOf, wholeItem, workersOf } from './queue-view.ts';

const ITEM_ID_BYTES_MAX = 100;
const BACK_BYTES_MAX = 300;

const ACTION_NAMES: Readonly<Record<ItemAction, string>> = {
  retry: 'Try a delivery now',
  hold: 'Hold a delivery',
  release: 'Release a delivery',
  cancel: 'Cancel a delivery',
};

const DONE_WORDS: Readonly<Record<string, string>> = {
  retry: 'The message is due now: a worker tries it within seconds.',
  'retry-held': 'Nothing of this message is tried while it is held: release it first.',
  hold: 'The message is held: nothing of it leaves until you release it.',
  release: 'The message is released, and due now.',
  cancel: 'The delivery is cancelled. Its sender sees so on the message.',
};

type Query = Readonly<Record<string, unknown>>;
type ItemRoute = { Params: { item: string }; Querystring: Record<string, unknown> };

export function registerQueue(app: FastifyInstance, consoles: Console): void {
  const { store } = consoles.pages.deps;

  app.get<{ Querystring: Record<string, unknown> }>('/admin/queue', async (request, reply) => {
    await consoles.admit(request);
    return showQueue(consoles, request, reply, request.query);
  });

  app.get<ItemRoute>('/admin/queue/:item', async (request, reply) => {
    await consoles.admit(request);
    const item = await readItem(store, itemIdOf(request.params.item));
    if (item === undefined)
      throw notFound('This message does not wait any more: it was delivered or given up.');
    return showItem(consoles, request, reply, item);
  });

  app.post<ItemRoute>('/admin/queue/:item', async (request, reply) => {
    const { fields, commandId } = consoles.pages.form(request);
    const visitor = await consoles.admit(request);
    const itemId = itemIdOf(request.params.item);
    const action = actionOf(fields['action']);
    const back = field(fields, 'back', { label: 'The way back', bytesMax: BACK_BYTES_MAX });
    const place = Object.fromEntries(new URLSearchParams(back));
    try {
      await consoles.pages.send(visitor, {
        // One form has several buttons, and each of them is a command of its own.
        id: `${commandId}-${action}-${itemId}`,
        stream: outboundStream(itemId),
        type: 'outbound.ChangeItem',
        data: { id: itemId, action },
        action: ACTION_NAMES[action],
      });
    } catch (error) {
      if (!(error instanceof Rejected)) throw error;
      return showQueue(consoles, request, reply, place, {
        status: tell(error)?.status ?? 400,
        alert: error.message,
      });
    }
    const done = action === 'retry' && (await isAllHeld(consoles, itemId)) ? 'retry-held' : action;
    return reply.redirect(`/admin/queue${addressOf(place, { done })}`, 303);
  });
}

async function showQueue(
  consoles: Console,
  request: FastifyRequest,
  reply: FastifyReply,
  query: Query,
  told: { readonly status?: number; readonly alert?: string } = {},
): Promise<FastifyReply> {
  const part = partOf(query);
  const read = await readQueues(consoles.pages.deps.store, part, placeOf(query));
  const { page, silent } = read;
  const now = Date.now();
  const inPart = (address: string | undefined) =>
    address === undefined ? undefined : addressOf(Object.fromEntries(new URLSearchParams(address)), { part });
  const view = {
    title: 'Queue',
    tab: 'queue' as const,
    ...told,
    done: typeof query['done'] === 'string' ? DONE_WORDS[query['done']] : undefined,
    data: {
      part: { [part]: true },
      waiting: countInWords(read.waiting),
      held: countInWords(read.held),
      items: page.rows.map(listedItem),
      range: page.from === 0 ? '' : `${page.from}–${page.to} of ${countInWords(read[part])}`,
      newer: inPart(page.links.newer),
      older: inPart(page.links.older),
      isFirst: page.links.newest === undefined,
      back: addressOf(query, {}),
      workers: workersOf(read.leases, now),
      overdue: overdueOf(read, now),
      silent: silent.map(digitOf).join(', '),
    },
  };
  if (query['fragment'] === 'list')
    return consoles.pages.showFragment(request, reply, { ...view, template: 'admin/queue-live.hbs' });
  return consoles.show(request, reply, { ...view, template: 'admin/queue.hbs' });
}

function showItem(
  consoles: Console,
  request: FastifyRequest<ItemRoute>,
  reply: FastifyReply,
  item: QueuedItem,
): FastifyReply {
  return consoles.show(request, reply, {
    title: 'A message in the queue',
    tab: 'queue',
    template: 'admin/queue-item.hbs',
    data: { item: wholeItem(item), back: addressOf(request.query, {}) },
  });
}

function partOf(query: Query): QueuePart {
  return query['part'] === 'held' ? 'held' : 'waiting';
}

/** Throws PageRefusal 400 for what is no place in a queue. */
function placeOf(query: Query): Cursor {
  const cursor = cursorOf(query);
  if ('key' in cursor && parseDueOrder(cursor.key) === undefined)
    throw badField('This is no place in the queue: begin with its first page.');
  return cursor;
}

/** The query string of this place in the queue, and nothing else of what was asked for. */
function addressOf(query: Query, more: { readonly part?: QueuePart; readonly done?: string }): string {
  const kept = ['after', 'before', 'at'].flatMap((name) => {
    const value = query[name];
    return typeof value === 'string' && value.length <= ITEM_ID_BYTES_MAX ? [[name, value]] : [];
  });
  const part = more.part ?? partOf(query);
  const pairs = [
    ...(part === 'held' ? [['part', part]] : []),
    ...kept,
    ...(more.done === undefined ? [] : [['done', more.done]]),
  ];
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs as [string, string][])}`;
}

function itemIdOf(asked: string): string {
  if (
    Buffer.byteLength(asked) > ITEM_ID_BYTES_MAX ||
    parseDueOrder(`${'0'.repeat(14)}-${asked}`) === undefined
  )
    throw notFound('There is no such message in the queue.');
  return asked;
}

function actionOf(asked: unknown): ItemAction {
  if (typeof asked !== 'string' || !Object.hasOwn(ACTION_NAMES, asked))
    throw badField('The action must be one of retry, hold, release and cancel: use the buttons of the page.');
  return asked as ItemAction;
}

async function isAllHeld(consoles: Console, itemId: string): Promise<boolean> {
  const item = await readItem(consoles.pages.deps.store, itemId);
  return item !== undefined && !item.recipients.some(({ state }) => state === 'waiting');
}
