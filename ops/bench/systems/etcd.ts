/**
 * Three etcd members with their defaults: a put is answered once a majority has it in a synced
 * write-ahead log. Only the room for data is larger than the default, so that long runs do not hit it.
 */
import { join } from 'node:path';
import { EtcdClient } from './etcd-client.ts';
import { freePorts, LOOPBACK, Program, versionOf } from './program.ts';
import { BenchFailed, type Address, type RunningSystem } from './system.ts';

const MEMBERS = ['etcd-1', 'etcd-2', 'etcd-3'];
const QUOTA_BYTES = 64 * 1024 ** 3;

export async function startEtcd(folder: string): Promise<RunningSystem> {
  const ports = await freePorts(MEMBERS.length * 2);
  const url = (port: number): string => `http://${LOOPBACK}:${port}`;
  const peerUrl = (member: number): string => url(ports[MEMBERS.length + member]!);
  const clientUrl = (member: number): string => url(ports[member]!);
  const programs = MEMBERS.map(
    (name, member) =>
      new Program(name, folder, 'etcd', [
        ...['--name', name, '--data-dir', join(folder, name)],
        ...['--listen-client-urls', clientUrl(member), '--advertise-client-urls', clientUrl(member)],
        ...['--listen-peer-urls', peerUrl(member), '--initial-advertise-peer-urls', peerUrl(member)],
        ...['--initial-cluster', MEMBERS.map((id, i) => `${id}=${peerUrl(i)}`).join(',')],
        ...['--quota-backend-bytes', String(QUOTA_BYTES)],
        ...['--logger', 'zap', '--log-level', 'error'],
      ]),
  );
  const stop = async (): Promise<void> => void (await Promise.all(programs.map((program) => program.stop())));
  try {
    const servers = MEMBERS.map((id, i): Address => ({ id, host: LOOPBACK, port: ports[i]! }));
    const leader = await programs[0]!.until('etcd has a leader', () => leaderOf(servers));
    return {
      access: {
        system: 'etcd',
        servers: [leader, ...servers.filter((server) => server !== leader)],
        secret: '',
      },
      version: versionOf('etcd', '--version'),
      pids: programs.map(({ pid }) => pid),
      guarantees: () => guarantees(servers, leader),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Status = { readonly leader?: string; readonly header: { readonly member_id: string } };

/** The member that says of itself that it leads, once all of them answer and agree. */
async function leaderOf(servers: readonly Address[]): Promise<Address | undefined> {
  const statuses = await Promise.all(
    servers.map(async ({ port }) => {
      const address = `http://${LOOPBACK}:${port}/v3/maintenance/status`;
      const answer = await fetch(address, { method: 'POST', body: '{}', signal: AbortSignal.timeout(1000) });
      return (await answer.json()) as Status;
    }),
  );
  if (new Set(statuses.map(({ leader }) => leader)).size > 1) return undefined;
  return servers[statuses.findIndex(({ leader, header }) => leader === header.member_id)];
}

async function guarantees(servers: readonly Address[], leader: Address): Promise<string[]> {
  const syncs = (): Promise<number[]> => Promise.all(servers.map(syncsOf));
  const before = await syncs();
  const client = new EtcdClient(leader);
  for (let i = 0; i < 20; i++) await client.put('guarantee', Buffer.from(String(i)));
  await client.close();
  const after = await syncs();
  const counts = after.map((count, member) => count - before[member]!);
  if (counts.filter((count) => count >= 20).length < 2) {
    throw new BenchFailed(`etcd synced its log ${counts.join(', ')} times for 20 puts one after the other.`);
  }
  return [`20 puts one after the other made the members sync their logs ${counts.join(', ')} times`];
}

async function syncsOf({ port }: Address): Promise<number> {
  const metrics = await (await fetch(`http://${LOOPBACK}:${port}/metrics`)).text();
  return Number(/^etcd_disk_wal_fsync_duration_seconds_count (\S+)$/m.exec(metrics)?.[1] ?? 0);
}
