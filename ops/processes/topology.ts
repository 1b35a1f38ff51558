/**
 * The processes of a local cluster and where each listens, all ports shifted by one offset. The web and
 * SMTP listen on the host of the settings; the rest is the cluster's own and stays on loopback.
 * Processes that serve no HTTP have a health port beside; what serves nobody has that one alone.
 */
import type { ProcessKind } from '../../storage-nodes/wire/notices.ts';
import type { Settings } from './settings.ts';

export type ProcessPlan = {
  readonly id: string;
  readonly kind: ProcessKind | 'nats' | 'etcd';
  readonly host: string;
  readonly port: number;
  /** How its port is spoken to, if it serves the web. */
  readonly scheme?: 'http' | 'https';
  /** Where `/healthz` answers (etcd: `/health`), in that scheme; undefined for NATS. */
  readonly health: { readonly host: string; readonly port: number } | undefined;
  /** What the port is, for the table of addresses. */
  readonly serves: string;
};

export type NodeAddress = { readonly id: string; readonly host: string; readonly port: number };

const LOOPBACK = '127.0.0.1';
const NODE_COUNT = 3;
const ETCD_COUNT = 3;
/** From an etcd member's client port to the one for its peers. */
export const ETCD_PEER_PORT_STEP = 10;

export type PlanSettings = Pick<Settings, 'portOffset' | 'host' | 'gateways'> &
  Partial<Pick<Settings, 'configStore' | 'etcdEndpoints' | 'frontDoor' | 'tlsCertFile'>>;

/** Where our own users' mail clients hand in what they send; the process that takes mail in serves them, too. */
export function submissionPorts({ portOffset }: Pick<Settings, 'portOffset'>): {
  readonly startTls: number;
  readonly implicitTls: number;
} {
  return { startTls: 2587 + portOffset, implicitTls: 2465 + portOffset };
}

/** In start order; they stop in reverse. */
export function planCluster(settings: PlanSettings): ProcessPlan[] {
  const { host, portOffset, configStore = 'embedded', etcdEndpoints = [] } = settings;
  const scheme = settings.tlsCertFile ? 'https' : 'http';
  // Behind a front door that carries everything, gateways are the cluster's own: on loopback, in the clear.
  const inside = settings.frontDoor === 'proxy';
  const inner = (
    id: string,
    kind: ProcessKind,
    port: number,
    healthPort: number,
    serves: string,
  ): ProcessPlan => ({
    id,
    kind,
    host: LOOPBACK,
    port: port + portOffset,
    health: { host: LOOPBACK, port: healthPort + portOffset },
    serves,
  });
  const gateway = (n: number): ProcessPlan => {
    const [at, port] = [inside ? LOOPBACK : host, 8000 + n + portOffset];
    return {
      id: `gateway-${n}`,
      kind: 'gateway',
      host: at,
      port,
      scheme: inside ? 'http' : scheme,
      health: { host: reachable(at), port },
      serves: 'gateway',
    };
  };
  const series = <T>(count: number, make: (number: number) => T): T[] =>
    Array.from({ length: count }, (_, index) => make(index + 1));
  return [
    { id: 'nats', kind: 'nats', host: LOOPBACK, port: 4622 + portOffset, health: undefined, serves: 'NATS' },
    ...(configStore === 'etcd' && etcdEndpoints.length === 0
      ? series(ETCD_COUNT, (n): ProcessPlan => ({
          id: `etcd-${n}`,
          kind: 'etcd',
          host: LOOPBACK,
          port: 7200 + n + portOffset,
          health: { host: LOOPBACK, port: 7200 + n + portOffset },
          serves: 'etcd',
        }))
      : []),
    inner('master', 'master', 7000, 7100, 'master'),
    ...(configStore === 'etcd' ? [inner('master-2', 'master', 7050, 7150, 'master')] : []),
    ...series(NODE_COUNT, (n) => inner(`node-${n}`, 'storage-node', 7000 + n, 7100 + n, 'storage node')),
    ...series(settings.gateways, gateway),
    { ...inner('smtp-in', 'smtp-in', 2525, 7125, 'SMTP (mail from other servers)'), host },
    inner('smtp-out', 'smtp-out', 7126, 7126, 'mail to other servers'),
    {
      id: 'front-door',
      kind: 'front-door',
      host,
      port: 8000 + portOffset,
      scheme,
      health: { host: reachable(host), port: 8000 + portOffset },
      serves: 'front door',
    },
  ];
}

export function addressesOf(wanted: ProcessPlan['kind'], plans: readonly ProcessPlan[]): NodeAddress[] {
  return plans.filter(({ kind }) => kind === wanted).map(({ id, host, port }) => ({ id, host, port }));
}

/** Client URLs of the etcd members: those of the settings, or the local ones. */
export function etcdEndpointsOf(settings: PlanSettings, plans: readonly ProcessPlan[]): string[] {
  if (settings.etcdEndpoints?.length) return settings.etcdEndpoints;
  return addressesOf('etcd', plans).map(({ host, port }) => `http://${host}:${port}`);
}

/** Where a client on this machine reaches what listens on `host`. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return LOOPBACK;
  return host === '::' ? '::1' : host;
}

/** `http://…` or `https://…` without a path; IPv6 in brackets. */
export function httpUrl(place: Pick<ProcessPlan, 'host' | 'port' | 'scheme'>): string {
  const { host, port, scheme = 'http' } = place;
  const name = host === LOOPBACK || host === '::1' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `${scheme}://${name}:${port}`;
}
