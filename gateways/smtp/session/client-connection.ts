/**
 * One client's connection: smtp-server's, with what it has no option for. The only file that knows its inner fields,
 * as its types show them; its version is pinned.
 *
 *   reading     client-stream.ts reads commands and text in place of its own parser
 *   commands    are looked through for what it lets pass (command-faults.ts), and paths in quotes are read (quoted-path.ts)
 *   replies     one that carries its own enhanced code is not given another; log-ins are not offered before TLS
 *   pace        who takes too long is sent away (pace.ts)
 */
import type { Socket } from 'node:net';
import type { SMTPServer } from 'smtp-server';
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js';
import { ClientStream } from './client-stream.ts';
import { faultOf } from './command-faults.ts';
import { Pace, type PaceSettings } from './pace.ts';
import { quotedPath } from './quoted-path.ts';
import type { SmtpReply } from './smtp-reply.ts';

const OWN_ENHANCED_CODE = /^[245]\.\d{1,3}\.\d{1,3} /;
const COMMAND_BYTES_MAX = 4096;

export type ClientSettings = {
  /** Log-ins are offered (under TLS). */
  readonly authenticates: boolean;
  readonly pace: PaceSettings;
};

type SendArguments = Parameters<SMTPConnection['send']>;

export class ClientConnection extends SMTPConnection {
  readonly #socket: Socket;
  readonly #authenticates: boolean;
  readonly #pace: Pace;

  constructor(
    server: SMTPServer,
    socket: Socket,
    options: SMTPConnectionOptions | null | undefined,
    { authenticates, pace }: ClientSettings,
  ) {
    super(server, socket, options);
    this.#socket = socket;
    this.#authenticates = authenticates;
    this.#pace = new Pace(pace, performance.now());
  }

  /** Bytes that came in so far, those of TLS included. */
  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  /** Sends the client away if it is waited for and takes too long. `now`: monotonic, ms. */
  endIfLate(now: number): void {
    const isOurTurn = this._handlerPending || (this._dataStream && this._parser && !this._parser._dataMode);
    if (this._closing || isOurTurn) return;
    const late = this.#pace.late(now, this.bytesRead);
    if (late) this.send(late.responseCode, late.message);
  }

  /** Says why, and hangs up. */
  end(code: number, text: string): void {
    this.send(code, text);
    this.close();
  }

  override send(...[code, data, context]: SendArguments): void {
    super.send(
      code,
      this.secure ? data : withoutAuth(data),
      typeof data === 'string' && OWN_ENHANCED_CODE.test(data) ? false : context,
    );
    const isKept = context === 'DATA_OK' && code === 250;
    this.#pace.answered(performance.now(), { bytes: this.bytesRead, opensData: code === 354, isKept });
  }

  /** Called before the fields of this class are there (by the base's constructor), and again for TLS. */
  override _createParser(): ClientStream {
    const parser = new ClientStream({
      commandBytesMax: COMMAND_BYTES_MAX,
      onCommand: (line, done) => this._onCommand(line, done),
      onFault: (fault) => this.#fault(fault),
    });
    parser.on('error', (error) => {
      this._onError(error);
      this.close();
    });
    return parser;
  }

  override _onCommand(command: Buffer, done?: () => void): void {
    // Before the greeting nothing may be said; in TLS's handshake it is thrown away; in AUTH's exchange it is no command.
    if (!this._ready || this._upgrading || this._nextHandler) return super._onCommand(command, done);
    const isSmtpUtf8 = this.session.envelope?.smtpUtf8 === true;
    const fault =
      this.#pace.command() ?? faultOf(command, { authenticates: this.#authenticates, isSmtpUtf8 });
    if (!fault) return super._onCommand(command, done);
    this.send(fault.responseCode, fault.message);
    if (done) setImmediate(done);
  }

  override _parseAddressCommand(
    ...[name, command]: Parameters<SMTPConnection['_parseAddressCommand']>
  ): ReturnType<SMTPConnection['_parseAddressCommand']> {
    const quoted = quotedPath(command.toString());
    const parsed = super._parseAddressCommand(name, quoted?.command ?? command);
    return quoted && parsed ? { ...parsed, address: quoted.restored(parsed.address) } : parsed;
  }

  #fault({ responseCode, message }: SmtpReply): void {
    // Who speaks before the greeting hears that, whatever it said.
    if (!this._ready) return super._onCommand(Buffer.alloc(0));
    this.end(responseCode, message);
  }
}

/**
 * RFC 4954 §4: a mechanism that shows the password is not offered before TLS. (Taking the command away would let MAIL
 * through without a log-in.)
 */
function withoutAuth(data: SendArguments[1]): SendArguments[1] {
  return Array.isArray(data) ? data.filter((line) => !/^AUTH[ =]/.test(line)) : data;
}
