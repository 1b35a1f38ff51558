/**
 * One set-up at a time in one checkout. The lock is an abstract Unix socket (a temporary-folder socket
 * where the system has none): the kernel frees it when its holder ends, however it ends, so a stale
 * lock cannot exist on Linux.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

export async function withLock(name, { onWait }, work) {
  const key = `penncloud-setup-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
  const address = process.platform === 'linux' ? `\0${key}` : `${tmpdir()}/${key}.sock`;
  let holding = await take(address);
  if (!holding) onWait();
  while (!holding) {
    await sleep(200);
    holding = await take(address);
  }
  try {
    return await work();
  } finally {
    await new Promise((resolve) => holding.close(resolve));
  }
}

/** The server that holds the lock, or undefined while another process does. */
function take(address) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(address, () => resolve(server));
  });
}
