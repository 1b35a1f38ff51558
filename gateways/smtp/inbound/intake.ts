/**
 * Mail from other servers (MX): an SMTP server that takes messages for local accounts and for nobody
 * else. It keeps nothing: a message is in the store when the client hears 250, and not before.
 *
 *   MAIL   size over the limit                      552 5.3.4
 *   RCPT   domain not served                        550 5.7.1
 *          no such account                          550 5.1.1
 *          postmaster, and nobody reads it          451 4.3.5
 *          more than 100                            452 4.5.3
 *   DATA   size over the limit                      552 5.3.4
 *          bare CR or LF                            550 5.5.2
 *          a line over 64 KiB                       500 5.5.2
 *          passed more than 50 servers              554 5.4.6
 *          kept for every recipient                 250 2.0.0
 *   any    the store is not reachable               451 4.3.0
 *          too much in memory at once               451 4.3.1
 *          too many messages a minute               451 4.7.1, recipients 450 4.7.1
 *          too many connections or refusals         421 4.7.0
 *          too slow                                 421 4.4.2
 *          the intake is closing                    421 4.3.2
 *
 *          the sender's domain refuses it (DMARC)  550 5.7.1
 *          it may, and there was no time to look    451 4.7.1
 *
 * Left out: submission by our own users (AUTH), outbound mail.
 */
import type { SMTPServerAddress, SMTPServerDataStream, SMTPServerSession } from 'smtp-server';
import { recipientAccount } from '../../message/addresses.ts';
import { Door, type DoorOptions } from '../session/door.ts';
import { collect, EndlessData } from '../session/message-data.ts';
import type { KeyAndCertificate } from '../session/own-certificate.ts';
import { POSTMASTER } from '../../postmaster/postmaster.ts';
import { fingerprintOf, type Attempt } from '../session/repeats.ts';
import { tooLarge, tryAgain, type SmtpReply } from '../session/smtp-reply.ts';
import type { Authentication } from './authentication.ts';
import { deliver } from './delivery.ts';

export type SmtpIntakeOptions = DoorOptions & {
  /** Who asks where messages come from; absent: nobody does. */
  readonly authentication?: Authentication;
};

export type SmtpIntakeStats = {
  readonly connections: number;
  readonly bufferedBytes: number;
  readonly accepted: number;
  /** Messages and recipients answered with 4xx or 5xx. */
  readonly refused: number;
};

export interface SmtpIntake {
  /** Rejects with a sentence that says what to do. */
  listen(port: number, host: string): Promise<void>;
  /** The port listened on. */
  readonly port: number;
  stats(): SmtpIntakeStats;
  /** Instead of the one before, for whoever begins TLS next. */
  useCertificate(certificate: KeyAndCertificate): void;
  /** Takes no new message, lets those on their way finish, then hangs up. */
  close(): Promise<void>;
}

export function createSmtpIntake(options: SmtpIntakeOptions): SmtpIntake {
  return new Intake(options);
}

type Session = {
  readonly accounts: Map<string, string>;
  refusals: number;
  /** Between DATA and its reply. */
  receiving: boolean;
};

class Intake implements SmtpIntake {
  readonly #options: SmtpIntakeOptions;
  readonly #door: Door;
  readonly #sessions = new Map<string, Session>();
  #accepted = 0;
  #refused = 0;
  #closing = false;

