import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Supervisor, type SupervisorEvents } from '../../../ops/cluster/supervisor.ts';

type Happening =
  | { readonly kind: 'started'; readonly pid: number; readonly restarted: boolean }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'ended'; readonly how: string; readonly restartInMs: number }
  | { readonly kind: 'disabled'; readonly disabled: boolean };

/** Remembers what happened, in order, and hands it out one by one. */
class Diary implements SupervisorEvents {
  readonly #kept: Happening[] = [];
  #wake = (): void => {};

  started(_id: string, pid: number, restarted: boolean): void {
    this.#note({ kind: 'started', pid, restarted });
  }
  failed(_id: string, reason: string): void {
    this.#note({ kind: 'failed', reason });
  }
  ended(_id: string, how: string, restartInMs: number): void {
    this.#note({ kind: 'ended', how, restartInMs });
  }
  disabled(_id: string, disabled: boolean): void {
    this.#note({ kind: 'disabled', disabled });
  }
  #note(happening: Happening): void {
    this.#kept.push(happening);
    this.#wake();
  }
  async next(): Promise<Happening> {
    while (this.#kept.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#kept.shift()!;
  }
}

describe('a supervised process', () => {
  let folder: string;
  let diary: Diary;
  let supervisor: Supervisor | undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'penncloud-supervisor-'));
    diary = new Diary();
  });
  afterEach(async () => {
    await supervisor?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const supervise = (script: string): Supervisor => {
    const command = { program: process.execPath, args: ['-e', script], env: process.env, reports: true };
    supervisor = new Supervisor('worker', command, join(folder, 'worker.log'), diary);
    supervisor.start();
    return supervisor;
  };
  const livesOn = 'setInterval(() => {}, 1000);';

  test('is started again after it was killed', async () => {
    const { pid } = (await (supervise(livesOn), diary.next())) as { pid: number };
    process.kill(pid, 'SIGKILL');
    expect(await diary.next()).toEqual({ kind: 'ended', how: 'killed by SIGKILL', restartInMs: 200 });
    expect(await diary.next()).toMatchObject({ kind: 'started', restarted: true });
  });

  test('stays stopped when it ends because it was disabled, until it is enabled', async () => {
    const supervisor = supervise("process.send({ ending: 'disable' }, () => process.exit(0))");
    expect(await diary.next()).toMatchObject({ kind: 'started' });
    expect(await diary.next()).toEqual({ kind: 'disabled', disabled: true });
    expect(supervisor.pid).toBeUndefined();
    supervisor.start();
    expect(supervisor.pid).toBeUndefined();
    supervisor.enable();
    expect(await diary.next()).toEqual({ kind: 'disabled', disabled: false });
    expect(await diary.next()).toMatchObject({ kind: 'started' });
  });

  test('is started again at once when it ends because a restart was wished', async () => {
    const once = join(folder, 'once');
    supervise(
      `const fs = require('node:fs'); if (fs.existsSync(${JSON.stringify(once)})) { ${livesOn} } else { fs.writeFileSync(${JSON.stringify(once)}, ''); process.send({ ending: 'restart' }, () => process.exit(0)); }`,
    );
    const first = await diary.next();
    const second = await diary.next();
    expect([first.kind, second.kind]).toEqual(['started', 'started']);
  });

  test('waits longer each time while it keeps ending', async () => {
    supervise('process.exit(3)');
    const delays: number[] = [];
    while (delays.length < 3) {
      const happening = await diary.next();
      if (happening.kind === 'ended') delays.push(happening.restartInMs);
    }
    expect(delays).toEqual([200, 400, 800]);
  });

  test('tells why it cannot start', async () => {
    supervise('process.send({ failed: "Port 1 is in use." }, () => process.exit(1))');
    expect(await diary.next()).toMatchObject({ kind: 'started' });
    expect(await diary.next()).toEqual({ kind: 'failed', reason: 'Port 1 is in use.' });
  });

  test('is not started again once it was asked to stop', async () => {
    const running = supervise(livesOn);
    await diary.next();
    await running.stop();
    expect(running.pid).toBeUndefined();
  });

  test('writes to its log what it says', async () => {
    supervise('console.log("one line"); process.exit(0)');
    await diary.next();
    await diary.next();
    expect(readFileSync(join(folder, 'worker.log'), 'utf8')).toContain('one line\n');
  });

  test('a program that is not there is reported, not thrown', async () => {
    const command = { program: join(folder, 'nothing'), args: [], env: process.env, reports: false };
    supervisor = new Supervisor('worker', command, join(folder, 'worker.log'), diary);
    supervisor.start();
    expect(await diary.next()).toMatchObject({ kind: 'ended', how: expect.stringContaining('ENOENT') });
  });
});
