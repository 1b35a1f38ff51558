import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePortOffset } from '../integration/ports.ts';
import { runCli, startCluster, type Cluster } from './cluster.ts';

const MIB = 1024 * 1024;

describe('the command line of a running cluster', () => {
  let cluster: Cluster;
  const folder = mkdtempSync(join(tmpdir(), 'penncloud-cli-'));
  const cli = (...args: string[]) => cluster.cli(args);
  const json = async (...args: string[]) => JSON.parse((await cli(...args, '--json')).stdout.toString());

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    expect(await cluster?.stop()).toBe(0);
  });

  describe('status', () => {
    test('shows every process and tablet, and no alarm', async () => {
      const status = await json('status');
      expect(status.nodes.map(({ id, status }: { id: string; status: string }) => `${id} ${status}`)).toEqual(
        [
          'master serving',
          'node-1 serving',
          'node-2 serving',
          'node-3 serving',
          'gateway-1 serving',
          'gateway-2 serving',
          'smtp-in serving',
          'smtp-out serving',
          'front-door serving',
        ],
      );
      expect(status.tablets.length).toBeGreaterThanOrEqual(8);
      for (const tablet of status.tablets) {
        expect(tablet).toMatchObject({
          serving: true,
          inSync: expect.arrayContaining(['node-1', 'node-2', 'node-3']),
        });
      }
      expect(status.alarms).toEqual([]);
    });

    test('works without NATS, and says that NATS is away', async () => {
      const status = await cluster.whileFrozen(['nats'], () => json('status'));
      expect(status.nodes.every(({ status }: { status: string }) => status === 'serving')).toBe(true);
      expect(status.alarms).toContainEqual(expect.stringContaining('NATS does not answer'));
    });
  });

  describe('kv', () => {
    test('gives back exactly the bytes that were put, from an argument, a file or standard input', async () => {
      const bytes = randomBytes(3 * MIB);
      const file = join(folder, 'bytes');
      writeFileSync(file, bytes);
      expect(await cli('kv', 'put', 'shelf', 'word', 'Grüße')).toMatchObject({ code: 0 });
      expect(await cli('kv', 'put', 'shelf', 'file', '--file', file)).toMatchObject({ code: 0 });
      expect(await cluster.cli(['kv', 'put', 'shelf', 'piped', '-'], bytes)).toMatchObject({ code: 0 });

      expect((await cli('kv', 'get', 'shelf', 'word')).stdout.toString()).toBe('Grüße');
      expect((await cli('kv', 'get', 'shelf', 'file')).stdout.equals(bytes)).toBe(true);
      expect((await cli('kv', 'get', 'shelf', 'piped')).stdout.equals(bytes)).toBe(true);
    });

    test('ends with 1 for a cell that does not exist', async () => {
      const { code, stdout, stderr } = await cli('kv', 'get', 'shelf', 'nothing');
      expect({ code, length: stdout.length }).toEqual({ code: 1, length: 0 });
      expect(stderr).toBe('There is no cell at row "shelf", column "nothing".\n');
    });

    test('refuses a value over the limit with 2, and stores nothing', async () => {
      const { code, stderr } = await cluster.cli(
        ['kv', 'put', 'shelf', 'big', '-'],
        Buffer.alloc(64 * MIB + 1),
      );
      expect(code).toBe(2);
      expect(stderr).toContain(`limit of ${64 * MIB} bytes`);
      expect((await cli('kv', 'get', 'shelf', 'big')).code).toBe(1);
    });

    test.each([
      ['an empty row', ['', 'c'], /row/i],
      ['a row of the platform', ['~user/x', 'c'], /row/i],
      ['a row over 4096 bytes', ['r'.repeat(4097), 'c'], /row.*4096/i],
      ['a column over 4096 bytes', ['r', 'c'.repeat(4097)], /column.*4096/i],
    ])('refuses %s with 2, naming field and limit', async (_what, [row, column], words) => {
      const { code, stderr } = await cli('kv', 'put', row!, column!, 'value');
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(words) });
      expect(stderr).not.toMatch(/\n\s+at /);
    });

    test('compares before it puts, and tells the digest of what stands there', async () => {
      expect(await cli('kv', 'cput', 'door', 'lock', 'open', '--absent')).toMatchObject({ code: 0 });
      const taken = await cli('kv', 'cput', 'door', 'lock', 'shut', '--absent');
      const digest = createHash('sha256').update('open').digest('hex');
      expect(taken).toMatchObject({ code: 1, stderr: expect.stringContaining(digest) });
      expect(await cli('kv', 'cput', 'door', 'lock', 'ajar', 'shut')).toMatchObject({ code: 1 });
      expect(await cli('kv', 'cput', 'door', 'lock', 'open', 'shut')).toMatchObject({ code: 0 });
      expect((await cli('kv', 'get', 'door', 'lock')).stdout.toString()).toBe('shut');
    });

    test('deletes, and scans in row order', async () => {
      for (const row of ['fruit-b', 'fruit-a', 'fruit-c']) await cli('kv', 'put', row, 'name', row);
      expect(await cli('kv', 'delete', 'fruit-c', 'name')).toMatchObject({ code: 0 });
      const cells = await json('kv', 'scan', '--from', 'fruit-', '--to', 'fruit-z');
      expect(cells).toMatchObject([
        { row: 'fruit-a', column: 'name', text: 'fruit-a', length: 7 },
        { row: 'fruit-b', column: 'name', text: 'fruit-b', length: 7 },
      ]);
    });
  });

  /** The tablets whose logs have entries of a stream. */
  const tabletsWith = async (stream: string): Promise<string[]> => {
    const store = cluster.openStore();
    try {
      const found = await Promise.all(
        (await store.tablets()).map(async ({ id }) => {
          const entries = await store.readLog(id, 1, 1000);
          return entries.some((entry) => entry.stream === stream) ? [id] : [];
        }),
      );
      return found.flat();
    } finally {
      await store.close();
    }
  };

  test('log show lists what was done, in the one tablet that owns the row', async () => {
    await cli('kv', 'put', 'diary', 'today', 'rain');
    const [tablet, ...others] = await tabletsWith('diary');
    expect(others).toEqual([]);
    const entries = (await json('log', 'show', '--tablet', tablet!)) as { stream: string }[];
    expect(entries.filter(({ stream }) => stream === 'diary')).toMatchObject([
      { actor: 'cli', action: 'Put a cell', events: [{ type: 'kv.CellPut' }] },
    ]);
    expect(await cli('log', 'show', '--tablet', 'none')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('none'),
    });
  });

  describe('user', () => {
    test('adds, lists and refuses', async () => {
      const added = await cluster.cli(
        ['user', 'add', 'root-of-all', '--admin', '--password-stdin'],
        'correct horse\n',
      );
      expect(added).toMatchObject({ code: 0 });
      expect((await cluster.cli(['user', 'add', 'guest'])).stdout.toString()).toMatch(
        /Password .*: \S{16}\n/,
      );
      const users = await json('user', 'list');
      expect(users).toMatchObject([
        { name: 'guest', admin: false },
        { name: 'root-of-all', admin: true },
      ]);

      expect(await cluster.cli(['user', 'add', 'guest'])).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('guest'),
      });
      expect(await cluster.cli(['user', 'add', 'Not A Name'])).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/2 to 32/),
      });
      expect(await cluster.cli(['user', 'add', 'short', '--password-stdin'], 'abc')).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/at least 8/),
      });
      expect(
        await cluster.cli(['user', 'passwd', 'guest', '--password-stdin'], 'battery staple'),
      ).toMatchObject({ code: 0 });
      const both = ['user', 'passwd', 'guest', '--without-second-step', '--password-stdin'];
      const changed = await cluster.cli(both, 'staple battery');
      expect(changed).toMatchObject({ code: 0 });
      expect(changed.stdout.toString()).toBe(
        'The password of guest is changed, and every session is ended.\nTwo-step log-in of guest was off already.\n',
      );
      expect(await cluster.cli(['user', 'passwd', 'nobody'])).toMatchObject({ code: 1 });
    });
  });

  describe('import and export', () => {
    test('take mail in once, and give it back', async () => {
      expect(await cli('user', 'add', 'letters')).toMatchObject({ code: 0 });
      const file = join(folder, 'in.mbox');
      writeFileSync(
        file,
        'From a@b Thu Nov 12 09:05:00 2026\nStatus: RO\nSubject: One\n\nText\n\nFrom a@b Thu Nov 12 09:06:00 2026\nSubject: Two\n\nText\n\n',
      );
      const work = ['--folder', 'Work/Clients'];
      expect(await json('import', 'mbox', 'letters', file, ...work)).toEqual({
        imported: 2,
        known: 0,
        refused: [],
      });
      expect((await cli('import', 'mbox', 'letters', file, ...work)).stdout.toString()).toBe(
        'Imported 0 messages; 2 were there already; 0 were refused.\n',
      );
      const out = join(folder, 'out.mbox');
      expect(await cli('export', 'mbox', 'letters', out)).toMatchObject({ code: 0 });
      expect(readFileSync(out, 'latin1')).toMatch(
        /^From MAILER-DAEMON Thu Nov 12 09:05:00 2026\nX-PennCloud-Id: [a-z2-7]{26}\nX-PennCloud-Folder: Work\/Clients\n/,
      );
      // What is there may be the only copy of something.
      expect(await cli('export', 'mbox', 'letters', out)).toMatchObject({ code: 2 });
    });

    test('say what cannot be read, and who is not there', async () => {
      const readme = new URL('../../README.md', import.meta.url).pathname;
      expect(await cli('import', 'mbox', 'letters', '/nowhere')).toMatchObject({ code: 2 });
      const { code, stderr } = await cli('import', 'mbox', 'letters', readme);
      expect({ code, stderr: stderr.toString() }).toEqual({
        code: 2,
        stderr: 'This is no mbox file: its first line must begin with "From ".\n',
      });
      expect(await cli('import', 'eml', 'nobody', readme)).toMatchObject({ code: 1 });
      expect(await cli('export', 'mbox', 'nobody')).toMatchObject({ code: 1 });
    });
  });

  test('replay --verify finds every replica equal to its own log', async () => {
    const { code, stdout, stderr } = await cli('replay', '--verify', '--json');
    expect(code, stderr).toBe(0);
    const { copies } = JSON.parse(stdout.toString()) as { copies: { node: string; agrees: boolean }[] };
    expect(copies.length).toBeGreaterThanOrEqual(24);
    expect(copies.filter(({ agrees }) => !agrees)).toEqual([]);
    expect(new Set(copies.map(({ node }) => node))).toEqual(new Set(['node-1', 'node-2', 'node-3']));
  });

  test('a second cluster is refused in the same folder, and on the same ports', async () => {
    const sameFolder = { ...cluster.environment, PENNCLOUD_PORT_OFFSET: String(await freePortOffset()) };
    const inFolder = await runCli(['up'], { environment: sameFolder });
    expect(inFolder).toMatchObject({ code: 1, stderr: expect.stringContaining(cluster.dataFolder) });

    const onPorts = await runCli(['up'], {
      environment: { ...cluster.environment, PENNCLOUD_DATA: join(folder, 'other') },
    });
    expect(onPorts).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/Port \d+, which nats needs, .*PENNCLOUD_PORT_OFFSET/),
    });
  });

  test('replay --verify finds a flipped byte in the segments of one replica', async () => {
    await cli('kv', 'put', 'flipped', 'byte', 'whole');
    const [tablet] = await tabletsWith('flipped');
    const segment = join(cluster.dataFolder, 'node-2', 'log', 'tablets', tablet!, '000000000000001.segment');
    flipByte(segment, Math.floor(statSync(segment).size / 2));

    const { code, stdout, stderr } = await cli('replay', '--verify', '--tablet', tablet!, '--json');
    const { copies } = JSON.parse(stdout.toString()) as {
      copies: { node: string; agrees: boolean; problem: string }[];
    };
    expect(code).toBe(1);
    expect(stderr).toBe('1 of 3 copies do not agree.\n');
    expect(copies.filter(({ agrees }) => !agrees)).toMatchObject([
      { node: 'node-2', problem: expect.stringContaining(segment) },
    ]);
  });
});

function flipByte(file: string, offset: number): void {
  const bytes = readFileSync(file);
  bytes[offset]! ^= 1;
  const opened = openSync(file, 'r+');
  writeSync(opened, bytes, offset, 1, offset);
  closeSync(opened);
}
