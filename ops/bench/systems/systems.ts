/** Every system by name: how its servers are started, and how a client reaches them. */
import { EtcdClient } from './etcd-client.ts';
import { startEtcd } from './etcd.ts';
import { JetStreamClient } from './jetstream-client.ts';
import { startJetStream } from './jetstream.ts';
import { PennCloudClient } from './penncloud-client.ts';
import { startPennCloud, type PennCloudOptions } from './penncloud.ts';
import { RedisClient } from './redis-client.ts';
import { startRedis } from './redis.ts';
import type { Access, Client, RunningSystem, SystemName } from './system.ts';

/** `folder` is the system's own. Throws BenchFailed. */
export function startSystem(
  system: SystemName,
  folder: string,
  pennCloud: PennCloudOptions,
): Promise<RunningSystem> {
  switch (system) {
    case 'penncloud':
      return startPennCloud(folder, pennCloud);
    case 'etcd':
      return startEtcd(folder);
    case 'redis':
      return startRedis(folder);
    case 'jetstream':
      return startJetStream(folder);
  }
}

export async function openClient(access: Access): Promise<Client> {
  const leader = access.servers[0]!;
  switch (access.system) {
    case 'penncloud':
      return new PennCloudClient(access);
    case 'etcd':
      return new EtcdClient(leader);
    case 'redis':
      return new RedisClient(leader);
    case 'jetstream':
      return JetStreamClient.open(leader);
  }
}
