/**
 * At most one launcher per data folder. The lock is an abstract Unix socket named after the folder: the
 * kernel frees it when the launcher ends, however it ends. Systems without such sockets use a file in
 * the temporary folder, which a killed launcher leaves behind and the next one takes over.
 */
import { createHash } from 'node:crypto';
import { realpathSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';

/** Held until this process ends. False: another launcher holds it. */
export async function lockFolder(folder: string): Promise<boolean> {
  const key = `penncloud-${createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 32)}`;
  if (process.platform === 'linux') return listen(`\0${key}`);
  const file = `${tmpdir()}/${key}.sock`;
  if (await listen(file)) return true;
  if (await answers(file)) return false;
  rmSync(file, { force: true });
  return listen(file);
}

function listen(address: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server: Server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    );
    server.listen(address, () => resolve(true));
    server.unref();
  });
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address, () => socket.end(() => resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
