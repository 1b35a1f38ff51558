/** The round trip between two processes over loopback TCP, 100 bytes each way, one at a time. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Histogram } from '../load/histogram.ts';

const MAIN = fileURLToPath(
  new URL(`./echo.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url),
);
const BYTES = 100;

export type RoundTrip = { readonly p50Ms: number; readonly p99Ms: number };

export async function measureLoopback(seconds: number): Promise<RoundTrip> {
  const echo = fork(MAIN, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  try {
    const [port] = (await once(echo, 'message')) as [number];
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    const histogram = new Histogram();
    const end = performance.now() + seconds * 1000;
    const bytes = Buffer.alloc(BYTES, 'r');
    for (let begun = performance.now(); begun < end; begun = performance.now()) {
      socket.write(bytes);
      await once(socket, 'data');
      histogram.record(performance.now() - begun);
    }
    socket.destroy();
    return { p50Ms: histogram.percentile(0.5), p99Ms: histogram.percentile(0.99) };
  } finally {
    echo.kill();
  }
}
