/**
 * Notices over NATS core subjects. While NATS is away every call does nothing: nothing is queued, since
 * a late heartbeat or notice is worse than none. What arrives is checked before listeners see it, and
 * one that does not fit is dropped.
 *
 * The connection is made in the background and again whenever it is lost; credentials are required.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, Events, type NatsConnection } from 'nats';
import { z } from 'zod';
import type { CommitNotice, ControlWish, Heartbeat, Notices } from './notices.ts';

/** What is logged here needs no more of a logger than this. */
type LineLogger = { info(facts: object, line: string): void; warn(facts: object, line: string): void };

const RECONNECT_WAIT_MS = 200;
const CONNECT_DEADLINE_MS = 2000;
/** A server that hangs is as good as gone: two pings without an answer end the connection. */
const PING_INTERVAL_MS = 500;
const PINGS_UNANSWERED_MAX = 2;

const natural = z.number().int().nonnegative();
const HeartbeatShape = z.object({
  kind: z.enum(['master', 'storage-node', 'gateway', 'front-door', 'smtp-in', 'smtp-out']),
  id: z.string().min(1).max(100),
  address: z.string().max(300),
  status: z.enum(['starting', 'serving', 'draining', 'disabled']),
  pid: natural,
  startedAt: z.number(),
  load: z.number(),
  residentBytes: natural,
  tablets: z
    .array(
      z.object({
        id: z.string(),
        role: z.enum(['primary', 'replica', 'learner', 'quarantined', 'starting']),
        version: natural,
        epoch: natural,
        last: natural,
        committed: natural,
        applied: natural,
      }),
    )
    .optional(),
  alarms: z.array(z.string().max(1000)),
});
const CommitNoticeShape = z.object({
  tablet: z.string(),
  epoch: natural,
  from: natural,
  to: natural,
  rows: z.array(z.string()),
});
const ControlWishShape = z.object({ wish: z.enum(['drain', 'disable', 'restart']) });
const ConfigHintShape = z.object({ tablet: z.string() });

export type NatsAddress = { readonly port: number; readonly user: string; readonly password: string };

/** Returns at once; `connected()` tells whether NATS is there. */
export function connectNotices(
  options: NatsAddress & { host?: string; name: string; logger: LineLogger },
): Notices {
  const { logger } = options;
  const subscribers = new Set<(connection: NatsConnection) => void>();
  let connection: NatsConnection | undefined;
  let connected = false;
  let closed = false;
  let away: { from: number; until: number | undefined } | undefined;

  async function open(): Promise<void> {
    for (let said = ''; !closed; await sleep(RECONNECT_WAIT_MS)) {
      try {
        return await opened(await connectOnce());
      } catch (error) {
        const { message } = error as Error;
        if (message !== said) logger.warn({ reason: message }, 'NATS cannot be reached; trying on');
        said = message;
      }
    }
  }

  function connectOnce(): Promise<NatsConnection> {
    return connect({
      servers: `${options.host ?? '127.0.0.1'}:${options.port}`,
      user: options.user,
      pass: options.password,
      name: options.name,
      timeout: CONNECT_DEADLINE_MS,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: PINGS_UNANSWERED_MAX,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      // Without it the client would give up after the same authentication error twice.
      ignoreAuthErrorAbort: true,
    });
  }

  async function opened(made: NatsConnection): Promise<void> {
    if (closed) return made.close();
    connection = made;
    connected = true;
    for (const subscribe of subscribers) subscribe(made);
    logger.info({ server: made.getServer() }, 'connected to NATS');
    followStatus(made);
  }

  function followStatus(made: NatsConnection): void {
    void (async () => {
      for await (const { type } of made.status()) {
        if (type === Events.Disconnect && connected) {
          connected = false;
          away = { from: Date.now(), until: undefined };
          if (!closed) logger.warn({}, 'lost NATS; going on without notices');
        } else if (type === Events.Reconnect) {
          connected = true;
          if (away) away.until = Date.now();
          logger.info({ server: made.getServer() }, 'connected to NATS again');
        }
      }
      connected = false;
    })();
  }

  function publish(subject: string, payload: object): void {
    if (connected && connection && !connection.isClosed())
      connection.publish(subject, JSON.stringify(payload));
  }

  function subscribe<T>(subject: string, shape: z.ZodType<T>, listener: (payload: T) => void): () => void {
    let unsubscribe = (): void => {};
    const open = (made: NatsConnection): void => {
      const subscription = made.subscribe(subject, {
        callback: (error, message) => {
          if (error) return;
          const payload = shape.safeParse(parseJson(message.string()));
          if (payload.success) listener(payload.data);
        },
      });
      unsubscribe = () => subscription.unsubscribe();
    };
    subscribers.add(open);
    if (connection && !connection.isClosed()) open(connection);
    return () => {
      subscribers.delete(open);
      unsubscribe();
    };
  }

  void open();
  return {
    beat: (heartbeat) => publish(`penncloud.alive.${heartbeat.kind}.${heartbeat.id}`, heartbeat),
    committed: (notice) => publish(`penncloud.committed.${notice.tablet}`, notice),
    configChanged: (tablet) => publish(`penncloud.config.${tablet}`, { tablet }),
    control: (node, wish) => publish(`penncloud.control.${node}`, wish),
    onHeartbeat: (listener) => subscribe<Heartbeat>('penncloud.alive.*.*', HeartbeatShape, listener),
    onCommitted: (listener) => subscribe<CommitNotice>('penncloud.committed.*', CommitNoticeShape, listener),
    onConfigChanged: (listener) =>
      subscribe('penncloud.config.*', ConfigHintShape, ({ tablet }) => listener(tablet)),
    onControl: (node, listener) =>
      subscribe<ControlWish>(`penncloud.control.${node}`, ControlWishShape, listener),
    connected: () => connected,
    away: () => away,
    close: async () => {
      closed = true;
      if (connected) await connection?.flush().catch(() => {});
      connected = false;
      await connection?.close();
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
