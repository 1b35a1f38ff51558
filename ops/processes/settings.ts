/**
 * Settings: everything an operator can choose, read once at start from the environment and from the
 * JSON file that PENNCLOUD_SETTINGS names (the environment wins), and checked before anything is
 * opened. A wrong value is a SettingsError whose message names the variable and its limit.
 *
 * What the cluster makes for itself (secrets, who its nodes are) is not here but in cluster-file.ts.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { MAIL_TABLE } from './mail-settings.ts';
import { commaList } from './setting-lists.ts';

const MIB = 1024 * 1024;
const count = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const domain = z.string().regex(/^(?=.{1,253}$)[a-z0-9-]+(\.[a-z0-9-]+)*$/);

export type Route = { readonly id: string; readonly host: string; readonly port: number };

function routesIn(list: string): readonly Route[] {
  return list
    .split(',')
    .filter((route) => route !== '')
    .map((route) => {
      const [, id, host, port] = /^([^=]+)=(.+):(\d+)$/.exec(route)!;
      return { id: id!, host: host!, port: Number(port) };
    });
}

/** Each setting: its variable, its name in the settings file, its default, what it takes and means. */
const TABLE = {
  dataFolder: {
    variable: 'PENNCLOUD_DATA',
    fallback: './data',
    schema: z.string().min(1),
    takes: 'a folder, created if missing',
    means: 'where the cluster keeps its data and its logs',
  },
  portOffset: {
    variable: 'PENNCLOUD_PORT_OFFSET',
    fallback: 0,
    schema: count(0, 50_000),
    takes: 'a whole number from 0 to 50000',
    means: 'added to every port, so that clusters run side by side',
  },
  host: {
    variable: 'PENNCLOUD_HOST',
    fallback: '127.0.0.1',
    schema: z.union([z.ipv4(), z.ipv6()]),
    takes: 'an IP address (0.0.0.0 for all)',
    means: 'where the web and SMTP ports listen; everything else stays on loopback',
  },
  domains: {
    variable: 'PENNCLOUD_DOMAIN',
    fallback: 'penncloud.test',
    schema: commaList.pipe(z.array(z.string().toLowerCase().pipe(domain)).min(1).max(100)),
    takes: 'domain names, with commas between them',
    means: 'the mail domains served; localhost always is',
  },
  gateways: {
    variable: 'PENNCLOUD_GATEWAYS',
    fallback: 2,
    schema: count(1, 16),
    takes: 'a whole number from 1 to 16',
    means: 'how many gateways a local cluster runs',
  },
  frontDoor: {
    variable: 'PENNCLOUD_FRONT_DOOR',
    fallback: 'redirect',
    schema: z.enum(['redirect', 'proxy']),
    takes: 'redirect or proxy',
    means:
      'whether the front door sends clients on to gateways, or carries everything itself so that people see one address',
  },
  tlsCertFile: {
    variable: 'PENNCLOUD_TLS_CERT_FILE',
    fallback: '',
    schema: z.string(),
    takes: 'a file (PEM, the chain included), or nothing',
    means:
      'the certificate of the web and mail ports, read anew when it changes, and on SIGHUP; with one the web speaks HTTPS',
  },
  tlsKeyFile: {
    variable: 'PENNCLOUD_TLS_KEY_FILE',
    fallback: '',
    schema: z.string(),
    takes: 'a file (PEM), or nothing',
    means: 'the key of that certificate',
  },
  drainSeconds: {
    variable: 'PENNCLOUD_DRAIN_SECONDS',
    fallback: 30,
    schema: count(1, 3600),
    takes: 'a whole number from 1 to 3600',
    means: 'how long a gateway that is asked to stop waits for requests in flight',
  },
  configStore: {
    variable: 'PENNCLOUD_CONFIG_STORE',
    fallback: 'embedded',
    schema: z.enum(['embedded', 'etcd']),
    takes: 'embedded or etcd',
    means: 'who keeps the configurations: one master itself, or an etcd cluster that two masters ask',
  },
  etcdEndpoints: {
    variable: 'PENNCLOUD_ETCD_ENDPOINTS',
    fallback: '',
    schema: commaList.pipe(z.array(z.url({ protocol: /^https?$/ })).max(20)),
    takes: 'URLs (http:// or https://), with commas between them; none: three local members are started',
    means: 'the client URLs of an etcd cluster that runs already',
  },
  etcdPrefix: {
    variable: 'PENNCLOUD_ETCD_PREFIX',
    fallback: '/penncloud/',
    schema: z.string().regex(/^\/[\x21-\x7e]{0,200}\/$/),
    takes: 'a path that begins and ends with a slash',
    means: "where this cluster's keys lie in etcd",
  },
  etcdUser: {
    variable: 'PENNCLOUD_ETCD_USER',
    fallback: '',
    schema: z.string().max(200),
    takes: 'a name, or nothing where etcd asks for none',
    means: 'the user that etcd knows the masters by',
  },
  etcdPasswordFile: {
    variable: 'PENNCLOUD_ETCD_PASSWORD_FILE',
    fallback: '',
    schema: z.string(),
    takes: 'a file, or nothing',
    means: "where that user's password stands",
  },
  etcdCaFile: {
    variable: 'PENNCLOUD_ETCD_CA_FILE',
    fallback: '',
    schema: z.string(),
    takes: 'a file (PEM), or nothing',
    means: "the authority that signed etcd's certificates",
  },
  etcdCertFile: {
    variable: 'PENNCLOUD_ETCD_CERT_FILE',
    fallback: '',
    schema: z.string(),
    takes: 'a file (PEM), or nothing',
    means: 'the certificate that the masters show etcd',
  },
  etcdKeyFile: {
    variable: 'PENNCLOUD_ETCD_KEY_FILE',
    fallback: '',
    schema: z.string(),
    takes: 'a file (PEM), or nothing',
    means: 'the key of that certificate',
  },
  kvValueBytesMax: {
    variable: 'PENNCLOUD_KV_VALUE_BYTES_MAX',
    fallback: 64 * MIB,
    schema: count(1, 64 * MIB),
    takes: `a number of bytes from 1 to ${64 * MIB}`,
    means: 'the longest value that `kv put` takes',
  },
  undoSendSeconds: {
    variable: 'PENNCLOUD_UNDO_SEND_SECONDS',
    fallback: 10,
    schema: count(0, 60),
    takes: 'a whole number from 0 to 60',
    means: 'how long a message can be taken back after it was sent',
  },
  messageBytesMax: {
    variable: 'PENNCLOUD_MESSAGE_BYTES_MAX',
    fallback: 40 * MIB,
    schema: count(1024, 64 * MIB),
    takes: `a number of bytes from 1024 to ${64 * MIB}`,
    means: 'the longest mail message taken in',
  },
  scrubSeconds: {
    variable: 'PENNCLOUD_SCRUB_SECONDS',
    fallback: 600,
    schema: count(1, 24 * 3600),
    takes: 'a whole number from 1 to 86400',
    means: "how long after one tablet's log was read again for damage the next one's turn comes",
  },
  routes: {
    variable: 'PENNCLOUD_ROUTES',
    fallback: '',
    schema: z
      .string()
      .regex(/^([a-z0-9-]+=[^=,\s]+:\d{1,5}(,(?=.)|$))*$/)
      .transform(routesIn),
    takes: 'ID=HOST:PORT, with commas between them',
    means: 'where this process reaches nodes and masters, if not at their own addresses (a relay, a tunnel)',
  },
  logLevel: {
    variable: 'PENNCLOUD_LOG_LEVEL',
    fallback: 'info',
    schema: z.enum(['trace', 'debug', 'info', 'warn', 'error']),
    takes: 'trace, debug, info, warn or error',
    means: 'how much each process logs',
  },
  ...MAIL_TABLE,
} as const;

