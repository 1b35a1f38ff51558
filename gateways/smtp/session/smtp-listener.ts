/**
 * smtp-server's listener for clients as client-connection.ts has them: sessions can be looked at and ended from outside,
 * and who takes too long is sent away.
 *
 * The certificate is required: the one that smtp-server falls back to has a published key.
 */
import type { Socket } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { ClientConnection } from './client-connection.ts';
import type { KeyAndCertificate } from './own-certificate.ts';
import { DEFAULT_PACE, type PaceSettings } from './pace.ts';

const LOOKS_PER_SECOND_MAX = 20;

export type SmtpListenerOptions = SMTPServerOptions & {
  readonly tls: KeyAndCertificate;
  readonly authenticates?: boolean;
  readonly pace?: Partial<PaceSettings> | undefined;
};

export class SmtpListener extends SMTPServer {
  /** By their ids. */
  readonly #sessions = new Map<string, ClientConnection>();
  readonly #pace: PaceSettings;
  readonly #authenticates: boolean;
  /** When each connection that has TLS ahead, before its greeting, was first seen. */
  readonly #handshakes = new WeakMap<Socket, number>();

  constructor(options: SmtpListenerOptions) {
    const { tls: certificate, authenticates = false, pace, ...rest } = options;
    // WIZ, SHELL and KILL are jokes of the 1980s that the library knows.
    const disabledCommands = [...(authenticates ? [] : ['AUTH']), 'WIZ', 'SHELL', 'KILL'];
    super({ ...rest, ...certificate, disabledCommands, hideENHANCEDSTATUSCODES: false });
    this.#authenticates = authenticates;
    this.#pace = { ...DEFAULT_PACE, ...pace };
    const { commandMs, dataMs, messageMs, handshakeMs } = this.#pace;
    const lookMs = Math.min(1000, Math.min(commandMs, dataMs, messageMs, handshakeMs) / 4);
    const looking = setInterval(() => this.#endTheLate(), Math.max(1000 / LOOKS_PER_SECOND_MAX, lookMs));
    looking.unref();
    this.server.once('close', () => clearInterval(looking));
  }

  /** As the library's own, which makes connections of its own kind. */
  override connect(...[socket, options]: Parameters<SMTPServer['connect']>): void {
    const settings = { authenticates: this.#authenticates, pace: this.#pace };
    const connection = new ClientConnection(this, socket, options, settings);
    this.connections.add(connection);
    this.#sessions.set(connection.id, connection);
    connection.on('error', (error: Error) => this._onError(error));
    connection.on('connect', (data: Parameters<SMTPServer['_onClientConnect']>[0]) =>
      this._onClientConnect(data),
    );
    connection.init();
  }

  #endTheLate(): void {
    const now = performance.now();
    for (const connection of this.#sessions.values()) connection.endIfLate(now);
    for (const [socket, top] of this._pendingSockets) {
      const since = this.#handshakes.get(socket);
      if (since === undefined) this.#handshakes.set(socket, now);
      // Never the lower of the two: Node does not survive that in the middle of a handshake.
      else if (now - since > this.#pace.handshakeMs) top.destroy();
    }
  }

  /** Shown to whoever begins TLS next. */
  useCertificate(certificate: KeyAndCertificate): void {
    this.updateSecureContext({ ...certificate });
  }

  /** Bytes that came in over a session's connection so far, those of TLS included. */
  bytesRead(sessionId: string): number {
    return this.#sessions.get(sessionId)?.bytesRead ?? 0;
  }

  /** Once a session is over. */
  forget(sessionId: string): void {
    this.#sessions.delete(sessionId);
  }

  /** Says why and hangs up; a session that is gone is no error. */
  endSession(sessionId: string, code: number, text: string): void {
    const connection = this.#sessions.get(sessionId);
    if (connection && this.connections.has(connection)) connection.end(code, text);
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

function explain(error: NodeJS.ErrnoException, port: number, host: string): Error {
  const why =
    error.code === 'EADDRINUSE'
      ? 'is in use: stop the program that listens there, or choose another port'
      : error.code === 'EACCES'
        ? 'may not be used by this user: choose a port above 1023'
        : `cannot be listened on (${error.message})`;
  return new Error(`Port ${port} on ${host} ${why}.`, { cause: error });
}
