/**
 * Live pages: server-sent events that say what changed, never what it is; the script then fetches the
 * fragment it shows. The first word is which state the store is in: a page that shows an older one, because it
 * was away or is just opening, fetches anew. Notices may get lost, and that is fine: while they cannot be heard
 * at all, each heartbeat says "changed".
 */
import type { FastifyInstance } from 'fastify';
import type { CommitNotice } from '../../../storage-nodes/client/notices.ts';
import type { Pages } from '../../pages/pages.ts';
import { PageRefusal } from '../../pages/refusals.ts';
import { ChangedRows } from './changed-rows.ts';

const HEARTBEAT_MS = 15_000;
/** After so many heartbeats the session is checked again: one that was ended elsewhere stops hearing. */
const CHECK_EVERY = 4;
const STREAMS_MAX = 2000;

export function registerLive(app: FastifyInstance, pages: Pages): void {
  const { notices } = pages.deps;
  const open = new Set<() => void>();
  app.addHook('preClose', (done) => {
    for (const end of open) end();
    done();
  });

  // Not for HEAD: there would be nothing to listen to.
  app.head('/live', (_request, reply) =>
    reply.header('cache-control', 'no-store').type('text/event-stream; charset=utf-8').send(),
  );
  app.get('/live', { exposeHeadRoute: false }, async (request, reply) => {
    const visit = await pages.visits.find(request);
    // 204 tells an EventSource to stay away instead of trying for ever.
    if (visit === undefined) return reply.status(204).send();
    if (open.size >= STREAMS_MAX)
      throw new PageRefusal(503, 'Busy', 'Too many pages are open: this one is not live.');
    reply.hijack();
    const raw = reply.raw;
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
      // Nothing follows a stream that ended: a gateway that leaves has one connection less to wait for.
      connection: 'close',
    });
    raw.write('retry: 2000\n\n');

    const changed = new ChangedRows(raw);
    const stopListening = notices.onCommitted((notice) => {
      for (const row of rowsOf(notice, visit.stream)) changed.tell(row);
    });
    // Read once listening has begun: a page of an older state than this fetches anew.
    void pages.visits.find(request).then(
      (now) => raw.write(`event: hello\ndata: ${now?.at ?? ''}\n\n`),
      () => raw.write('event: hello\ndata:\n\n'),
    );
    let beats = 0;
    const heartbeat = setInterval(() => {
      raw.write(':\n\n');
      if (!notices.connected()) changed.tell('');
      if (++beats % CHECK_EVERY === 0) void stillOpen().then((yes) => yes || end());
    }, HEARTBEAT_MS);
    const stillOpen = () =>
      pages.visits.find(request).then(
        (found) => found !== undefined,
        () => true,
      );
    const end = () => {
      stopListening();
      clearInterval(heartbeat);
      changed.stop();
      open.delete(end);
      raw.end();
    };
    open.add(end);
    raw.once('close', end);
    return reply;
  });
}

/** What of a notice is an account's own, without the stream's name; '' if it is not known what. */
function rowsOf(notice: CommitNotice, stream: string): string[] {
  if (notice.rows.length === 0) return [''];
  return notice.rows
    .filter((row) => row === stream || row.startsWith(`${stream}/`))
    .map((row) => row.slice(stream.length + 1));
}