type Name = keyof typeof TABLE;

export type Settings = { readonly [N in Name]: z.output<(typeof TABLE)[N]['schema']> };

/** One line of `penncloud config`. */
export type SettingReport = {
  readonly name: Name;
  readonly variable: string;
  readonly value: unknown;
  /** As it was written, for a person. */
  readonly given: string;
  readonly source: 'default' | 'environment' | 'settings file';
  readonly takes: string;
  readonly means: string;
};

export class SettingsError extends Error {}

type Environment = Readonly<Record<string, string | undefined>>;

/** `settings.dataFolder` is absolute. Throws SettingsError. */
export function readSettings(environment: Environment = process.env): Settings {
  const values = reportSettings(environment).map(({ name, value }) => [name, value]);
  return Object.fromEntries(values) as Settings;
}

export function reportSettings(environment: Environment = process.env): SettingReport[] {
  const file = readSettingsFile(environment);
  return (Object.keys(TABLE) as Name[]).map((name) => {
    const { variable, fallback, schema, takes, means } = TABLE[name];
    const [raw, source] = environment[variable]
      ? [environment[variable], 'environment' as const]
      : file.values[name] !== undefined
        ? [file.values[name], 'settings file' as const]
        : [fallback, 'default' as const];
    const parsed = schema.safeParse(raw);
    if (!parsed.success) {
      const place = source === 'settings file' ? `${name} in ${file.path}` : variable;
      throw new SettingsError(`${place} is ${JSON.stringify(raw)}, but it must be ${takes}.`);
    }
    const value = name === 'dataFolder' ? resolve(String(parsed.data)) : parsed.data;
    const given = name === 'dataFolder' ? String(value) : String(raw);
    return { name, variable, value, given, source, takes, means };
  });
}

function readSettingsFile(environment: Environment): { path: string; values: Record<string, unknown> } {
  const path = environment['PENNCLOUD_SETTINGS'];
  if (!path) return { path: '', values: {} };
  const values = parseSettingsFile(path);
  const unknown = Object.keys(values).find((name) => !(name in TABLE));
  if (unknown !== undefined) {
    throw new SettingsError(
      `PENNCLOUD_SETTINGS: ${path} has the unknown setting "${unknown}"; there are ${Object.keys(TABLE).join(', ')}.`,
    );
  }
  return { path, values };
}

function parseSettingsFile(path: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    const reason = error instanceof z.ZodError ? 'it must hold one JSON object' : (error as Error).message;
    throw new SettingsError(`PENNCLOUD_SETTINGS names ${path}, which cannot be used: ${reason}.`);
  }
}
