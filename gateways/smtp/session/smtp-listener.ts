/**
 * smtp-server, with what it has no option for: a reply that carries its own enhanced code is not given another one, a
 * session can be looked at and ended from outside, and log-ins are not offered before TLS.
 *
 * The certificate is required: the one that smtp-server falls back to has a published key.
 */
import type { Socket } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { KeyAndCertificate } from './own-certificate.ts';

const OWN_ENHANCED_CODE = /^[245]\.\d{1,3}\.\d{1,3} /;

export class SmtpListener extends SMTPServer {
  readonly #sockets = new Map<string, Socket>();

  constructor(options: SMTPServerOptions & { tls: KeyAndCertificate; authenticates?: boolean }) {
    const { tls: certificate, authenticates = false, ...rest } = options;
    // WIZ, SHELL and KILL are jokes of the 1980s that the library knows.
    const disabledCommands = [...(authenticates ? [] : ['AUTH']), 'WIZ', 'SHELL', 'KILL'];
    super({ ...rest, ...certificate, disabledCommands, hideENHANCEDSTATUSCODES: false });
  }

  override connect(...[socket, options]: Parameters<SMTPServer['connect']>): void {
    super.connect(socket, options);
    const connection = [...this.connections].at(-1);
    if (!connection) return;
    this.#sockets.set(connection.id, socket);
    const send = connection.send.bind(connection);
    connection.send = (code, data, context) =>
      send(
        code,
        connection.secure ? data : withoutAuth(data),
        typeof data === 'string' && OWN_ENHANCED_CODE.test(data) ? false : context,
      );
  }

  /** Bytes that came in over a session's connection so far, those of TLS included. */
  bytesRead(sessionId: string): number {
    return this.#sockets.get(sessionId)?.bytesRead ?? 0;
  }

  /** Once a session is over. */
  forget(sessionId: string): void {
    this.#sockets.delete(sessionId);
  }

  /** Says why and hangs up; a session that is gone is no error. */
  endSession(sessionId: string, code: number, text: string): void {
    for (const connection of this.connections) {
      if (connection.id !== sessionId) continue;
      connection.send(code, text);
      connection.close();
    }
  }

  /** Rejects with a sentence that says what to do if the port cannot be had. */
  async listenOn(port: number, host: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => reject(explain(error, port, host));
      this.server.once('error', failed);
      this.listen(port, host, () => {
        this.server.off('error', failed);
        resolve();
      });
    });
  }

  /** The port in use, also when 0 was asked for. */
  get port(): number {
    const address = this.server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }
}

/**
 * RFC 4954 §4: a mechanism that shows the password is not offered before TLS. (Taking the command away would let MAIL
 * through without a log-in.)
 */
function withoutAuth<T>(data: T): T | string[] {
  return Array.isArray(data) ? data.filter((line) => !/^AUTH[ =]/.test(String(line))) : data;
}

function explain(error: NodeJS.ErrnoException, port: number, host: string): Error {
  const why =
    error.code === 'EADDRINUSE'
      ? 'is in use: stop the program that listens there, or choose another port'
      : error.code === 'EACCES'
        ? 'may not be used by this user: choose a port above 1023'
        : `cannot be listened on (${error.message})`;
  return new Error(`Port ${port} on ${host} ${why}.`, { cause: error });
}
