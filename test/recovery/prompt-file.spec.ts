/** Small synced writes are waited for while the disk is quick, and go through the thread pool when it is not. */
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { OpenFile } from '../../storage-nodes/log/files.ts';
import { PromptFile } from '../../storage-nodes/log/prompt-file.ts';
import { realFiles } from '../../storage-nodes/log/real-files.ts';

let folder: string;
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'penncloud-prompt-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A real file whose calls through the pool are counted, on a disk that takes `tookMs` for each sync. */
async function opened(tookMs: () => number) {
  const path = join(folder, 'file');
  const pooled = await realFiles.open(path, 'write');
  const calls: string[] = [];
  const counted: OpenFile = {
    readFully: (into, position) => pooled.readFully(into, position),
    truncate: (length) => pooled.truncate(length),
    size: () => pooled.size(),
    close: () => pooled.close(),
    writeAll: (buffers, position) => (calls.push('write'), pooled.writeAll(buffers, position)),
    datasync: () => (calls.push('sync'), pooled.datasync()),
  };
  const handle = await open(path, 'r+');
  let now = 0;
  // It is read when a write begins and when its sync has ended.
  let isEnd = false;
  const file = new PromptFile(counted, handle.fd, () => {
    if (isEnd) now += tookMs();
    isEnd = !isEnd;
    return now;
  });
  return {
    file,
    calls,
    /** Time goes on while nothing is written. */
    wait: (ms: number) => void (now += ms),
    /** After a write through the pool, whose end nobody measures. */
    begin: () => void (isEnd = false),
    content: () => readFile(path),
    close: async () => {
      await handle.close();
      await pooled.close();
    },
  };
}

test('on a quick disk nothing goes through the pool, and all of it is in the file', async () => {
  const { file, calls, content, close } = await opened(() => 0.1);
  for (let i = 0; i < 40; i++) {
    await file.writeAll([Buffer.from([i]), Buffer.from([i, i])], 3 * i);
    await file.datasync();
  }
  expect(calls).toEqual([]);
  expect(await content()).toEqual(Buffer.from(Array.from({ length: 120 }, (_, i) => Math.floor(i / 3))));
  await close();
});

test('what is large goes through the pool, and the sync behind it', async () => {
  const { file, calls, begin, close } = await opened(() => 0.1);
  await file.writeAll([Buffer.alloc(1024 * 1024)], 0);
  begin();
  await file.writeAll([Buffer.alloc(10)], 1024 * 1024);
  await file.datasync();
  expect(calls).toEqual(['write', 'sync']);
  await close();
});

test('a slow disk is found out after 16 writes, tried once a second, and trusted again when it is quick', async () => {
  let tookMs = 5;
  const { file, calls, wait, begin, close } = await opened(() => tookMs);
  const write = async (): Promise<void> => {
    begin();
    await file.writeAll([Buffer.alloc(10)], 0);
    await file.datasync();
  };
  for (let i = 0; i < 16; i++) await write();
  expect(calls).toEqual([]);
  // The first behind it is a try, and the disk is as slow as before.
  await write();
  await write();
  expect(calls).toEqual(['write', 'sync']);
  wait(1000);
  tookMs = 0.2;
  await write();
  for (let i = 0; i < 20; i++) await write();
  expect(calls).toEqual(['write', 'sync']);
  await close();
});

test('a busy processor makes most writes look slow: that is no slow disk', async () => {
  let n = 0;
  const { file, calls, close } = await opened(() => (n++ % 8 === 0 ? 0.1 : 3));
  for (let i = 0; i < 64; i++) {
    await file.writeAll([Buffer.alloc(10)], 0);
    await file.datasync();
  }
  expect(calls).toEqual([]);
  await close();
});
