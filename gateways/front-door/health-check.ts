/** What a gateway says to `GET /healthz`, and whether it takes connections. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { placeOf, type Health } from './choice.ts';

export type Scheme = 'http' | 'https';

const CONNECT_MS = 250;

export function checkHealth(address: string, scheme: Scheme, patienceMs: number): Promise<Health> {
  return new Promise((resolve) => {
    const request = scheme === 'https' ? httpsRequest : httpRequest;
    const asked = request({
      ...placeOf(address),
      path: '/healthz',
      headers: { host: 'gateway' },
      agent: false,
      // Nothing secret is said, and the name in the certificate is the public one.
      rejectUnauthorized: false,
    });
    const tell = (health: Health): void => {
      clearTimeout(timer);
      asked.destroy();
      resolve(health);
    };
    const timer = setTimeout(tell, patienceMs, 'silent');
    asked.on('response', ({ statusCode }) => tell(statusCode === 200 ? 'serving' : 'away'));
    asked.on('error', () => tell('away'));
    asked.end();
  });
}

/**
 * Whether connections are taken at this moment. A health check is up to a second old; a process that was
 * killed since then refuses at once, so that asking costs a round trip and spares a client an error page.
 */
export function takesConnections(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(placeOf(address));
    const done = (takes: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(takes);
    };
    const timer = setTimeout(done, CONNECT_MS, false);
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}
