import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';

const LOCK = new URL('../../../ops/setup/lock.mjs', import.meta.url).href;
let started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started) child.kill('SIGKILL');
  started = [];
});

/** A process that sets up: it says `waiting` and `held`, and works until its input ends. */
function setUp(checkout: string) {
  const script = `
    import { once } from 'node:events';
    import { withLock } from ${JSON.stringify(LOCK)};
    await withLock(${JSON.stringify(checkout)}, { onWait: () => console.log('waiting') }, async () => {
      console.log('held');
      process.stdin.resume();
      await once(process.stdin, 'end');
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  started.push(child);
  const lines: Interface = createInterface(child.stdout);
  return {
    child,
    says: async () => ((await once(lines, 'line')) as [string])[0],
    finish: () => child.stdin.end(),
  };
}

test('of two set-ups in one checkout the second waits for the first', async () => {
  const checkout = randomUUID();
  const first = setUp(checkout);
  expect(await first.says()).toBe('held');
  const second = setUp(checkout);
  expect(await second.says()).toBe('waiting');
  first.finish();
  expect(await second.says()).toBe('held');
});

test('a set-up that was killed keeps nobody waiting', async () => {
  const checkout = randomUUID();
  const first = setUp(checkout);
  expect(await first.says()).toBe('held');
  const second = setUp(checkout);
  expect(await second.says()).toBe('waiting');
  first.child.kill('SIGKILL');
  expect(await second.says()).toBe('held');
});

test('set-ups in two checkouts do not wait for each other', async () => {
  expect(await setUp(randomUUID()).says()).toBe('held');
  expect(await setUp(randomUUID()).says()).toBe('held');
});
