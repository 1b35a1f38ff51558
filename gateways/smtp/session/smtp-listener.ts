/**
 * smtp-server, with what it has no option for: a reply that carries its own enhanced code is not given another one, a
 * session can be looked at and ended from outside, log-ins are not offered before TLS, commands are looked through for
 * what it lets pass (command-faults.ts), and clients that take too long are sent away (pace.ts).
 *
 * The certificate is required: the one that smtp-server falls back to has a published key.
 */
import type { Socket } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { faultOf } from './command-faults.ts';
import type { KeyAndCertificate } from './own-certificate.ts';
import { DEFAULT_PACE, Pace, type PaceSettings } from './pace.ts';

const OWN_ENHANCED_CODE = /^[245]\.\d{1,3}\.\d{1,3} /;
const LOOKS_PER_SECOND_MAX = 20;

export type SmtpListenerOptions = SMTPServerOptions & {
  readonly tls: KeyAndCertificate;
  readonly authenticates?: boolean;
  readonly pace?: Partial<PaceSettings> | undefined;
};

type Connection = SMTPServer['connections'] extends Set<infer C> ? C : never;

export class SmtpListener extends SMTPServer {
  /** By their ids. */
  readonly #sessions = new Map<string, { socket: Socket; connection: Connection; pace: Pace }>();
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

  override connect(...[socket, options]: Parameters<SMTPServer['connect']>): void {
    super.connect(socket, options);
    const connection = [...this.connections].at(-1);
    if (!connection) return;
    const pace = new Pace(this.#pace, performance.now());
    this.#sessions.set(connection.id, { socket, connection, pace });
    const send = connection.send.bind(connection);
    connection.send = (code, data, context) => {
      if (data === COMMAND_TOO_LONG) {
        // RFC 5321 §4.5.3.1.9; what comes behind it is not read.
        send(500, '5.5.2 Line too long', false);
        return connection.close();
      }
      send(
        code,
        connection.secure ? data : withoutAuth(data),
        typeof data === 'string' && OWN_ENHANCED_CODE.test(data) ? false : context,
      );
      const isKept = context === 'DATA_OK' && code === 250;
      pace.answered(performance.now(), { bytes: socket.bytesRead, opensData: code === 354, isKept });
    };
    const heard = connection._onCommand.bind(connection);
    connection._onCommand = (command, done) => {
      // Before the greeting nothing may be said; in TLS's handshake it is thrown away; in AUTH's exchange it is no command.
      if (!connection._ready || connection._upgrading || connection._nextHandler) return heard(command, done);
      const { authenticates, isSmtpUtf8 } = {
        authenticates: this.#authenticates,
        isSmtpUtf8: connection.session.envelope?.smtpUtf8 === true,
      };
      const fault = pace.command() ?? faultOf(command, { authenticates, isSmtpUtf8 });
      if (!fault) return heard(command, done);
      connection.send(fault.responseCode, fault.message);
      if (done) setImmediate(done);
    };
  }

  #endTheLate(): void {
    const now = performance.now();
    for (const { connection, pace, socket } of this.#sessions.values()) {
      const { _handlerPending, _closing, _dataStream, _parser } = connection;
      const isOurTurn = _handlerPending || (_dataStream && _parser && !_parser._dataMode);
      if (_closing || isOurTurn) continue;
      const late = pace.late(now, socket.bytesRead);
      if (late) connection.send(late.responseCode, late.message);
    }
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
    return this.#sessions.get(sessionId)?.socket.bytesRead ?? 0;
  }

  /** Once a session is over. */
  forget(sessionId: string): void {
    this.#sessions.delete(sessionId);
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

const COMMAND_TOO_LONG = 'Error: Command line too long';

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
