import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readSettings, reportSettings, SettingsError } from '../../../ops/processes/settings.ts';
import { planCluster } from '../../../ops/processes/topology.ts';

const folder = mkdtempSync(join(tmpdir(), 'penncloud-settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function settingsFile(content: string): string {
  const path = join(folder, 'settings.json');
  writeFileSync(path, content);
  return path;
}

describe('settings', () => {
  test('have the documented defaults', () => {
    expect(readSettings({})).toEqual({
      dataFolder: resolve('data'),
      portOffset: 0,
      frontDoor: 'redirect',
      tlsCertFile: '',
      tlsKeyFile: '',
      drainSeconds: 30,
      host: '127.0.0.1',
      domains: ['penncloud.test'],
      gateways: 2,
      configStore: 'embedded',
      etcdEndpoints: [],
      etcdPrefix: '/penncloud/',
      etcdUser: '',
      etcdPasswordFile: '',
      etcdCaFile: '',
      etcdCertFile: '',
      etcdKeyFile: '',
      kvValueBytesMax: 64 * 1024 * 1024,
      messageBytesMax: 40 * 1024 * 1024,
      scrubSeconds: 600,
      undoSendSeconds: 10,
      dnsResolvers: [],
      smtpGreetingDelayMs: 0,
      smtpMessagesPerMinute: 600,
      smtpRecipientsPerMinute: 1200,
      remoteSmtpPort: 25,
      outboundPrivate: 'refuse',
      outboundAnswerSeconds: 600,
      outboundCaFile: '',
      stsPort: 443,
      outboundSessions: 100,
      outboundSessionsPerDomain: 20,
      outboundPerSecond: 0,
      retryFirstSeconds: 60,
      retryMostSeconds: 4 * 3600,
      giveUpHours: 5 * 24,
      delayNoticeHours: 4,
      routes: [],
      logLevel: 'info',
    });
  });

  test('come from the environment first, then from the file, then from the defaults', () => {
    const PENNCLOUD_SETTINGS = settingsFile('{ "gateways": 3, "portOffset": 50 }');
    const report = reportSettings({ PENNCLOUD_SETTINGS, PENNCLOUD_PORT_OFFSET: '1000' });
    const of = (wanted: string) => report.find(({ name }) => name === wanted);
    expect(of('portOffset')).toMatchObject({ value: 1000, source: 'environment' });
    expect(of('gateways')).toMatchObject({ value: 3, source: 'settings file' });
    expect(of('logLevel')).toMatchObject({ value: 'info', source: 'default' });
  });

  test('take other ways to nodes and masters', () => {
    const { routes } = readSettings({ PENNCLOUD_ROUTES: 'node-2=127.0.0.1:4001,master=::1:4002' });
    expect(routes).toEqual([
      { id: 'node-2', host: '127.0.0.1', port: 4001 },
      { id: 'master', host: '::1', port: 4002 },
    ]);
    for (const wrong of ['node-2', 'node-2=host', 'node-2=:1', 'node-2=host:1,', '=host:1']) {
      expect(() => readSettings({ PENNCLOUD_ROUTES: wrong })).toThrow(/PENNCLOUD_ROUTES .* ID=HOST:PORT/);
    }
  });

  test('take several mail domains, in any case and with blanks', () => {
    expect(readSettings({ PENNCLOUD_DOMAIN: 'Example.org, mail.example.net' }).domains).toEqual([
      'example.org',
      'mail.example.net',
    ]);
  });

  test('name the config store, and the etcd cluster if it is not to be a local one', () => {
    const { configStore, etcdEndpoints } = readSettings({
      PENNCLOUD_CONFIG_STORE: 'etcd',
      PENNCLOUD_ETCD_ENDPOINTS: 'https://a:2379, https://b:2379',
    });
    expect({ configStore, etcdEndpoints }).toEqual({
      configStore: 'etcd',
      etcdEndpoints: ['https://a:2379', 'https://b:2379'],
    });
    const place = { portOffset: 100, host: '127.0.0.1', gateways: 1, configStore };
    const ids = (plans: ReturnType<typeof planCluster>) => plans.map(({ id, port }) => `${id} ${port}`);
    expect(ids(planCluster({ ...place, etcdEndpoints: [] }))).toEqual(
      expect.arrayContaining(['etcd-1 7301', 'etcd-2 7302', 'etcd-3 7303', 'master 7100', 'master-2 7150']),
    );
    const elsewhere = ids(planCluster({ ...place, etcdEndpoints })).join();
    expect(elsewhere).toContain('master-2');
    expect(elsewhere).not.toContain('etcd');
  });

  test.each([
    [
      { PENNCLOUD_CONFIG_STORE: 'zookeeper' },
      'PENNCLOUD_CONFIG_STORE is "zookeeper", but it must be embedded or etcd.',
    ],
    [
      { PENNCLOUD_ETCD_ENDPOINTS: 'localhost' },
      'PENNCLOUD_ETCD_ENDPOINTS is "localhost", but it must be URLs',
    ],
    [{ PENNCLOUD_ETCD_PREFIX: 'mine' }, 'PENNCLOUD_ETCD_PREFIX is "mine", but it must be a path'],
    [{ PENNCLOUD_GATEWAYS: '0' }, 'PENNCLOUD_GATEWAYS is "0", but it must be a whole number from 1 to 16.'],
    [
      { PENNCLOUD_PORT_OFFSET: '-1' },
      'PENNCLOUD_PORT_OFFSET is "-1", but it must be a whole number from 0 to 50000.',
    ],
    [{ PENNCLOUD_DOMAIN: 'a..b' }, 'PENNCLOUD_DOMAIN is "a..b", but it must be domain names'],
    [{ PENNCLOUD_HOST: 'localhost' }, 'PENNCLOUD_HOST is "localhost", but it must be an IP address'],
    [{ PENNCLOUD_KV_VALUE_BYTES_MAX: '1e99' }, 'PENNCLOUD_KV_VALUE_BYTES_MAX'],
  ])('refuse %j, naming the variable and its limit', (environment, words) => {
    expect(() => readSettings(environment)).toThrow(SettingsError);
    expect(() => readSettings(environment)).toThrow(words);
  });

  test('refuse a file that is no JSON object, has an unknown setting, or a wrong value', () => {
    const read = (content: string) => () => readSettings({ PENNCLOUD_SETTINGS: settingsFile(content) });
    expect(read('{')).toThrow(/^PENNCLOUD_SETTINGS names .*cannot be used/);
    expect(read('[]')).toThrow(/must hold one JSON object/);
    expect(read('{ "gatways": 3 }')).toThrow(/unknown setting "gatways"; there are .*gateways/);
    expect(read('{ "gateways": 17 }')).toThrow(
      /gateways in .* is 17, but it must be a whole number from 1 to 16/,
    );
  });
});

describe('the plan of a cluster', () => {
  const plan = planCluster({ portOffset: 1000, host: '0.0.0.0', gateways: 2 });

  test('shifts every port by the offset, and uses each once', () => {
    const ports = plan.flatMap(({ port, health }) =>
      health && health.port !== port ? [port, health.port] : [port],
    );
    expect(new Set(ports).size).toBe(ports.length);
    expect(plan.map(({ id, port }) => `${id} ${port}`)).toEqual([
      'nats 5622',
      'master 8000',
      'node-1 8001',
      'node-2 8002',
      'node-3 8003',
      'gateway-1 9001',
      'gateway-2 9002',
      'smtp-in 3525',
      'smtp-out 8126',
      'front-door 9000',
    ]);
  });

  test('keeps gateways on this machine, in the clear, where the front door carries everything', () => {
    const place = { portOffset: 0, host: '0.0.0.0', gateways: 1, tlsCertFile: 'cert.pem' };
    const web = (frontDoor: 'redirect' | 'proxy') =>
      planCluster({ ...place, frontDoor }).flatMap(({ id, scheme, host }) =>
        scheme ? [`${id} ${scheme} ${host}`] : [],
      );
    expect(web('redirect')).toEqual(['gateway-1 https 0.0.0.0', 'front-door https 0.0.0.0']);
    expect(web('proxy')).toEqual(['gateway-1 http 127.0.0.1', 'front-door https 0.0.0.0']);
  });

  test('opens to the network nothing but web and SMTP', () => {
    expect(plan.filter(({ host }) => host === '0.0.0.0').map(({ kind }) => kind)).toEqual([
      'gateway',
      'gateway',
      'smtp-in',
      'front-door',
    ]);
  });
});
