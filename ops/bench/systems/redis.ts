/**
 * A Redis primary with two replicas, each with an append-only file that is synced before anything is
 * answered (`appendfsync always`). Every put is followed by `WAIT 2`: a replica syncs its own file before
 * it acknowledges, so that a put is over when it is on all three disks.
 *
 * Turned off, in Redis's favour: snapshots, rewriting of the append-only file, and the limit on what
 * a replica may lag behind with large values.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { RedisConnection } from './redis-connection.ts';
import { freePorts, LOOPBACK, Program, versionOf } from './program.ts';
import { BenchFailed, type Address, type RunningSystem } from './system.ts';

const NAMES = ['redis-1', 'redis-2', 'redis-3'];

export async function startRedis(folder: string): Promise<RunningSystem> {
  const ports = await freePorts(NAMES.length);
  const programs: Program[] = [];
  const stop = async (): Promise<void> => void (await Promise.all(programs.map((program) => program.stop())));
  try {
    for (const [i, name] of NAMES.entries()) {
      const own = join(folder, name);
      mkdirSync(own, { recursive: true });
      const replicaOf = i === 0 ? [] : ['--replicaof', LOOPBACK, String(ports[0])];
      programs.push(
        new Program(name, folder, 'redis-server', [
          ...['--port', String(ports[i]), '--bind', LOOPBACK, '--dir', own, ...replicaOf],
          ...['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
          ...['--auto-aof-rewrite-percentage', '0', '--repl-diskless-sync-delay', '0'],
          ...['--client-output-buffer-limit', 'replica', '0', '0', '0'],
          ...['--loglevel', 'warning'],
        ]),
      );
    }
    const servers = NAMES.map((id, i): Address => ({ id, host: LOOPBACK, port: ports[i]! }));
    await programs[0]!.until('both replicas are online', async () => {
      const info = await ask(servers[0]!, ['INFO', 'replication']);
      return info.match(/state=online/g)?.length === 2;
    });
    return {
      access: { system: 'redis', servers, secret: '' },
      version: versionOf('redis-server', '--version'),
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
  for (const server of servers) {
    const policy = await ask(server, ['CONFIG', 'GET', 'appendfsync']);
    const persistence = await ask(server, ['INFO', 'persistence']);
    if (!policy.includes('always') || !persistence.includes('aof_enabled:1')) {
      throw new BenchFailed(`${server.id} does not sync its append-only file with each write.`);
    }
  }
  return [
    'all three say: aof_enabled 1, appendfsync always',
    'each put is answered after a WAIT for 2 replicas that returned 2 (anything less counts as an error)',
  ];
}

async function ask(server: Address, words: readonly string[]): Promise<string> {
  const connection = new RedisConnection(server);
  try {
    return String(await connection.send(words));
  } finally {
    connection.close();
  }
}
