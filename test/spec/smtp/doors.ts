/**
 * The doors that mail comes in by, over accounts in memory: the intake, and submission with STARTTLS and with TLS from
 * the first byte. Clients of theirs are hung up at the end.
 */
import { hash } from '@node-rs/argon2';
import {
  createSmtpIntake,
  type SmtpIntake,
  type SmtpIntakeOptions,
} from '../../../gateways/smtp/inbound/intake.ts';
import { ownCertificate } from '../../../gateways/smtp/session/own-certificate.ts';
import { Credentials } from '../../../gateways/smtp/submission/credentials.ts';
import {
  createSubmission,
  type Submission,
  type SubmissionOptions,
} from '../../../gateways/smtp/submission/submission.ts';
import { SmtpClient } from '../../e2e/smtp-client.ts';
import { AccountsInMemory } from './accounts-in-memory.ts';

export const PASSWORD = 'correct horse battery';
/** Of all accounts; cheap to check. */
const PASSWORD_HASH = await hash(PASSWORD, { memoryCost: 64, timeCost: 1, parallelism: 1 });
const tls = await ownCertificate('mx.penncloud.test', Date.now());
const logger = { debug() {}, info() {}, warn() {}, error() {} };

export type Doors = {
  readonly store: AccountsInMemory;
  readonly intake: SmtpIntake;
  readonly submission: Submission;
  readonly submissionTls: Submission;
  /** Of both. */
  readonly credentials: Credentials;
  /** A client of the intake that has said EHLO. */
  mx(): Promise<SmtpClient>;
  /** A client of submission that has logged in. */
  loggedIn(account: string): Promise<SmtpClient>;
  /** Hung up with the rest. */
  with(client: SmtpClient): SmtpClient;
  close(): Promise<void>;
};

export const plainLogIn = (account: string, password: string): string =>
  `AUTH PLAIN ${Buffer.from(`\0${account}\0${password}`).toString('base64')}\r\n`;

/** Serves penncloud.test, with the accounts alice and carol. */
export async function openDoors(
  more: { intake?: Partial<SmtpIntakeOptions>; submission?: Partial<SubmissionOptions> } = {},
): Promise<Doors> {
  const store = new AccountsInMemory('alice', 'carol');
  store.passwordHash = PASSWORD_HASH;
  const shared = {
    ...{ store, logger, tls, domains: ['penncloud.test'], messageBytesMax: 200_000 },
    ...{ hostname: 'mx.penncloud.test', drainMs: 5_000 },
  };
  const intake = createSmtpIntake({ ...shared, ...more.intake });
  const credentials = new Credentials(store, shared.domains);
  const handIn = { ...shared, credentials, ...more.submission };
  const submission = createSubmission({ ...handIn, isImplicitTls: false });
  const submissionTls = createSubmission({ ...handIn, isImplicitTls: true });
  for (const door of [intake, submission, submissionTls]) await door.listen(0, '127.0.0.1');
  const clients: SmtpClient[] = [];
  const doors: Doors = {
    ...{ store, intake, submission, submissionTls, credentials },
    with(client) {
      clients.push(client);
      return client;
    },
    mx: async () => doors.with(await SmtpClient.connect(intake.port)),
    async loggedIn(account) {
      const client = doors.with(await SmtpClient.secure(submissionTls.port));
      await client.answer();
      await client.say('EHLO client.example\r\n');
      const { code, text } = await client.say(plainLogIn(account, PASSWORD));
      if (code !== 235) throw new Error(`${account} is not let in: ${text}`);
      return client;
    },
    async close() {
      for (const client of clients) client.destroy();
      await Promise.all([intake.close(), submission.close(), submissionTls.close()]);
    },
  };
  return doors;
}
