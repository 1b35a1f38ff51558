/**
 * A small SMTP client over a socket, for tests: it pipelines (RFC 2920) and sends bytes exactly as
 * given, which libraries do not.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';

export type SmtpAnswer = {
  readonly code: number;
  /** All lines of the reply, with the code, joined by LF. */
  readonly text: string;
};

export class SmtpClient {
  readonly #socket: Socket;
  readonly #waiting: { resolve: (answer: SmtpAnswer) => void; reject: (error: Error) => void }[] = [];
  readonly #answers: SmtpAnswer[] = [];
  #partial = '';
  #lines: string[] = [];
  #ended: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.#received(bytes.toString('utf8')));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('the server closed the connection')));
  }

  /** Connected, greeted, and through EHLO. */
  static async connect(port: number, host = '127.0.0.1'): Promise<SmtpClient> {
    const client = new SmtpClient(connect(port, host));
    const greeting = await client.answer();
    if (greeting.code !== 220) throw new Error(`the server greets with ${greeting.text}`);
    client.write('EHLO import.example\r\n');
    const welcome = await client.answer();
    if (welcome.code !== 250) throw new Error(`the server answers EHLO with ${welcome.text}`);
    return client;
  }

  /** Connected, with nothing read or said. */
  static raw(port: number, host = '127.0.0.1'): SmtpClient {
    return new SmtpClient(connect(port, host));
  }

  /** With TLS from the first byte on, whatever the certificate; nothing read or said. */
  static async secure(port: number, host = '127.0.0.1'): Promise<SmtpClient> {
    const socket = connectTls({ port, host, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    return new SmtpClient(socket);
  }

  /** The same connection under TLS; the server has said 220 to STARTTLS. */
  async startTls(): Promise<SmtpClient> {
    for (const event of ['data', 'error', 'close']) this.#socket.removeAllListeners(event);
    const socket = connectTls({ socket: this.#socket, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    return new SmtpClient(socket);
  }

  /** Whom the server's certificate names; undefined without TLS. */
  get certificateName(): unknown {
    return this.#socket instanceof TLSSocket ? this.#socket.getPeerCertificate().subject.CN : undefined;
  }

  /** The reply to some bytes, or to one command. */
  say(bytes: string | Buffer): Promise<SmtpAnswer> {
    this.write(bytes);
    return this.answer();
  }

  /** Whether the server has ended the connection, once it has answered all that it is going to. */
  get isOver(): boolean {
    return this.#ended !== undefined && this.#answers.length === 0;
  }

  /** The reply that decides: to the message, or to the first command refused. */
  async send(sender: string, recipients: readonly string[], message: Buffer): Promise<SmtpAnswer> {
    const commands = [`MAIL FROM:<${sender}>`, ...recipients.map((to) => `RCPT TO:<${to}>`), 'DATA'];
    this.write(`${commands.join('\r\n')}\r\n`);
    const answers: SmtpAnswer[] = [];
    for (const _ of commands) answers.push(await this.answer());
    const refused = answers.slice(0, -1).find(({ code }) => code !== 250);
    const go = answers.at(-1)?.code === 354;
    if (refused && !go) {
      this.write('RSET\r\n');
      await this.answer();
    }
    if (!go) return refused ?? (answers.at(-1) as SmtpAnswer);
    this.write(stuffed(message));
    return this.answer();
  }

  write(bytes: string | Buffer): void {
    this.#socket.write(bytes);
  }

  /** The next reply. Rejects if the connection ends first. */
  answer(): Promise<SmtpAnswer> {
    const answer = this.#answers.shift();
    if (answer) return Promise.resolve(answer);
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  async quit(): Promise<void> {
    this.write('QUIT\r\n');
    await this.answer().catch(() => undefined);
    this.#socket.end();
  }

  /** Says that nothing more will be said. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #received(text: string): void {
    const lines = (this.#partial + text).split('\r\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) {
      this.#lines.push(line);
      if (line[3] === '-') continue;
      const answer = { code: Number(line.slice(0, 3)), text: this.#lines.join('\n') };
      this.#lines = [];
      const waiting = this.#waiting.shift();
      if (waiting) waiting.resolve(answer);
      else this.#answers.push(answer);
    }
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
  }
}

/** Dots at line starts doubled (RFC 5321 §4.5.2), a last line end if there is none, and the final dot. */
export function stuffed(message: Buffer): Buffer {
  const text = message.toString('latin1').replace(/(^|\r\n)\./g, '$1..');
  return Buffer.from(`${text}${text === '' || text.endsWith('\r\n') ? '' : '\r\n'}.\r\n`, 'latin1');
}