  constructor(options: SmtpIntakeOptions) {
    this.#options = options;
    this.#door = new Door(options, {
      opened: ({ id }) => void this.#sessions.set(id, freshSession()),
      over: ({ id }) => void this.#sessions.delete(id),
      onMailFrom: (_sender, session, done) => {
        this.#session(session).accounts.clear();
        this.#door.tries.goesOn(session.id);
        try {
          this.#door.limits.message(session.remoteAddress);
          done();
        } catch (error) {
          this.#refused++;
          done(this.#door.replyTo(error));
        }
      },
      onRcptTo: (recipient, session, done) =>
        void this.#recipient(recipient, session).then(() => done(), done),
      onData: (stream, session, done) =>
        void this.#message(stream, session).then(
          (attempt) => {
            this.#answered(session, () => done(null, `2.0.0 Kept as ${attempt.messageId}`));
            this.#door.tries.kept(session.id, attempt);
          },
          (reply: SmtpReply) => this.#answered(session, () => done(reply)),
        ),
    });
  }

  async listen(port: number, host: string): Promise<void> {
    await this.#door.listen(port, host);
    this.#options.logger.info(
      { host, port: this.port, domains: this.#options.domains },
      'SMTP intake listens',
    );
  }

  get port(): number {
    return this.#door.listener.port;
  }

  stats(): SmtpIntakeStats {
    return {
      connections: this.#door.connections,
      bufferedBytes: this.#door.budget.used,
      accepted: this.#accepted,
      refused: this.#refused,
    };
  }

  useCertificate(certificate: KeyAndCertificate): void {
    this.#door.listener.useCertificate(certificate);
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    const closed = new Promise<void>((resolve) => this.#door.listener.close(resolve));
    for (const [id, session] of this.#sessions) if (!session.receiving) this.#hangUp(id);
    await closed;
    this.#options.logger.info(
      { accepted: this.#accepted, refused: this.#refused },
      'SMTP intake has stopped',
    );
  }

  /** Rejects with SmtpReply. */
  async #recipient({ address }: SMTPServerAddress, smtp: SMTPServerSession): Promise<void> {
    const session = this.#session(smtp);
    try {
      this.#door.limits.recipient(smtp.remoteAddress);
      session.accounts.set(address.toLowerCase(), await this.#door.recipients.find(address));
    } catch (error) {
      this.#refused++;
      throw this.#door.limits.refused(this.#door.replyTo(error), ++session.refusals);
    }
  }

  /** The id of the message kept. Rejects with SmtpReply. */
  async #message(stream: SMTPServerDataStream, smtp: SMTPServerSession): Promise<Attempt> {
    const session = this.#session(smtp);
    const { messageBytesMax, store, domains, logger } = this.#options;
    session.receiving = true;
    let held = 0;
    let attempt: Attempt | undefined;
    try {
      const { pieces, bytes } = await collect(stream, messageBytesMax, this.#door.budget);
      held = bytes;
      const handover = this.#handover(smtp);
      const { clientAddress, returnPath, recipients } = handover;
      attempt = this.#door.tries.begin(smtp.id, fingerprintOf(clientAddress, returnPath, recipients, pieces));
      const { messageId, earlier } = attempt;
      await deliver(store, {
        pieces,
        accounts: [...new Set(session.accounts.values())],
        isPostmaster: (account) =>
          [...session.accounts].some(
            ([address, found]) => found === account && recipientAccount(address, domains) === POSTMASTER,
          ),
        handover: { ...handover, messageId },
        earlier,
        sessionId: smtp.id,
        domains,
        messageBytesMax,
        authentication: this.#options.authentication,
      });
      this.#accepted++;
      logger.debug({ messageId, bytes, recipients: session.accounts.size }, 'message kept');
      return attempt;
    } catch (error) {
      if (attempt) this.#door.tries.refused(smtp.id, attempt);
      if (error instanceof EndlessData)
        this.#door.listener.endSession(smtp.id, 552, tooLarge(messageBytesMax).message);
      // The client went away in the middle of its message: nobody is left to be told.
      if (!stream.readableEnded) throw tryAgain();
      this.#refused++;
      throw this.#door.replyTo(error);
    } finally {
      this.#door.budget.give(held);
    }
  }

  #handover(smtp: SMTPServerSession) {
    const { mailFrom, rcptTo, smtpUtf8 } = smtp.envelope;
    return {
      returnPath: mailFrom ? mailFrom.address : '',
      clientName: smtp.hostNameAppearsAs,
      clientAddress: smtp.remoteAddress,
      hostname: this.#options.hostname,
      protocol: smtpUtf8 ? `UTF8${smtp.transmissionType.replace(/^E/, '')}` : smtp.transmissionType,
      recipients: rcptTo.map(({ address }) => address),
      time: Date.now(),
    };
  }

  #answered(smtp: SMTPServerSession, answer: () => void): void {
    this.#session(smtp).receiving = false;
    answer();
    if (this.#closing) this.#hangUp(smtp.id);
  }

  #hangUp(id: string): void {
    this.#door.listener.endSession(id, 421, '4.3.2 The server is shutting down, try again later');
  }

  /** A session outlives its connection while its message is being kept. */
  #session({ id }: SMTPServerSession): Session {
    return this.#sessions.get(id) ?? freshSession();
  }
}

function freshSession(): Session {
  return { accounts: new Map(), refusals: 0, receiving: false };
}
