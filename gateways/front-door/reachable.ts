/**
 * Whether a gateway takes connections now. A heartbeat is up to three seconds old; a process that was
 * killed since then refuses at once, so that asking costs a round trip and spares a client an error page.
 */
import { connect } from 'node:net';

const PATIENCE_MS = 250;

/** `address`: host:port. */
export function takesConnections(address: string): Promise<boolean> {
  const at = address.lastIndexOf(':');
  return new Promise((resolve) => {
    const socket = connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)) });
    const done = (takes: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(takes);
    };
    const timer = setTimeout(done, PATIENCE_MS, false);
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}
