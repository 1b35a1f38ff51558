/**
 * What happened: the entries of one tablet's log, newest first, with a seek by position. What users
 * wrote is not shown: an entry's parts are told by their length only.
 */
import type { FastifyInstance } from 'fastify';
import type { LoggedEntry, TabletStatus } from '../../storage-nodes/client/client.ts';
import { notFound } from '../pages/refusals.ts';
import type { Console } from './console.ts';

const ENTRIES_PER_PAGE = 20;

type EventsRoute = { Querystring: { tablet?: unknown; seq?: unknown } };

export function registerEvents(app: FastifyInstance, consoles: Console): void {
  app.get<EventsRoute>('/admin/events', async (request, reply) => {
    await consoles.admit(request);
    const { store } = consoles.pages.deps;
    const tablets = await store.tabletStatus();
    const chosen = choose(tablets, request.query.tablet);
    const newest = chosen.committed;
    const top = topSeq(request.query.seq, newest);
    const bottom = Math.max(1, top - ENTRIES_PER_PAGE + 1);
    const entries = top === 0 ? [] : await store.readLog(chosen.id, bottom, top - bottom + 1);
    return consoles.show(request, reply, {
      title: 'Events',
      tab: 'events',
      template: 'admin/events.hbs',
      data: {
        tablets: tablets.map(({ id, committed }) => ({ id, committed, current: id === chosen.id })),
        tablet: chosen.id,
        entries: [...entries]
          .filter(({ seq }) => seq <= top)
          .reverse()
          .map(entryView),
        seq: top,
        range: top === 0 ? '' : `${bottom}–${top} of ${newest}`,
        newer: top < newest ? Math.min(newest, top + ENTRIES_PER_PAGE) : undefined,
        older: bottom > 1 ? bottom - 1 : undefined,
      },
    });
  });
}

/** The tablet asked for; else the one where most has happened. Throws PageRefusal 404. */
function choose(tablets: readonly TabletStatus[], asked: unknown): TabletStatus {
  const found =
    asked === undefined
      ? [...tablets].sort((a, b) => b.committed - a.committed)[0]
      : tablets.find(({ id }) => id === asked);
  if (found === undefined) throw notFound('There is no such tablet.');
  return found;
}

/** The position to start from, downwards; what is no position means the newest. */
function topSeq(asked: unknown, newest: number): number {
  const seq = typeof asked === 'string' && /^\d{1,15}$/.test(asked) ? Number(asked) : newest;
  return Math.min(Math.max(seq, Math.min(1, newest)), newest);
}

function entryView(entry: LoggedEntry) {
  const { seq, epoch, streamSeq, commandId, causation, events, parts } = entry;
  return {
    seq,
    time: entry.time,
    action: entry.action || (entry.stream === '' ? 'Open epoch' : ''),
    actor: entry.actor || 'the tablet',
    stream: entry.stream,
    types: events.map(({ type }) => type).join(', ') || 'no event',
    json: JSON.stringify({ seq, epoch, streamSeq, commandId, causation, events, parts }, plainValue, 2),
  };
}

/** Positions may be big integers and hashes bytes: both as text. */
function plainValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
}
