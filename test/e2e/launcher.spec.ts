import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { readRunningFile } from '../../ops/cluster/running-file.ts';
import { freePortOffset } from '../integration/ports.ts';
import { isAlive, runCli, startCluster, until } from './cluster.ts';

const PROGRAMS = new URL('../../ops/setup/programs.mjs', import.meta.url).href;

const pidsIn = (dataFolder: string): number[] =>
  (readRunningFile(dataFolder)?.processes ?? []).flatMap(({ pid }) => (pid === null ? [] : [pid]));

test('a cluster leaves no process, and keeps its data, whether Ctrl-C stops it or its launcher is killed', async () => {
  const dataFolder = mkdtempSync(join(tmpdir(), 'penncloud-launcher-'));
  onTestFinished(() => rmSync(dataFolder, { recursive: true, force: true }));

  const first = await startCluster({ dataFolder });
  onTestFinished(async () => void (await first.stop()));
  expect(await first.cli(['kv', 'put', 'kept', 'over', 'night'])).toMatchObject({ code: 0 });
  const pids = pidsIn(dataFolder);
  expect(pids).toHaveLength(10);
  expect(await first.stop()).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);
  expect(existsSync(join(dataFolder, 'running.json'))).toBe(false);

  const second = await startCluster({ dataFolder });
  onTestFinished(async () => void (await second.stop()));
  expect((await second.cli(['kv', 'get', 'kept', 'over'])).stdout.toString()).toBe('night');

  const left = pidsIn(dataFolder);
  expect(left).toHaveLength(10);
  process.kill(second.launcherPid, 'SIGKILL');
  await until('every process has ended', () => left.every((pid) => !isAlive(pid)));
});

test('a port in use is named, with the process that wants it, before anything is started', async () => {
  const dataFolder = mkdtempSync(join(tmpdir(), 'penncloud-launcher-'));
  onTestFinished(() => rmSync(dataFolder, { recursive: true, force: true }));
  const offset = await freePortOffset();
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(8002 + offset, '127.0.0.1', resolve));
  onTestFinished(() => void squatter.close());

  const environment = { PENNCLOUD_DATA: dataFolder, PENNCLOUD_PORT_OFFSET: String(offset) };
  const { code, stderr } = await runCli(['up'], { environment });
  expect(code).toBe(1);
  expect(stderr).toMatch(
    new RegExp(`^Port ${8002 + offset}, which gateway-2 needs, is in use: .*PENNCLOUD_PORT_OFFSET`),
  );
  expect(existsSync(join(dataFolder, 'node-1'))).toBe(false);
});

test('who may not install nats-server is told in one line how to', async () => {
  const script = `
    import { installPrograms } from ${JSON.stringify(PROGRAMS)};
    await installPrograms(['nats-server'], { isRoot: false }).catch((error) => console.log(error.message));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  expect(stdout).toBe(
    'penncloud: nats-server not found: install with `sudo apt-get install nats-server`, then start again.\n',
  );
});

test.each([
  ['PENNCLOUD_PORT_OFFSET', '70000', 'from 0 to 50000'],
  ['PENNCLOUD_DOMAIN', 'not a domain', 'domain names'],
  ['PENNCLOUD_MESSAGE_BYTES_MAX', '12', 'from 1024'],
  ['PENNCLOUD_SETTINGS', '/nowhere/settings.json', 'cannot be used'],
])('%s=%s is refused with 2, naming variable and limit', async (variable, value, words) => {
  const { code, stderr } = await runCli(['up'], { environment: { [variable]: value } });
  expect({ code, lines: stderr.trimEnd().split('\n').length }).toEqual({ code: 2, lines: 1 });
  expect(stderr).toContain(variable);
  expect(stderr).toContain(words);
});
