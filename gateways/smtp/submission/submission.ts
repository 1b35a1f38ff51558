/**
 * Mail from our own users' mail clients (RFC 6409): who logs in may send, as themselves, to anybody.
 *
 *   MAIL   not logged in                            530 5.7.0
 *          the password is not valid any more       421 4.7.0, and the connection ends
 *          not an own address                       550 5.7.1
 *   AUTH   without TLS                              538 5.7.0
 *          wrong                                    535 5.7.8, the third time 421 4.7.0
 *          too many wrong ones                      454 4.7.0
 *   RCPT   no such account here                     550 5.1.1
 *          not an address                           553 5.1.3
 *   DATA   From or Sender is somebody else's        550 5.7.1
 *          no From, or several                      554 5.6.0
 *          kept, with its copy in Sent              250 2.0.0
 *
 * and otherwise as mail from other servers is answered (inbound/intake.ts). A log-in holds for its connection alone.
 */
import type { SMTPServerAddress, SMTPServerDataStream, SMTPServerSession } from 'smtp-server';
import { isServed, isValidAddress, recipientAccount } from '../../message/addresses.ts';
import { readHeaderBlock } from '../../message/header-block.ts';
import { Door, type DoorOptions } from '../session/door.ts';
import { checkLines, collect, EndlessData } from '../session/message-data.ts';
import type { KeyAndCertificate } from '../session/own-certificate.ts';
import { fingerprintOf, type Attempt } from '../session/repeats.ts';
import { SmtpReply, tooLarge, tryAgain } from '../session/smtp-reply.ts';
import { HOPS_MAX, submittedField } from '../session/trace.ts';
import type { Credentials, LogIn } from './credentials.ts';
import { outgoing } from './outgoing.ts';
import { send } from './send.ts';

export type SubmissionOptions = DoorOptions & {
  /** TLS from the first byte on (RFC 8314 §3.3), else by STARTTLS. */
  readonly isImplicitTls: boolean;
  /** Shared by all ports, so that wrong log-ins are counted together. */
  readonly credentials: Credentials;
};

export interface Submission {
  /** Rejects with a sentence that says what to do. */
  listen(port: number, host: string): Promise<void>;
  readonly port: number;
  readonly connections: number;
  /** Instead of the one before, for whoever begins TLS next. */
  useCertificate(certificate: KeyAndCertificate): void;
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 200;
const WRONG_LOG_INS_MAX = 3;

export function createSubmission(options: SubmissionOptions): Submission {
  return new SubmissionServer(options);
}

type Session = {
  logIn?: LogIn;
  wrong: number;
  refusals: number;
  readonly accounts: Set<string>;
  readonly outside: Map<string, string>;
};

class SubmissionServer implements Submission {
  readonly #options: SubmissionOptions;
  readonly #door: Door;
  readonly #sessions = new Map<string, Session>();

  constructor(options: SubmissionOptions) {
    this.#options = options;
    const settle = (work: Promise<unknown>, done: (error?: Error | null) => void): void =>
      void work.then(
        () => done(),
        (error: unknown) => done(this.#door.replyTo(error)),
      );
    const door = { connectionsMax: CONNECTIONS_MAX, ...options };
    this.#door = new Door(door, {
      authenticates: true,
      authMethods: ['PLAIN', 'LOGIN'],
      secure: options.isImplicitTls,
      opened: ({ id }) => void this.#sessions.set(id, freshSession()),
      over: ({ id }) => void this.#sessions.delete(id),
      onAuth: ({ username, password }, session, done) =>
        void this.#logIn(username ?? '', password ?? '', session).then(
          (user) => done(null, { user }),
          (error: unknown) => done(this.#door.replyTo(error)),
        ),
      onMailFrom: (sender, session, done) => settle(this.#from(sender, session), done),
      onRcptTo: (recipient, session, done) => settle(this.#recipient(recipient, session), done),
      onData: (stream, session, done) =>
        void this.#message(stream, session).then(
          (attempt) => {
            done(null, `2.0.0 Sent as ${attempt.messageId}`);
            this.#door.tries.kept(session.id, attempt);
          },
          (error: unknown) => done(this.#door.replyTo(error)),
        ),
    });
  }

  async listen(port: number, host: string): Promise<void> {
    await this.#door.listen(port, host);
    this.#options.logger.info({ host, port: this.port }, 'SMTP submission listens');
  }

  get port(): number {
    return this.#door.listener.port;
  }

  get connections(): number {
    return this.#door.connections;
  }

  useCertificate(certificate: KeyAndCertificate): void {
    this.#door.listener.useCertificate(certificate);
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#door.listener.close(resolve));
  }

  async #logIn(
    username: string,
    password: string,
    { id, remoteAddress }: SMTPServerSession,
  ): Promise<string> {
    const session = this.#sessions.get(id);
    try {
      const logIn = await this.#options.credentials.check(username, password, remoteAddress);
      if (session) session.logIn = logIn;
      return logIn.account;
    } catch (error) {
      if (error instanceof SmtpReply && session && ++session.wrong >= WRONG_LOG_INS_MAX) {
        throw new SmtpReply(421, '4.7.0', 'Too many wrong log-ins, try again later');
      }
      throw error;
    }
  }

