/**
 * Nodes and tablets, as heartbeats and the tablet map tell them: counts first, then who is alive, which
 * role each node has in each tablet, and how far a copy lags behind its primary.
 */
import type { FastifyInstance } from 'fastify';
import type { TabletStatus } from '../../storage-nodes/client/client.ts';
import type { Heartbeat, ProcessKind } from '../../storage-nodes/client/notices.ts';
import { alarmOf, COPIES_WANTED } from '../../storage-nodes/client/tablet-alarms.ts';
import type { LifeSign } from '../liveness/liveness.ts';
import { spanInWords } from '../pages/wording.ts';
import type { Console } from './console.ts';

/** A page must not wait for a store that does not answer: it then shows what heartbeats say. */
const STATUS_WAIT_MS = 1_500;
const OUTAGE_SHOWN_MS = 3_600_000;
/** A count that the store did not tell in time. */
const UNKNOWN = '–';

const KIND_WORDS: Readonly<Record<ProcessKind, string>> = {
  master: 'Master',
  'storage-node': 'Storage node',
  gateway: 'Gateway',
  'front-door': 'Front door',
  'smtp-in': 'SMTP intake',
  'smtp-out': 'SMTP delivery',
};

export function registerNodes(app: FastifyInstance, consoles: Console): void {
  app.get('/admin/nodes', (_request, reply) => reply.redirect('/admin', 303));

  app.get<{ Querystring: Record<string, unknown> }>('/admin', async (request, reply) => {
    await consoles.admit(request);
    const signs = consoles.liveness.signs();
    const tablets = await statusWithin(consoles, STATUS_WAIT_MS);
    const view = {
      title: 'Nodes',
      tab: 'nodes' as const,
      data: {
        counts: countsOf(signs, tablets),
        nodes: signs.map(nodeView),
        alarms: [...alarmsOfTablets(signs, tablets ?? []), ...alarmsOf(signs)],
        hearing: consoles.pages.deps.notices.connected(),
        wasAway: outageInWords(consoles.pages.deps.notices.away()),
      },
    };
    if (request.query['fragment'] === 'list') {
      return consoles.pages.showFragment(request, reply, { ...view, template: 'admin/node-list.hbs' });
    }
    return consoles.show(request, reply, { ...view, template: 'admin/nodes.hbs' });
  });

  app.get('/admin/tablets', async (request, reply) => {
    await consoles.admit(request);
    const signs = consoles.liveness.signs();
    const tablets = await statusWithin(consoles, STATUS_WAIT_MS);
    return consoles.show(request, reply, {
      title: 'Tablets',
      tab: 'tablets',
      template: 'admin/tablets.hbs',
      alert: tablets === undefined ? 'The store did not answer in time: please try again.' : undefined,
      data: {
        counts: countsOf(signs, tablets),
        alarms: alarmsOfTablets(signs, tablets ?? []),
        tablets: (tablets ?? []).map((tablet) => tabletView(tablet, signs)),
      },
    });
  });
}

/** An outage of NATS that is over, for an hour. */
function outageInWords(away: { from: number; until: number | undefined } | undefined): string | undefined {
  if (away?.until === undefined || Date.now() - away.until > OUTAGE_SHOWN_MS) return undefined;
  return `NATS was away for ${spanInWords(away.until - away.from)}, until ${spanInWords(Date.now() - away.until)} ago`;
}

/** Undefined if the store does not answer in time. */
async function statusWithin(consoles: Console, waitMs: number): Promise<readonly TabletStatus[] | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), waitMs)));
  try {
    return await Promise.race([consoles.pages.deps.store.tabletStatus().catch(() => undefined), late]);
  } finally {
    clearTimeout(timer);
  }
}

function countsOf(signs: readonly LifeSign[], tablets: readonly TabletStatus[] | undefined) {
  const inState = (state: LifeSign['state']) => signs.filter((sign) => sign.state === state).length;
  return {
    live: inState('live'),
    suspect: inState('suspect'),
    dead: inState('dead'),
    tablets: tablets?.length ?? UNKNOWN,
    underReplicated: tablets?.filter((tablet) => tablet.inSync.length < COPIES_WANTED).length ?? UNKNOWN,
    unavailable: tablets?.filter((tablet) => !tablet.serving).length ?? UNKNOWN,
  };
}

function nodeView({ heartbeat, ageMs, state }: LifeSign) {
  const tablets = heartbeat.tablets ?? [];
  const behind = Math.max(0, ...tablets.map(({ last, applied }) => last - applied));
  return {
    id: heartbeat.id,
    kind: KIND_WORDS[heartbeat.kind],
    address: heartbeat.address,
    state,
    status: state === 'live' ? heartbeat.status : state,
    heard: state === 'live' ? 'now' : `${spanInWords(ageMs)} ago`,
    up: state === 'dead' ? '' : spanInWords(Date.now() - heartbeat.startedAt),
    load: heartbeat.load,
    residentBytes: heartbeat.residentBytes,
    pid: heartbeat.pid,
    roles: heartbeat.tablets === undefined ? '' : rolesInWords(tablets),
    behind: heartbeat.tablets === undefined ? '' : behind,
  };
}

function rolesInWords(tablets: NonNullable<Heartbeat['tablets']>): string {
  const counts = new Map<string, number>();
  for (const { role } of tablets) counts.set(role, (counts.get(role) ?? 0) + 1);
  // In one order on all nodes: "primary" comes before "replica".
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([role, count]) => `${count} ${role}`).join(', ') || 'no tablets';
}

function alarmsOf(signs: readonly LifeSign[]): string[] {
  return signs
    .filter(({ state }) => state !== 'dead')
    .flatMap(({ heartbeat }) => heartbeat.alarms.map((alarm) => `${heartbeat.id}: ${alarm}`));
}

function alarmsOfTablets(signs: readonly LifeSign[], tablets: readonly TabletStatus[]): string[] {
  const heard = signs.filter(({ state }) => state !== 'dead');
  return tablets.flatMap((tablet) => {
    const roles = new Map<string, string>();
    for (const { heartbeat } of heard) {
      const role = heartbeat.tablets?.find(({ id }) => id === tablet.id)?.role;
      if (role) roles.set(heartbeat.id, role);
    }
    return alarmOf(tablet, roles) ?? [];
  });
}

/** A tablet with each of its copies: role, state, and how many entries it lacks of what is committed. */
function tabletView(tablet: TabletStatus, signs: readonly LifeSign[]) {
  const replicas = [...new Set([...tablet.replicas, ...tablet.inSync, tablet.primary])];
  return {
    id: tablet.id,
    from: tablet.from,
    to: tablet.to,
    version: tablet.version,
    epoch: tablet.epoch,
    committed: tablet.committed,
    serving: tablet.serving,
    under: tablet.inSync.length < COPIES_WANTED,
    copies: replicas.map((node) => {
      const sign = signs.find(({ heartbeat }) => heartbeat.kind === 'storage-node' && heartbeat.id === node);
      const own = sign?.heartbeat.tablets?.find(({ id }) => id === tablet.id);
      return {
        node,
        role:
          node === tablet.primary
            ? 'primary'
            : tablet.inSync.includes(node)
              ? 'replica'
              : (own?.role ?? 'away'),
        state: sign?.state ?? 'dead',
        // Heartbeats are a second old: a copy that was ahead of its primary's answer lags by nothing.
        lag: own === undefined ? '' : Math.max(0, tablet.committed - own.applied),
      };
    }),
  };
}
