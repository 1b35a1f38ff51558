import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from './cluster.ts';

describe('the benchmark, on PennCloud alone and shortened', () => {
  const folder = mkdtempSync(join(tmpdir(), 'penncloud-bench-spec-'));
  let outcome: Awaited<ReturnType<typeof runCli>>;

  beforeAll(async () => {
    const narrowed = ['--systems', 'penncloud', '--callers', '4', '--seconds', '0.3'];
    outcome = await runCli(['bench', '--quick', '--json', ...narrowed, '--folder', folder], {
      environment: {},
    });
    // Longer than a quick run may take.
  }, 240_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('prints one JSON object with a line for each kind of work, number of callers and length', () => {
    expect(outcome.code, outcome.stderr).toBe(0);
    const { runs } = JSON.parse(outcome.stdout.toString()) as { runs: Record<string, unknown>[] };
    for (const run of runs) {
      expect(run).toEqual({
        system: 'penncloud',
        work: expect.stringMatching(/^(put|get|mixed)$/),
        callers: expect.any(Number),
        valueBytes: expect.any(Number),
        opsPerSecond: expect.any(Number),
        p50Ms: expect.any(Number),
        p99Ms: expect.any(Number),
      });
      expect(run['opsPerSecond']).toBeGreaterThan(0);
      expect(run['p50Ms']).toBeLessThanOrEqual(run['p99Ms'] as number);
    }
    const cells = runs.map(({ work, callers, valueBytes }) => `${work} ${callers} ${valueBytes}`);
    expect(cells.sort()).toEqual(
      [
        ...['put', 'get', 'mixed'].map((work) => `${work} 4 100`),
        ...['put', 'get'].map((work) => `${work} 4 1048576`),
      ].sort(),
    );
  });

  test('leaves no data behind, and no results that stand for the whole suite', () => {
    expect(readdirSync(folder)).toEqual([]);
    expect(outcome.stderr).not.toContain('RESULTS.md');
  });
});

describe('the benchmark', () => {
  test.each([
    [['--systems', 'mysql'], '--systems takes penncloud, etcd, redis, jetstream, not "mysql".'],
    [['--work', 'delete'], '--work takes put, get, mixed, not "delete".'],
    [['--callers', '0'], '--callers must be a whole number from 1 to 4096, not "0".'],
    [['--seconds', 'soon'], '--seconds must be a number from 0.1 to 600, not "soon".'],
  ])('refuses %j with exit code 2 before it starts anything', async (options, words) => {
    const { code, stdout, stderr } = await runCli(['bench', ...options], { environment: {} });
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(words);
  });
});
