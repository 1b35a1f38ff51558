/**
 * A real etcd cluster on loopback, in a throw-away folder: members can be killed, frozen and started again.
 * Kill and freeze signals go to the members' own pids; they end with this process (pdeathsig).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdGateway } from '../../storage-nodes/master/etcd-gateway.ts';
import { freePorts } from '../integration/ports.ts';

export type EtcdCluster = Awaited<ReturnType<typeof startEtcd>>;

type Status = { header?: { member_id: string }; leader?: string };

/** PEM; the certificate is its own authority, and what clients have to show. */
export type Certificate = { readonly cert: string; readonly key: string };

/** Resolves when every member answers. `certificate`: clients speak TLS and show it. */
export async function startEtcd(count = 3, certificate?: Certificate) {
  const folder = mkdtempSync(join(tmpdir(), 'penncloud-etcd-'));
  const ports = await freePorts(2 * count);
  const url = (port: number): string => `http://127.0.0.1:${port}`;
  const members = Array.from({ length: count }, (_, i) => ({
    name: `m${i + 1}`,
    client: certificate ? url(ports[i]!).replace('http:', 'https:') : url(ports[i]!),
    peer: url(ports[count + i]!),
  }));
  const tlsArgs: string[] = [];
  if (certificate) {
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    writeFileSync(certFile, certificate.cert);
    writeFileSync(keyFile, certificate.key);
    tlsArgs.push(
      '--cert-file',
      certFile,
      '--key-file',
      keyFile,
      '--client-cert-auth',
      '--trusted-ca-file',
      certFile,
    );
  }
  const running: (ChildProcess | undefined)[] = [];

  function start(i: number): void {
    const { name, client, peer } = members[i]!;
    const args = [
      ...['--name', name, '--data-dir', join(folder, name)],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', members.map((m) => `${m.name}=${m.peer}`).join(',')],
      ...tlsArgs,
      ...['--initial-cluster-token', folder, '--heartbeat-interval', '50', '--election-timeout', '500'],
    ];
    running[i] = spawn('setpriv', ['--pdeathsig', 'KILL', 'etcd', ...args], { stdio: 'ignore' });
  }

  async function status(i: number): Promise<Status | undefined> {
    const gateway = new EtcdGateway({
      endpoints: [members[i]!.client],
      ...(certificate && { tls: { ...certificate, ca: certificate.cert } }),
    });
    try {
      return (await gateway.call('/v3/maintenance/status', {}, 2000)) as Status;
    } catch {
      return undefined;
    } finally {
      gateway.close();
    }
  }

  /** Resolves with the leader's number once all of `expected` follow one. */
  async function settled(expected = members.map((_, i) => i)): Promise<number> {
    for (const deadline = performance.now() + 30_000; performance.now() < deadline; await sleep(50)) {
      const found = await Promise.all(expected.map(status));
      const leader = found[0]?.leader;
      if (!leader || leader === '0' || found.some((s) => s?.leader !== leader)) continue;
      const index = found.findIndex((s) => s?.header?.member_id === leader);
      if (index >= 0) return expected[index]!;
    }
    throw new Error('etcd found no leader within 30 s');
  }

  async function kill(i: number): Promise<void> {
    const member = running[i];
    if (!member || member.exitCode !== null || member.signalCode !== null) return;
    const ended = once(member, 'exit');
    member.kill('SIGKILL');
    await ended;
  }

  members.forEach((_, i) => start(i));
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((_, i) => kill(i)));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await settled();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    endpoints: members.map(({ client }) => client),
    start,
    kill,
    settled,
    freeze: (i: number) => running[i]!.kill('SIGSTOP'),
    thaw: (i: number) => running[i]!.kill('SIGCONT'),
    stop,
  };
}