  async #from({ address }: SMTPServerAddress, smtp: SMTPServerSession): Promise<void> {
    const session = this.#session(smtp);
    session.accounts.clear();
    session.outside.clear();
    this.#door.tries.goesOn(smtp.id);
    this.#door.limits.message(smtp.remoteAddress);
    const by = userOf(smtp);
    if (recipientAccount(address, this.#options.domains) !== by)
      throw new SmtpReply(550, '5.7.1', `You have logged in as ${by}: send from an address of that account`);
    if (session.logIn !== undefined && (await this.#options.credentials.isValid(session.logIn))) return;
    throw new SmtpReply(421, '4.7.0', 'The password that you logged in with is not valid any more');
  }

  async #recipient({ address }: SMTPServerAddress, smtp: SMTPServerSession): Promise<void> {
    const session = this.#session(smtp);
    try {
      this.#door.limits.recipient(smtp.remoteAddress);
      if (isServed(address, this.#options.domains))
        session.accounts.add(await this.#door.recipients.find(address));
      else if (isValidAddress(address)) session.outside.set(address.toLowerCase(), address);
      else throw new SmtpReply(553, '5.1.3', `<${address}> is no address that mail can be sent to`);
    } catch (error) {
      throw this.#door.limits.refused(this.#door.replyTo(error), ++session.refusals);
    }
  }

  /** The message that was sent, or had been by an earlier try. */
  async #message(stream: SMTPServerDataStream, smtp: SMTPServerSession): Promise<Attempt> {
    const { messageBytesMax, store, domains, hostname } = this.#options;
    const { accounts, outside } = this.#session(smtp);
    let held = 0;
    let attempt: Attempt | undefined;
    try {
      const { pieces, bytes } = await collect(stream, messageBytesMax, this.#door.budget);
      held = bytes;
      const received = Buffer.concat(pieces);
      checkLines(received);
      if (readHeaderBlock(received).all('received').length > HOPS_MAX) {
        throw new SmtpReply(554, '5.4.6', 'The message has passed too many servers: it is in a loop');
      }
      const by = userOf(smtp);
      const from = smtp.envelope.mailFrom ? smtp.envelope.mailFrom.address : '';
      // A phone that changes its network in between comes from another address: it is known by its account.
      const envelope = [...accounts, ...outside.values()];
      attempt = this.#door.tries.begin(smtp.id, fingerprintOf(`account ${by}`, from, envelope, pieces));
      const { messageId, earlier } = attempt;
      const time = Date.now();
      const { raw, bcc } = outgoing(received, {
        ...{ by, domains, messageId, time },
        trace: submittedField({ hostname, messageId, time, protocol: smtp.transmissionType }),
      });
      await send(store, {
        ...{ messageId, earlier, by, from, raw, bcc, domains, messageBytesMax },
        accounts: [...accounts],
        outside: [...outside.values()],
        sessionId: smtp.id,
      });
      return attempt;
    } catch (error) {
      if (attempt) this.#door.tries.refused(smtp.id, attempt);
      if (error instanceof EndlessData) {
        this.#door.listener.endSession(smtp.id, 552, tooLarge(messageBytesMax).message);
      }
      throw stream.readableEnded ? error : tryAgain();
    } finally {
      this.#door.budget.give(held);
    }
  }

  /** A session outlives its connection while its message is being sent. */
  #session({ id }: SMTPServerSession): Session {
    return this.#sessions.get(id) ?? freshSession();
  }
}

function freshSession(): Session {
  return { wrong: 0, refusals: 0, accounts: new Set(), outside: new Map() };
}

function userOf({ user }: SMTPServerSession): string {
  return String(user ?? '');
}
