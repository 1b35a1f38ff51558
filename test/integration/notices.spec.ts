import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { connectNotices } from '../../storage-nodes/wire/nats-notices.ts';
import type { CommitNotice, Heartbeat, Notices } from '../../storage-nodes/wire/notices.ts';
import { freePorts } from './ports.ts';

const PASSWORD = 'a password of this test';
const quiet = { info: () => {}, warn: () => {} };
const heartbeat: Heartbeat = {
  kind: 'gateway',
  id: 'gateway-1',
  address: '127.0.0.1:8001',
  status: 'serving',
  pid: 1,
  startedAt: 0,
  load: 0,
  residentBytes: 1,
  alarms: [],
};
const notice: CommitNotice = { tablet: 't-01', epoch: 1, from: 1, to: 2, rows: ['~user/00/alice'] };

describe('notices over a real nats-server', () => {
  let folder: string;
  let port: number;
  let server: ChildProcess;
  let opened: Notices[];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'penncloud-notices-'));
    [port] = (await freePorts(1)) as [number];
    opened = [];
    server = startServer();
  });
  afterEach(async () => {
    await Promise.all(opened.map((notices) => notices.close()));
    server.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  function startServer(): ChildProcess {
    const file = join(folder, 'nats.conf');
    writeFileSync(
      file,
      `host: 127.0.0.1\nport: ${port}\nauthorization { user: penncloud, password: "${PASSWORD}" }\n`,
    );
    const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` };
    return spawn('nats-server', ['--config', file], { env, stdio: 'ignore' });
  }
  const open = (password = PASSWORD): Notices => {
    const notices = connectNotices({ port, user: 'penncloud', password, name: 'test', logger: quiet });
    opened.push(notices);
    return notices;
  };
  /** Repeats what may get lost until it is heard once. */
  async function heard<T>(
    listen: (listener: (payload: T) => void) => () => void,
    say: () => void,
  ): Promise<T> {
    let stop = (): void => {};
    let saying: NodeJS.Timeout | undefined;
    try {
      return await new Promise<T>((resolve) => {
        stop = listen(resolve);
        saying = setInterval(say, 20);
      });
    } finally {
      stop();
      clearInterval(saying);
    }
  }

  test('heartbeats, commits, hints and wishes arrive as they were sent', async () => {
    const [speaker, listener] = [open(), open()];
    expect(await heard(listener.onHeartbeat, () => speaker.beat(heartbeat))).toEqual(heartbeat);
    expect(await heard(listener.onCommitted, () => speaker.committed(notice))).toEqual(notice);
    expect(await heard(listener.onConfigChanged, () => speaker.configChanged('t-01'))).toBe('t-01');
    const wish = { wish: 'drain' } as const;
    expect(
      await heard(
        (l) => listener.onControl('node-1', l),
        () => speaker.control('node-1', wish),
      ),
    ).toEqual(wish);
  });

  test('a wish for one node is not heard by another', async () => {
    const [speaker, listener] = [open(), open()];
    const others: unknown[] = [];
    listener.onControl('node-2', (wish) => others.push(wish));
    await heard(
      (l) => listener.onControl('node-1', l),
      () => speaker.control('node-1', { wish: 'restart' }),
    );
    expect(others).toEqual([]);
  });

  test('what is not in shape is dropped', async () => {
    const listener = open();
    const raw = await connect({
      servers: `127.0.0.1:${port}`,
      user: 'penncloud',
      pass: PASSWORD,
      waitOnFirstConnect: true,
    });
    const got = heard(listener.onHeartbeat, () => {
      raw.publish('penncloud.alive.gateway.x', 'no JSON');
      raw.publish('penncloud.alive.gateway.x', JSON.stringify({ ...heartbeat, status: 'dancing' }));
      raw.publish('penncloud.alive.gateway.x', JSON.stringify({ ...heartbeat, id: 'sound' }));
    });
    expect((await got).id).toBe('sound');
    await raw.close();
  });

  test('after NATS was away, they go on without being asked to', async () => {
    const [speaker, listener] = [open(), open()];
    await heard(listener.onCommitted, () => speaker.committed(notice));
    server.kill('SIGKILL');
    await once(server, 'exit');
    await vi.waitUntil(() => !speaker.connected(), { timeout: 20_000 });
    speaker.committed({ ...notice, to: 666 });
    server = startServer();
    const after = await heard(listener.onCommitted, () => speaker.committed({ ...notice, to: 3 }));
    expect(after.to).toBe(3);
  });

  test('a server that hangs counts as away, until it goes on', async () => {
    const notices = open();
    const away = { timeout: 20_000 };
    await vi.waitUntil(() => notices.connected(), away);
    server.kill('SIGSTOP');
    await vi.waitUntil(() => !notices.connected(), away);
    server.kill('SIGCONT');
    await vi.waitUntil(() => notices.connected(), away);
  });

  test('with wrong credentials nothing is sent or heard', async () => {
    const [stranger, listener] = [open('guessed'), open()];
    const strange: Heartbeat[] = [];
    listener.onHeartbeat((beat) => {
      if (beat.id === 'stranger') strange.push(beat);
    });
    await heard(listener.onHeartbeat, () => {
      stranger.beat({ ...heartbeat, id: 'stranger' });
      listener.beat(heartbeat);
    });
    expect({ connected: stranger.connected(), strange }).toEqual({ connected: false, strange: [] });
  });
});
