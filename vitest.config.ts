/**
 * The test run, in two stages: what needs little more than a processor, then what starts clusters and browsers.
 * Many of these wait much of the time (for leases, a supervisor, a page), so two files run side by side, though
 * each has many processes. No file depends on another: ports and folders are each file's own.
 */
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest begins first, so that at the end no file is left to run alone. */
const LONG = [
  ...['contract/etcd-config-store', 'tidy/code', 'recovery/log-crash-points', 'recovery/opening'],
  ...['simulation/cluster', 'recovery/log-damage', 'spec/message/corpus'],
  ...['e2e/real-input', 'e2e/config-store', 'e2e/hostile-mail', 'e2e/chaos', 'e2e/node-operations'],
  ...['e2e/front-door-redirect', 'e2e/sending-survives', 'e2e/tampered-log', 'e2e/outages'],
  ...[
    'e2e/pages-accessible',
    'e2e/walk-mailbox',
    'e2e/walk-writing',
    'e2e/walk',
    'e2e/hostile-parts',
    'e2e/front-door-https',
  ],
  ...['e2e/cli', 'e2e/launcher', 'e2e/lost-disk', 'e2e/bench', 'integration/failed-sync'],
];

/** The pages of gateways in the process of the test. */
const PAGES = 'test/e2e/pages-*.spec.ts';

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const stage = ({ project }: TestSpecification): number => project.config.sequence.groupOrder;
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = LONG.findIndex((name) => moduleId.endsWith(`/test/${name}.spec.ts`));
      return found < 0 ? LONG.length : found;
    };
    return (await super.sort(files)).sort((a, b) => stage(a) - stage(b) || rank(a) - rank(b));
  }
}

function group(
  name: string,
  stage: number,
  more: { testTimeout: number; isolate?: boolean; include?: string; exclude?: string },
): TestProjectInlineConfiguration {
  return {
    extends: true,
    test: {
      name,
      include: [more.include ?? `test/${name}/**/*.spec.ts`],
      exclude: more.exclude === undefined ? [] : [more.exclude],
      sequence: { groupOrder: stage },
      maxWorkers: 2,
      isolate: more.isolate ?? true,
      testTimeout: more.testTimeout,
      hookTimeout: Math.max(60_000, more.testTimeout),
    },
  };
}

export default defineConfig({
  test: {
    pool: 'forks',
    env: { UV_THREADPOOL_SIZE: '16' },
    sequence: { sequencer: LongestFirst },
    projects: [
      group('tidy', 0, { testTimeout: 300_000 }),
      // Pure code has no state to keep apart: its modules are loaded once for many files.
      group('spec', 0, { testTimeout: 60_000, isolate: false }),
      group('contract', 0, { testTimeout: 60_000 }),
      group('simulation', 0, { testTimeout: 120_000 }),
      group('recovery', 0, { testTimeout: 120_000 }),
      group('integration', 1, { testTimeout: 60_000 }),
      group('e2e', 1, { testTimeout: 120_000, exclude: PAGES }),
      // What these load is most of the product, and none of it is kept in a module.
      group('pages', 1, { testTimeout: 120_000, include: PAGES, isolate: false }),
    ],
  },
});
