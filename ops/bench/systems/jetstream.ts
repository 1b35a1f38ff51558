/**
 * Three NATS servers with JetStream and a key-value bucket of three replicas in files. A put is answered
 * once a majority has taken it, which here means written, not synced: this server syncs its files
 * in the background every two minutes, and that cannot be changed in its configuration.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUCKET, leaderOf, makeBucket } from './jetstream-client.ts';
import { freePorts, LOOPBACK, Program, versionOf } from './program.ts';
import { BenchFailed, type Address, type RunningSystem } from './system.ts';

const NAMES = ['jetstream-1', 'jetstream-2', 'jetstream-3'];
/** A 1 MB value with its headers is more than the default takes. */
const PAYLOAD_BYTES_MAX = 8 * 1024 * 1024;

export async function startJetStream(folder: string): Promise<RunningSystem> {
  const ports = await freePorts(NAMES.length * 2);
  const routes = NAMES.map((_, i) => `nats://${LOOPBACK}:${ports[NAMES.length + i]}`);
  const programs = NAMES.map((name, i) => {
    const own = join(folder, name);
    mkdirSync(own, { recursive: true });
    const configuration = join(folder, `${name}.conf`);
    writeFileSync(
      configuration,
      [
        `server_name: ${name}`,
        `listen: "${LOOPBACK}:${ports[i]}"`,
        `max_payload: ${PAYLOAD_BYTES_MAX}`,
        `jetstream { store_dir: ${JSON.stringify(own)} }`,
        `cluster { name: bench, listen: "${LOOPBACK}:${ports[NAMES.length + i]}", routes: ${JSON.stringify(routes)} }`,
      ].join('\n') + '\n',
    );
    return new Program(name, folder, 'nats-server', ['--config', configuration]);
  });
  const stop = async (): Promise<void> => void (await Promise.all(programs.map((program) => program.stop())));
  try {
    const servers = NAMES.map((id, i): Address => ({ id, host: LOOPBACK, port: ports[i]! }));
    await programs[0]!.until('the bucket has three current replicas', () => makeBucket(servers));
    const leader = (await leaderOf(servers)).name;
    return {
      access: {
        system: 'jetstream',
        servers: [...servers].sort((a, b) => Number(b.id === leader) - Number(a.id === leader)),
        secret: '',
      },
      version: versionOf('nats-server', '--version'),
      pids: programs.map(({ pid }) => pid),
      guarantees: () => guarantees(servers),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function guarantees(servers: readonly Address[]): Promise<string[]> {
  const { replicas, storage, current } = await leaderOf(servers);
  if (replicas !== NAMES.length || storage !== 'file' || current !== NAMES.length - 1) {
    throw new BenchFailed(
      `The bucket ${BUCKET} has ${replicas} replicas in ${storage}, ${current} followers current.`,
    );
  }
  return [
    `the bucket has ${replicas} replicas in files, both followers current; a put is acknowledged by a majority`,
    'nothing is synced before the acknowledgement (the server syncs in the background)',
  ];
}
