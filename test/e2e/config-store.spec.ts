/** What a cluster does without its master, its config store or NATS, and who takes a master's place. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EtcdGateway } from '../../storage-nodes/master/etcd-gateway.ts';
import { base64, keyValuesOf } from '../../storage-nodes/master/etcd-keys.ts';
import { startCluster, until, type Cluster } from './cluster.ts';
import { HttpPerson } from './http-person.ts';

let cluster: Cluster;
const operator = new HttpPerson();
let store: ReturnType<Cluster['openStore']>;
let round = 0;

async function start(environment: Record<string, string>): Promise<void> {
  cluster = await startCluster({ environment });
  store = cluster.openStore();
  const gateway = (await operator.get(cluster.consoleLink)).location!;
  expect(await operator.get(gateway)).toMatchObject({ status: 303 });
}

/** Rows in different tablets, by a client that finds each tablet's primary. */
async function readAndWrite(): Promise<void> {
  const value = `round ${round++}`;
  for (const row of ['apple', 'house', 'paper', 'zebra']) {
    await store.execute({
      id: `${row} ${value}`,
      expiresAt: Date.now() + 60_000,
      stream: row,
      type: 'kv.Put',
      data: { column: 'c' },
      parts: [Buffer.from(value)],
      actor: 'test',
      session: '',
      action: 'Put a value',
    });
    const { results } = await store.read(row, [{ get: { row, column: 'c' } }]);
    expect((await store.bytes(results[0]![0]!)).toString()).toBe(value);
  }
}

type Status = { alarms: string[]; nodes: { id: string; status: string }[] };
const status = async (): Promise<Status> =>
  JSON.parse((await cluster.cli(['status', '--json'])).stdout.toString()) as Status;
const alarmUntil = (pattern: RegExp) =>
  until(`an alarm says ${String(pattern)}`, async () =>
    (await status()).alarms.find((alarm) => pattern.test(alarm)),
  );
const noAlarms = () => until('all alarms are over', async () => (await status()).alarms.length === 0);
const consoleUntil = (what: string, wanted: (page: string) => boolean) =>
  until(`the console ${what}`, async () =>
    wanted((await operator.get(`${cluster.gateways[0]!}/admin`)).body),
  );

const whileFrozen = (ids: readonly string[], work: () => Promise<void>) => cluster.whileFrozen(ids, work);

const hasAllCopies = async () =>
  (await store.tabletStatus()).every(({ serving, inSync }) => serving && inSync.length === 3);

/** A node freezes until every tablet goes on without it, and comes back. */
async function membershipChanges(node: string): Promise<void> {
  await whileFrozen([node], async () => {
    await until('every tablet goes on without it', async () =>
      (await store.tablets()).every(({ inSync }) => !inSync.includes(node)),
    );
  });
  await until('every tablet has all its copies again', hasAllCopies);
}

async function stop(): Promise<void> {
  await store?.close();
  await cluster?.stop();
}

describe('a cluster whose master keeps the configurations', () => {
  beforeAll(() => start({}));
  afterAll(stop);

  test('reads and writes without the master, and says that it is away until it is back', async () => {
    await whileFrozen(['master'], async () => {
      await alarmUntil(/^node-\d: the config store is not reachable/);
      await readAndWrite();
      expect((await status()).alarms).toContain('master is down.');
      await consoleUntil('says so', (page) => page.includes('the config store is not reachable'));
    });
    await noAlarms();
    await consoleUntil('no longer says so', (page) => !page.includes('the config store is not reachable'));
  });

  test('reads and writes while the master is killed; memberships change once it is back', async () => {
    const pid = await cluster.kill('master');
    await readAndWrite();
    await cluster.restarted('master', pid);
    await membershipChanges('node-3');
  });

  test('reads and writes without NATS, says so, and that it was away once it is back', async () => {
    await whileFrozen(['nats'], async () => {
      await alarmUntil(/NATS does not answer/);
      await readAndWrite();
      expect(await hasAllCopies()).toBe(true);
      await consoleUntil('says so', (page) => page.includes('NATS is away'));
    });
    await noAlarms();
    await consoleUntil('tells that it was', (page) => /NATS was away for .+, until/.test(page));
  });

  test('tells the nodes of one that is not heard any more, which then leaves, and comes back', async () => {
    await whileFrozen(['node-3'], async () => {
      await until('node-1 was told', () =>
        readFileSync(join(cluster.dataFolder, 'logs', 'node-1.log'), 'utf8').includes(
          '"node":"node-3","msg":"the master does not hear this node"',
        ),
      );
      await readAndWrite();
    });
    await until('every tablet has all its copies again', hasAllCopies);
  });

  test('whose configurations are lost: goes on, says so, changes nothing, and is recovered from what nodes hold', async () => {
    rmSync(join(cluster.dataFolder, 'master', 'config'), { recursive: true });
    await cluster.restarted('master', await cluster.kill('master'));
    await alarmUntil(
      /holds version \d+ of t01, the config store has none: nothing changes there until `penncloud recover`/,
    );
    await readAndWrite();

    const shown = await cluster.cli(['recover']);
    expect(shown.stdout.toString()).toMatch(/t01 +restore .+ put back version \d+ of lineage 1/);
    expect(shown.stdout.toString()).toContain('Nothing was changed: add --yes to do it (12 tablets).');
    expect((await status()).alarms.length).toBeGreaterThan(0);

    const done = await cluster.cli(['recover', '--yes']);
    expect(done).toMatchObject({ code: 0 });
    expect(done.stdout.toString()).toContain('Recovered 12 tablets.');
    await noAlarms();
    await membershipChanges('node-2');
    expect((await cluster.cli(['recover'])).stdout.toString()).toContain('Nothing to recover.');
  });

  test('recover refuses to force the copy of a node that there is not', async () => {
    const refused = await cluster.cli(['recover', '--force', 't01=node-9']);
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toContain('such as t03=node-2');
  });

  test('recover forces no copy of a tablet that is served', async () => {
    const refused = await cluster.cli(['recover', '--force', 't01=node-1', '--yes']);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stdout.toString()).toContain('it is being served: there is nothing to force');
  });
});

