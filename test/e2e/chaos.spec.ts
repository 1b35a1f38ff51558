/** `penncloud chaos` itself: a short run of a fresh seed, one against etcd, and what it refuses. */
import { randomInt } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePortOffset } from '../integration/ports.ts';
import { runCli } from './cluster.ts';

let temporary: string;
beforeAll(() => {
  temporary = mkdtempSync(join(tmpdir(), 'penncloud-e2e-chaos-'));
});
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

const chaos = async (...args: string[]) => {
  const portOffset = await freePortOffset({ PENNCLOUD_CONFIG_STORE: 'etcd' });
  return runCli(['chaos', ...args], {
    environment: { TMPDIR: temporary, PENNCLOUD_PORT_OFFSET: String(portOffset) },
  });
};

describe('penncloud chaos', () => {
  test('loses nothing, stays linearizable, and leaves nothing behind', { timeout: 600_000 }, async () => {
    const seed = randomInt(2 ** 31);
    console.log(`[seed] penncloud chaos --minutes 0.25 --seed ${seed}`);
    const { code, stdout, stderr } = await chaos('--minutes', '0.25', '--seed', String(seed), '--json');
    expect(code, stderr).toBe(0);
    const report = JSON.parse(stdout.toString());
    expect(report).toMatchObject({ seed, reasons: [] });
    expect(report.faults.length).toBeGreaterThan(0);
    expect(report.acknowledgedWrites).toBeGreaterThan(100);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('breaks members of etcd as well', { timeout: 300_000 }, async () => {
    const seed = randomInt(2 ** 31);
    const args = ['--minutes', '0.1', '--seed', String(seed), '--config-store', 'etcd', '--only', 'etcd'];
    console.log(`[seed] penncloud chaos ${args.join(' ')}`);
    const { code, stdout, stderr } = await chaos(...args, '--json');
    expect(code, stderr).toBe(0);
    const report = JSON.parse(stdout.toString());
    expect(report).toMatchObject({ seed, reasons: [], leftOut: [] });
    expect(report.faults.length).toBeGreaterThan(0);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test.each([
    [['--seed', '1'], '--minutes'],
    [['--minutes', '0'], '--minutes'],
    [['--minutes', 'x'], '--minutes'],
    [['--minutes', '1', '--seed', '-1'], '--seed'],
    [['--minutes', '1', '--only', 'sunshine'], '--only'],
    [['--minutes', '1', '--config-store', 'paper'], '--config-store'],
  ])('refuses %j with exit code 2, naming %s', async (args, named) => {
    const { code, stderr } = await chaos(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(named);
  });
});
