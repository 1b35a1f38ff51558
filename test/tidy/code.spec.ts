import { expect, test } from 'vitest';
import { run } from './programs.ts';

test('every file compiles, tests included', async () => {
  const { code, output } = await run('node_modules/typescript/bin/tsc', '--noEmit', '-p', '.');
  expect(code, output).toBe(0);
});

test('the linter finds nothing', async () => {
  const { code, output } = await run('node_modules/eslint/bin/eslint.js', '--max-warnings', '0', '.');
  expect(code, output).toBe(0);
});

test('every file is formatted (npm run format does it)', async () => {
  const { code, output } = await run(
    'node_modules/prettier/bin/prettier.cjs',
    '--check',
    '--log-level',
    'warn',
    '.',
  );
  expect(code, output).toBe(0);
});
