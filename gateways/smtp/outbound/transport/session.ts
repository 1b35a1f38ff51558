/**
 * One SMTP connection to another system's server (nodemailer's, with what it leaves open closed): every stage has its
 * end, a reply is bounded, and before the data is ended the sender is asked whether it still may.
 *
 * Content passes as it is: 8-bit bytes go to a peer that does not offer 8BITMIME too, as most servers do, since
 * recoding would break every signature. An address that needs SMTPUTF8 is never sent to a peer without it.
 */
import { isAscii as isAsciiOnly } from 'node:buffer';
import { connect, isIPv6, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { impossible, unanswered, verdictOfReply, type Verdict } from './verdict.ts';

/** How long each stage may take, in ms. The defaults are RFC 5321 §4.5.3.2. */
export type Stages = {
  readonly connect: number;
  /** Greeting, EHLO and TLS. */
  readonly greeting: number;
  /** MAIL, RCPT and DATA. */
  readonly envelope: number;
  /** Without any progress. */
  readonly silence: number;
  /** From the end of the data to the answer. */
  readonly answer: number;
};
export const STAGES: Stages = {
  connect: 30_000,
  greeting: 5 * 60_000,
  envelope: 5 * 60_000,
  silence: 3 * 60_000,
  answer: 10 * 60_000,
};

export type Encryption =
  /** Where it is offered, with whatever certificate. */
  | 'offered'
  | 'none'
  /** MTA-STS: TLS with a certificate of the server's name, or nothing. */
  | 'proven';

export type Peer = {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly encryption: Encryption;
  /** How this system calls itself. */
  readonly ownName: string;
  readonly ca: string | undefined;
  readonly stages: Stages;
};

export type Letter = {
  readonly from: string;
  readonly to: readonly string[];
  readonly bytes: Buffer;
  /** Asked right before the data is ended. */
  mayEnd(): boolean;
};

/** No session could be had, or it broke before a message was ended: nothing was delivered. */
export class SessionBroke extends Error {
  readonly verdict: Verdict;
  /** The peer offers TLS and cannot do it. */
  readonly isTlsBroken: boolean;

  constructor(verdict: Verdict, isTlsBroken = false) {
    super(verdict.text);
    this.verdict = verdict;
    this.isTlsBroken = isTlsBroken;
  }
}

/** The sender may not end the message any more: nothing was delivered, and nothing is to be reported. */
export class NotOurs extends Error {}

const REPLY_BYTES_MAX = 64 * 1024;
const PIECE_BYTES = 64 * 1024;
/** A peer that reads slower than this holds a place that others wait for. */
const BYTES_PER_MS_MIN = 5;
const CLOSE_MS = 2_000;
const DRAIN_POLL_MS = 5;

type SmtpError = Error & {
  code?: string;
  response?: string;
  responseCode?: number;
  recipient?: string;
  rejectedErrors?: SmtpError[];
};
/** What it knows of the peer and has no accessor for. */
type Inside = {
  upgrading?: boolean;
  _supportedExtensions: string[];
  _maxAllowedSize: number;
  _destroyed: boolean;
  lastServerResponse: string | false;
};

export class Session {
  readonly #smtp: SMTPConnection;
  readonly #peer: Peer;
  #sent = 0;
  #idleSince = performance.now();
  #isBroken = false;

  private constructor(smtp: SMTPConnection, peer: Peer) {
    this.#smtp = smtp;
    this.#peer = peer;
    smtp.once('end', () => (this.#isBroken = true));
  }

  /** Throws SessionBroke. */
  static async open(peer: Peer): Promise<Session> {
    const connection = await connected(peer);
    const smtp = new SMTPConnection({
      connection,
      host: peer.address,
      port: peer.port,
      servername: peer.name,
      name: peer.ownName,
      connectionTimeout: peer.stages.greeting,
      greetingTimeout: peer.stages.greeting,
      socketTimeout: peer.stages.answer,
      socketCloseTimeout: CLOSE_MS,
      maxResponseSize: REPLY_BYTES_MAX,
      logger: false,
      ...encryptionOptions(peer),
    });
    await new Promise<void>((resolve, reject) => {
      const broke = (error: SmtpError) => {
        const inside = smtp as unknown as Inside;
        const isTlsBroken = inside.upgrading === true || error.code === 'ETLS';
        clearTimeout(late);
        reject(new SessionBroke(greetingVerdict(error, peer), isTlsBroken));
      };
      const late = setTimeout(() => {
        broke(new Error(`it did not greet within ${peer.stages.greeting / 1000} s`));
        smtp.close();
        connection.destroy();
      }, peer.stages.greeting);
      // For as long as the connection lives: an idle one may break too.
      smtp.on('error', broke);
      smtp.connect((error) => {
        if (error) return broke(error);
        clearTimeout(late);
        resolve();
      });
    });
    return new Session(smtp, peer);
  }

  get host(): string {
    return this.#peer.name;
  }

  get isOpen(): boolean {
    return !this.#isBroken && !(this.#smtp as unknown as Inside)._destroyed;
  }

  get sent(): number {
    return this.#sent;
  }

  get idleMs(): number {
    return performance.now() - this.#idleSince;
  }

  close(): void {
    if (this.isOpen) this.#smtp.quit();
    const { stages } = this.#peer;
    setTimeout(() => this.#smtp.close(), Math.min(CLOSE_MS, stages.silence)).unref();
    this.#isBroken = true;
  }

  /**
   * A verdict for each recipient. Throws SessionBroke if the connection broke before the data was ended (nothing was
   * delivered), NotOurs if it may not be ended any more.
   */
  async send(letter: Letter): Promise<Verdict[]> {
    const early = this.#beforehand(letter);
    if (early !== undefined) return letter.to.map(() => early);
    let isEnded = false;
    const done = await this.#transaction(letter, () => (isEnded = true));
    this.#sent++;
    this.#idleSince = performance.now();
    if ('accepted' in done) {
      const refusals = refusalsIn(done.rejectedErrors, this.host);
      return letter.to.map((to) => refusals.get(to) ?? verdictOfReply(done.response, this.host));
    }
    const { error } = done;
    if (error instanceof NotOurs) {
      this.#drop();
      throw error;
    }
    if (error.responseCode === undefined) {
      this.#drop();
      const verdict = isEnded
        ? unanswered(
            this.host,
            `${this.host} took the message and did not say whether it keeps it: ${said(error)}.`,
          )
        : unanswered(this.host, `The connection to ${this.host} broke: ${said(error)}.`);
      if (!isEnded && error.response === undefined) throw new SessionBroke(verdict);
      return letter.to.map(() =>
        error.response === undefined ? verdict : verdictOfReply(error.response, this.host),
      );
    }
    const refusals = refusalsIn(error.rejectedErrors, this.host);
    const verdict = verdictOfReply(error.response ?? '', this.host);
    await this.#reset();
    return letter.to.map((to) => refusals.get(to) ?? verdict);
  }

  /** What the peer's EHLO says already. */
  #beforehand({ from, to, bytes }: Letter): Verdict | undefined {
    const { _supportedExtensions: offers, _maxAllowedSize: sizeMax } = this.#smtp as unknown as Inside;
    if (sizeMax > 0 && bytes.length > sizeMax)
      return impossible(
        `${this.host} takes messages of at most ${sizeMax} bytes; this one has ${bytes.length}.`,
        '5.3.4',
        this.host,
      );
    if ([from, ...to].some((one) => !isAscii(one)) && !offers.includes('SMTPUTF8'))
      return impossible(
        `${this.host} does not take addresses with letters beyond ASCII.`,
        '5.6.7',
        this.host,
      );
    return undefined;
  }

  #transaction(letter: Letter, ended: () => void): Promise<Done> {
    const { stages } = this.#peer;
    return new Promise((resolve) => {
      let late: NodeJS.Timeout | undefined;
      const within = (ms: number, what: string, allMs = ms): void => {
        clearTimeout(late);
        const why = `${what} took longer than ${Math.round(allMs / 1000)} s`;
        late = setTimeout(() => settle({ error: new Error(why) }), ms);
      };
      const settle = (done: Done): void => {
        clearTimeout(late);
        resolve(done);
      };
      const { from, to, bytes } = letter;
      const allMs = stages.silence + bytes.length / BYTES_PER_MS_MIN;
      let endMs: number | undefined;
      const progress = () => {
        endMs ??= performance.now() + allMs;
        const leftMs = Math.max(0, endMs - performance.now());
        if (leftMs < stages.silence) within(leftMs, 'sending it', allMs);
        else within(stages.silence, 'taking more of it');
      };
      const end = () => {
        ended();
        within(stages.answer, 'the answer');
      };
      const data = Readable.from(this.#pieces(letter, progress, end), { objectMode: false });
      within(stages.envelope, 'the envelope');
      const envelope = { from, to: [...to], size: bytes.length, use8BitMime: !isAsciiOnly(bytes) };
      this.#smtp.send(envelope, data, (error, info) => {
        if (error) return settle({ error: error as SmtpError });
        settle(info as Done);
      });
    });
  }

  async *#pieces({ bytes, mayEnd }: Letter, progress: () => void, ended: () => void): AsyncGenerator<Buffer> {
    // RFC 5321 §4.1.1.4: a peer that answers otherwise would read the message as commands.
    const { lastServerResponse: said } = this.#smtp as unknown as Inside;
    if (!String(said).startsWith('354'))
      throw new Error(`it answered DATA with ${String(said).slice(0, 100)}`);
    progress();
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      yield bytes.subarray(at, at + PIECE_BYTES);
      progress();
    }
    const socket = this.#smtp._socket;
    // What still lies here would go out after the question.
    while (bytes.length > PIECE_BYTES && socket && !socket.destroyed && socket.writableLength > 0)
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    if (!mayEnd()) throw new NotOurs('the queue is another worker’s now');
    ended();
  }

  async #reset(): Promise<void> {
    if (!this.isOpen) return;
    await new Promise<void>((resolve) => {
      const late = setTimeout(() => (this.#drop(), resolve()), this.#peer.stages.silence);
      this.#smtp.reset((error) => {
        clearTimeout(late);
        if (error) this.#drop();
        resolve();
      });
    });
  }

  /** Without a word: the data that was begun must not be ended. */
  #drop(): void {
    this.#isBroken = true;
    const socket = this.#smtp._socket;
    if (socket) socket.destroy();
    this.#smtp.close();
  }
}

