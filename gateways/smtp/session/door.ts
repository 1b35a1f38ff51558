/**
 * What every port that takes mail has, whoever it is for: what it is told, a listener with the same limits, the counts
 * of each client, who the recipients are, and which messages are tries of one message.
 *
 * Each client is let in and out here: `opened` is called for those alone that may stay, `over` once for each of them.
 */
import type { Logger } from 'pino';
import type { SMTPServerSession } from 'smtp-server';
import type { StoreClient } from '../../../storage-nodes/client/client.ts';
import {
  ClientLimits,
  DEFAULT_CLIENT_LIMITS,
  isLoopback,
  type ClientLimitSettings,
} from './client-limits.ts';
import { BufferBudget } from './message-data.ts';
import type { KeyAndCertificate } from './own-certificate.ts';
import type { PaceSettings } from './pace.ts';
import { Postmaster } from '../../postmaster/postmaster.ts';
import { Recipients } from './recipients.ts';
import { SmtpListener, type SmtpListenerOptions } from './smtp-listener.ts';
import { SmtpReply, tryAgain } from './smtp-reply.ts';
import { Tries } from './tries.ts';

export type DoorOptions = {
  readonly store: StoreClient;
  /** `localhost` is served besides these. */
  readonly domains: readonly string[];
  readonly messageBytesMax: number;
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
  /** What the server calls itself, in its greeting and in Received fields. */
  readonly hostname: string;
  /** PEM; `ownCertificate` makes one where none is configured. */
  readonly tls: KeyAndCertificate;
  readonly clientLimits?: Partial<ClientLimitSettings>;
  readonly pace?: Partial<PaceSettings>;
  /** How long `close` waits for messages on their way. */
  readonly drainMs?: number;
  /** Who speaks before the greeting is sent away, for no mail server does (RFC 5321 §3.1). Not waited for on this machine. */
  readonly greetingDelayMs?: number;
  /** Message bytes held by all sessions together. */
  readonly bufferedBytesMax?: number;
  readonly connectionsMax?: number;
};

/** What one kind of port adds. */
export type DoorHandlers = Pick<
  SmtpListenerOptions,
  'onAuth' | 'onMailFrom' | 'onRcptTo' | 'onData' | 'secure' | 'authenticates' | 'authMethods'
> & {
  opened(session: SMTPServerSession): void;
  over(session: SMTPServerSession): void;
};

const MIB = 1024 * 1024;
const RECIPIENTS_MAX = 100;
/** RFC 5321 §4.5.3.2.7: a server waits five minutes at least for the next command. */
const IDLE_MS = 5 * 60_000;

export class Door {
  readonly listener: SmtpListener;
  readonly limits: ClientLimits;
  readonly budget: BufferBudget;
  readonly recipients: Recipients;
  readonly tries = new Tries((sessionId) => this.listener.bytesRead(sessionId));
  readonly #options: DoorOptions;
  /** Clients that were let in. */
  readonly #admitted = new Set<string>();

  constructor(options: DoorOptions, { opened, over, ...handlers }: DoorHandlers) {
    this.#options = options;
    this.recipients = new Recipients({ ...options, postmaster: new Postmaster(options) });
    this.budget = new BufferBudget(options.bufferedBytesMax ?? 256 * MIB);
    this.limits = new ClientLimits({ ...DEFAULT_CLIENT_LIMITS, ...options.clientLimits }, () =>
      performance.now(),
    );
    this.listener = new SmtpListener({
      ...handlers,
      tls: options.tls,
      pace: options.pace,
      name: options.hostname,
      banner: 'PennCloud',
      size: options.messageBytesMax,
      maxRecipients: RECIPIENTS_MAX,
      maxClients: options.connectionsMax ?? 500,
      socketTimeout: IDLE_MS,
      closeTimeout: options.drainMs ?? 30_000,
      disableReverseLookup: true,
      logger: false,
      onConnect: (session, done) => {
        const refusal = this.#admit(session);
        if (refusal) return done(refusal);
        opened(session);
        const delayMs = isLoopback(session.remoteAddress) ? 0 : (options.greetingDelayMs ?? 0);
        if (delayMs === 0) done();
        else setTimeout(done, delayMs, null).unref();
      },
      onClose: (session) => {
        this.tries.ended(session.id);
        this.listener.forget(session.id);
        if (!this.#admitted.delete(session.id)) return;
        this.limits.disconnected(session.remoteAddress);
        over(session);
      },
    });
    this.listener.on('error', (error) => options.logger.debug({ err: error }, 'SMTP connection failed'));
  }

  /** Rejects with a sentence that says what to do. */
  async listen(port: number, host: string): Promise<void> {
    await this.listener.listenOn(port, host);
  }

  /** How many clients are connected. */
  get connections(): number {
    return this.#admitted.size;
  }

  /** What the client is told of an error; any but SmtpReply is a fault of ours: 451. */
  replyTo(error: unknown): SmtpReply {
    if (error instanceof SmtpReply) return error;
    this.#options.logger.error({ err: error }, 'the store did not do what a mail client asked for');
    return tryAgain();
  }

  #admit({ id, remoteAddress }: SMTPServerSession): SmtpReply | undefined {
    try {
      this.limits.connected(remoteAddress);
    } catch (error) {
      return this.replyTo(error);
    }
    this.#admitted.add(id);
    this.tries.opened(id);
    return undefined;
  }
}
