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
import type { Logger } from 'pino';
import type { SMTPServerAddress, SMTPServerDataStream, SMTPServerSession } from 'smtp-server';
import type { StoreClient } from '../../../storage-nodes/client/client.ts';
import { recipientAccount } from '../../message/addresses.ts';
import {
  ClientLimits,
  DEFAULT_CLIENT_LIMITS,
  isLoopback,
  type ClientLimitSettings,
} from '../session/client-limits.ts';
import type { Authentication } from './authentication.ts';
import { deliver } from './delivery.ts';
import { BufferBudget, collect, EndlessData } from '../session/message-data.ts';
import type { KeyAndCertificate } from '../session/own-certificate.ts';
import { fingerprintOf, type Attempt } from '../session/repeats.ts';
import type { PaceSettings } from '../session/pace.ts';
import { POSTMASTER, Postmaster } from '../session/postmaster.ts';
import { Recipients } from '../session/recipients.ts';
import { SmtpListener } from '../session/smtp-listener.ts';
import { SmtpReply, tooLarge, tryAgain } from '../session/smtp-reply.ts';
import { Tries } from '../session/tries.ts';

export type SmtpIntakeOptions = {
  readonly store: StoreClient;
  /** `localhost` is served besides these. */
  readonly domains: readonly string[];
  readonly messageBytesMax: number;
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
  /** What the server calls itself, in its greeting and in Received fields. */
  readonly hostname: string;
  /** PEM; `ownCertificate` makes one where none is configured. */
  readonly tls: KeyAndCertificate;
  /** Who asks where messages come from; absent: nobody does. */
  readonly authentication?: Authentication;
  /** Message bytes held by all sessions together. */
  readonly bufferedBytesMax?: number;
  readonly connectionsMax?: number;
  readonly clientLimits?: Partial<ClientLimitSettings>;
  readonly pace?: Partial<PaceSettings>;
  /** Who speaks before the greeting is sent away, for no mail server does (RFC 5321 §3.1). Not waited for on this machine. */
  readonly greetingDelayMs?: number;
  /** How long `close` waits for messages on their way. */
  readonly drainMs?: number;
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

const MIB = 1024 * 1024;
const RECIPIENTS_MAX = 100;
/** RFC 5321 §4.5.3.2.7: a server waits five minutes at least for the next command. */
const IDLE_MS = 5 * 60_000;

export function createSmtpIntake(options: SmtpIntakeOptions): SmtpIntake {
  return new Intake(options);
}

type Session = {
  readonly accounts: Map<string, string>;
  readonly address: string;
  refusals: number;
  /** Between DATA and its reply. */
  receiving: boolean;
};

class Intake implements SmtpIntake {
  readonly #options: SmtpIntakeOptions;
  readonly #listener: SmtpListener;
  readonly #budget: BufferBudget;
  readonly #limits: ClientLimits;
  readonly #sessions = new Map<string, Session>();
  /** Messages that the store is asked to keep, by their session. */
  readonly #recipients: Recipients;
  readonly #tries = new Tries((sessionId) => this.#listener.bytesRead(sessionId));
  #accepted = 0;
  #refused = 0;
  #closing = false;

  constructor(options: SmtpIntakeOptions) {
    this.#options = options;
    this.#recipients = new Recipients({ ...options, postmaster: new Postmaster(options) });
    this.#budget = new BufferBudget(options.bufferedBytesMax ?? 256 * MIB);
    const limits = { ...DEFAULT_CLIENT_LIMITS, ...options.clientLimits };
    this.#limits = new ClientLimits(limits, () => performance.now());
    this.#listener = new SmtpListener({
      tls: options.tls,
      name: options.hostname,
      banner: 'PennCloud',
      size: options.messageBytesMax,
      maxRecipients: RECIPIENTS_MAX,
      maxClients: options.connectionsMax ?? 500,
      maxCommandLength: 4096,
      socketTimeout: IDLE_MS,
      closeTimeout: options.drainMs ?? 30_000,
      disableReverseLookup: true,
      logger: false,
      pace: options.pace,
      onConnect: (session, done) => {
        const refusal = this.#connected(session);
        const delayMs = isLoopback(session.remoteAddress) ? 0 : (options.greetingDelayMs ?? 0);
        if (refusal || delayMs === 0) done(refusal);
        else setTimeout(done, delayMs, null).unref();
      },
      onClose: (session) => this.#disconnected(session),
      onMailFrom: (_sender, session, done) => {
        this.#session(session).accounts.clear();
        this.#tries.goesOn(session.id);
        try {
          this.#limits.message(session.remoteAddress);
          done();
        } catch (error) {
          this.#refused++;
          done(this.#toReply(error));
        }
      },
      onRcptTo: (recipient, session, done) =>
        void this.#recipient(recipient, session).then(() => done(), done),
      onData: (stream, session, done) =>
        void this.#message(stream, session).then(
          (attempt) => {
            this.#answered(session, () => done(null, `2.0.0 Kept as ${attempt.messageId}`));
            this.#tries.kept(session.id, attempt);
          },
          (reply: SmtpReply) => this.#answered(session, () => done(reply)),
        ),
    });
    this.#listener.on('error', (error) => options.logger.debug({ err: error }, 'SMTP connection failed'));
  }

  async listen(port: number, host: string): Promise<void> {
    await this.#listener.listenOn(port, host);
    this.#options.logger.info(
      { host, port: this.port, domains: this.#options.domains },
      'SMTP intake listens',
    );
  }

  get port(): number {
    return this.#listener.port;
  }

  stats(): SmtpIntakeStats {
    return {
      connections: this.#sessions.size,
      bufferedBytes: this.#budget.used,
      accepted: this.#accepted,
      refused: this.#refused,
    };
  }

  useCertificate(certificate: KeyAndCertificate): void {
    this.#listener.useCertificate(certificate);
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    const closed = new Promise<void>((resolve) => this.#listener.close(resolve));
    for (const [id, session] of this.#sessions) if (!session.receiving) this.#hangUp(id);
    await closed;
    this.#options.logger.info(
      { accepted: this.#accepted, refused: this.#refused },
      'SMTP intake has stopped',
    );
  }

  #connected(session: SMTPServerSession): SmtpReply | null {
    try {
      this.#limits.connected(session.remoteAddress);
    } catch (error) {
      return this.#toReply(error);
    }
    const { remoteAddress: address } = session;
    this.#sessions.set(session.id, {
      accounts: new Map(),
      address,
      refusals: 0,
      receiving: false,
    });
    this.#tries.opened(session.id);
    return null;
  }

  #disconnected(smtp: SMTPServerSession): void {
    const { id } = smtp;
    const session = this.#sessions.get(id);
    this.#tries.ended(id);
    this.#listener.forget(id);
    if (!session) return;
    this.#limits.disconnected(session.address);
    this.#sessions.delete(id);
  }

  /** Rejects with SmtpReply. */
  async #recipient({ address }: SMTPServerAddress, smtp: SMTPServerSession): Promise<void> {
    const session = this.#session(smtp);
    try {
      this.#limits.recipient(session.address);
      session.accounts.set(address.toLowerCase(), await this.#recipients.find(address));
    } catch (error) {
      this.#refused++;
      throw this.#limits.refused(this.#toReply(error), ++session.refusals);
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
      const { pieces, bytes } = await collect(stream, messageBytesMax, this.#budget);
      held = bytes;
      const handover = this.#handover(smtp);
      const { clientAddress, returnPath, recipients } = handover;
      attempt = this.#tries.begin(smtp.id, fingerprintOf(clientAddress, returnPath, recipients, pieces));
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
      if (attempt) this.#tries.refused(smtp.id, attempt);
      if (error instanceof EndlessData)
        this.#listener.endSession(smtp.id, 552, tooLarge(messageBytesMax).message);
      // The client went away in the middle of its message: nobody is left to be told.
      if (!stream.readableEnded) throw tryAgain();
      this.#refused++;
      throw this.#toReply(error);
    } finally {
      this.#budget.give(held);
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
    this.#listener.endSession(id, 421, '4.3.2 The server is shutting down, try again later');
  }

  /** A session outlives its connection while its message is being kept. */
  #session({ id, remoteAddress }: SMTPServerSession): Session {
    return (
      this.#sessions.get(id) ?? {
        accounts: new Map(),
        address: remoteAddress,
        refusals: 0,
        receiving: false,
      }
    );
  }

  #toReply(error: unknown): SmtpReply {
    if (error instanceof SmtpReply) return error;
    this.#options.logger.error({ err: error }, 'a message could not be kept');
    return tryAgain();
  }
}