type Done =
  | { readonly accepted: string[]; readonly rejectedErrors?: SmtpError[]; readonly response: string }
  | { readonly error: SmtpError };

function connected({ address, port, name, stages }: Peer): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, family: isIPv6(address) ? 6 : 4 });
    const broke = (why: string) => {
      clearTimeout(late);
      socket.destroy();
      reject(
        new SessionBroke(unanswered(name, `${name} (${address}) could not be reached: ${why}.`, '4.4.1')),
      );
    };
    const late = setTimeout(() => broke(`no answer within ${stages.connect / 1000} s`), stages.connect);
    socket.once('error', (error: NodeJS.ErrnoException) => broke(error.code ?? error.message));
    socket.once('connect', () => {
      clearTimeout(late);
      socket.removeAllListeners('error');
      // Between here and the listeners of the SMTP connection.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

function encryptionOptions({ encryption, name, ca }: Peer) {
  if (encryption === 'none') return { ignoreTLS: true };
  const isProven = encryption === 'proven';
  return {
    ...(isProven ? { requireTLS: true } : { opportunisticTLS: true }),
    tls: { servername: name, rejectUnauthorized: isProven, ...(ca !== undefined && { ca }) },
  };
}

/** A greeting of 5xx may be a mood of that server's (RFC 5321 §3.1); 521 is a host without mail (RFC 7504). */
function greetingVerdict(error: SmtpError, { name }: Peer): Verdict {
  if (error.response === undefined)
    return unanswered(name, `${name} gave no session: ${said(error)}.`, '4.4.2');
  const verdict = verdictOfReply(error.response, name);
  return verdict.outcome === 'deferred' || verdict.code === 521
    ? verdict
    : { ...verdict, outcome: 'deferred', status: '4.4.2' };
}

function refusalsIn(errors: readonly SmtpError[] | undefined, host: string): Map<string, Verdict> {
  return new Map(
    (errors ?? []).map((one) => [one.recipient ?? '', verdictOfReply(one.response ?? '', host)]),
  );
}

function said({ message }: Error): string {
  return message.replace(/\.$/, '');
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}
