/**
 * The test run, in groups one after the other, quick ones first: a group that starts real processes has
 * the machine (two cores are enough) to itself.
 */
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

function group(
  name: string,
  order: number,
  more: { maxWorkers: number; testTimeout: number },
): TestProjectInlineConfiguration {
  return {
    extends: true,
    test: {
      name,
      include: [`test/${name}/**/*.spec.ts`],
      sequence: { groupOrder: order },
      maxWorkers: more.maxWorkers,
      testTimeout: more.testTimeout,
      hookTimeout: Math.max(60_000, more.testTimeout),
    },
  };
}

export default defineConfig({
  test: {
    pool: 'forks',
    env: { UV_THREADPOOL_SIZE: '16' },
    projects: [
      group('tidy', 0, { maxWorkers: 2, testTimeout: 300_000 }),
      group('spec', 1, { maxWorkers: 2, testTimeout: 20_000 }),
      group('contract', 2, { maxWorkers: 2, testTimeout: 30_000 }),
      group('simulation', 3, { maxWorkers: 2, testTimeout: 120_000 }),
      group('recovery', 4, { maxWorkers: 2, testTimeout: 60_000 }),
      group('integration', 5, { maxWorkers: 1, testTimeout: 60_000 }),
      group('e2e', 6, { maxWorkers: 1, testTimeout: 120_000 }),
    ],
  },
});
