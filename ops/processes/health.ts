/** `GET /healthz` for processes that serve no HTTP themselves: 200 while serving, 503 otherwise. */
import { createServer } from 'node:http';
import type { Heartbeat } from '../../storage-nodes/wire/notices.ts';

export type Health = Pick<Heartbeat, 'kind' | 'id' | 'status' | 'pid' | 'alarms'> & {
  readonly uptimeSeconds: number;
};

export async function startHealthServer(options: {
  host: string;
  port: number;
  health: () => Health;
}): Promise<{ stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path !== '/healthz') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('Only /healthz is served here.\n');
      return;
    }
    const health = options.health();
    response
      .writeHead(health.status === 'serving' ? 200 : 503, { 'content-type': 'application/json' })
      .end(JSON.stringify(health) + '\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