describe('a cluster on etcd', () => {
  const MEMBERS = ['etcd-1', 'etcd-2', 'etcd-3'];

  /** Which master's name stands in etcd, and which run of it. */
  async function activeMaster(): Promise<{ id: string; run: string } | undefined> {
    const port = 7200 + Number(cluster.environment['PENNCLOUD_PORT_OFFSET']);
    const gateway = new EtcdGateway({ endpoints: [1, 2, 3].map((n) => `http://127.0.0.1:${port + n}`) });
    try {
      const found = keyValuesOf(
        await gateway.call('/v3/kv/range', { key: base64('/penncloud/active-master') }, 5000),
      )[0];
      const [id, run] = found?.value.split(' ') ?? [];
      return id && run ? { id, run } : undefined;
    } finally {
      gateway.close();
    }
  }
  const otherThan = (run: string) =>
    until('another master is active', async () => {
      const active = await activeMaster();
      return active && active.run !== run ? active : undefined;
    });

  beforeAll(() => start({ PENNCLOUD_CONFIG_STORE: 'etcd' }));
  afterAll(stop);

  test('has two masters, of which one is active, and changes memberships', async () => {
    const { nodes } = await status();
    expect(nodes.filter(({ id }) => id.startsWith('master')).map((node) => node.status)).toEqual([
      'serving',
      'serving',
    ]);
    expect(await until('a master is active', activeMaster)).toBeDefined();
    await membershipChanges('node-1');
  });

  test('has the other master take over from an active one that stands still, and change memberships meanwhile', async () => {
    const active = (await activeMaster())!;
    await whileFrozen([active.id], async () => {
      expect((await otherThan(active.run)).id).not.toBe(active.id);
      await readAndWrite();
      const pid = await cluster.kill('node-3');
      await cluster.restarted('node-3', pid);
      await until('node-3 is in sync everywhere', hasAllCopies);
    });
    await noAlarms();
  });

  test('has another active master when that one is killed', async () => {
    const active = (await activeMaster())!;
    const pid = await cluster.kill(active.id);
    await readAndWrite();
    await otherThan(active.run);
    await cluster.restarted(active.id, pid);
    await membershipChanges('node-2');
  });

  test('reads and writes while all etcd members stand still, and says so until they are back', async () => {
    await whileFrozen(MEMBERS, async () => {
      await alarmUntil(/^master(-2)?: the config store does not answer: memberships cannot change/);
      await alarmUntil(/^node-\d: the config store is not reachable/);
      await readAndWrite();
      await consoleUntil('says so', (page) => page.includes('the config store does not answer'));
    });
    await noAlarms();
    await membershipChanges('node-1');
  });

  test('reads and writes while all etcd members are killed; memberships change once they are back', async () => {
    const killed = await Promise.all(MEMBERS.map((id) => cluster.kill(id)));
    await readAndWrite();
    await Promise.all(MEMBERS.map((id, i) => cluster.restarted(id, killed[i]!)));
    await noAlarms();
    await membershipChanges('node-3');
  });
});
