/** The config store that the settings name, opened by a master; with etcd, the election among masters too. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigStore } from '../../storage-nodes/master/config-store.ts';
import { EmbeddedConfigStore } from '../../storage-nodes/master/embedded-config-store.ts';
import { EtcdConfigStore } from '../../storage-nodes/master/etcd-config-store.ts';
import { EtcdElection } from '../../storage-nodes/master/etcd-election.ts';
import type { EtcdOptions } from '../../storage-nodes/master/etcd-gateway.ts';
import type { Logger } from './logger.ts';
import { SettingsError, type Settings } from './settings.ts';
import { etcdEndpointsOf, planCluster } from './topology.ts';

export type OpenedStore = {
  readonly store: ConfigStore;
  /** Whether this master may create tablets and suggest. */
  readonly isActive: () => boolean;
  close(): Promise<void>;
};

/** `name`: the master's. `folder`: its own. Throws SettingsError if a file that the settings name cannot be read. */
export async function openConfigStore(
  settings: Settings,
  { name, folder, logger }: { name: string; folder: string; logger: Logger },
): Promise<OpenedStore> {
  if (settings.configStore === 'embedded') {
    const store = new EmbeddedConfigStore({ folder: join(folder, 'config'), logger });
    await store.open();
    return { store, isActive: () => true, close: () => store.close() };
  }
  const etcd = { ...etcdOptions(settings), prefix: settings.etcdPrefix, logger };
  const store = new EtcdConfigStore(etcd);
  const election = new EtcdElection({ ...etcd, name });
  await store.open();
  election.start();
  return {
    store,
    isActive: () => election.isActive,
    close: async () => {
      await election.stop();
      await store.close();
    },
  };
}

function etcdOptions(settings: Settings): EtcdOptions {
  const { etcdUser, etcdPasswordFile, etcdCaFile, etcdCertFile, etcdKeyFile } = settings;
  const password = contentOf('PENNCLOUD_ETCD_PASSWORD_FILE', etcdPasswordFile);
  const ca = contentOf('PENNCLOUD_ETCD_CA_FILE', etcdCaFile);
  const cert = contentOf('PENNCLOUD_ETCD_CERT_FILE', etcdCertFile);
  const key = contentOf('PENNCLOUD_ETCD_KEY_FILE', etcdKeyFile);
  if ((etcdUser === '') !== (password === undefined))
    throw new SettingsError(
      'PENNCLOUD_ETCD_USER and PENNCLOUD_ETCD_PASSWORD_FILE go together: set both, or none.',
    );
  if ((cert === undefined) !== (key === undefined))
    throw new SettingsError(
      'PENNCLOUD_ETCD_CERT_FILE and PENNCLOUD_ETCD_KEY_FILE go together: set both, or none.',
    );
  return {
    endpoints: etcdEndpointsOf(settings, planCluster(settings)),
    ...(password !== undefined && { credentials: { user: etcdUser, password: password.trim() } }),
    tls: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
  };
}

function contentOf(variable: string, path: string): string | undefined {
  if (path === '') return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new SettingsError(`${variable} names ${path}, which cannot be read: ${(error as Error).message}.`);
  }
}
