/**
 * What mail by SMTP needs of a store, over Maps: accounts that exist, their password, messages kept and sent, and faults
 * on demand. For specifications of the protocol only; the real store stands behind the integration tests.
 */
import { rejection } from '../../../domain/errors.ts';
import { decodeEnvelope, type Envelope } from '../../../domain/outbound/envelope.ts';
import { accountOf, accountStream } from '../../../domain/streams.ts';
import {
  Rejected,
  type Accepted,
  type CommandRequest,
  type ReadAnswer,
  type ReadCell,
  type ReadQuery,
  type StoreClient,
} from '../../../storage-nodes/client/client.ts';

export type KeptMessage = {
  readonly account: string;
  readonly messageId: string;
  readonly raw: Buffer;
  readonly summary: Record<string, unknown>;
  readonly command: CommandRequest;
};

export type SentMessage = {
  readonly by: string;
  readonly messageId: string;
  readonly raw: Buffer;
  readonly recipients: readonly string[];
  /** What goes to other systems; undefined: nothing. */
  readonly envelope: Envelope | undefined;
};

export class AccountsInMemory implements StoreClient {
  readonly kept: KeptMessage[] = [];
  readonly sent: SentMessage[] = [];
  /** Every account's, as the store keeps it; '': nobody can log in. */
  passwordHash = '';
  /** Accounts whose commands fail, with what they fail. */
  readonly failing = new Map<string, Error>();
  reachable = true;
  /** Awaited before a command is carried out. */
  gate: Promise<void> = Promise.resolve();
  /** Commands so far, those under way among them. */
  asked = 0;
  /** Administrators among the accounts. */
  readonly administrators = new Set<string>();
  /** How often the table was looked through for the next account. */
  scans = 0;
  readonly #profiles: Set<string>;

  constructor(...accounts: string[]) {
    this.#profiles = new Set(accounts.map((name) => `${accountStream(name)}/account`));
  }

  add(account: string): void {
    this.#profiles.add(`${accountStream(account)}/account`);
  }

  remove(account: string): void {
    this.#profiles.delete(`${accountStream(account)}/account`);
  }

  async execute(command: CommandRequest): Promise<Accepted> {
    this.asked++;
    await this.gate;
    const account = accountOf(command.stream) ?? '';
    if (!this.reachable) throw new Error('no node answers');
    const failure = this.failing.get(account);
    if (failure) throw failure;
    if (!this.#profiles.has(`${command.stream}/account`)) {
      throw new Rejected(rejection('NoSuchAccount', 'There is no such account.'));
    }
    const [raw, summary] = command.parts.map((part) => Buffer.from(part));
    const { messageId, earlier } = command.data as { messageId: string; earlier?: string };
    if (command.type === 'account.CountFailures') return { tablet: 't', seq: 0, time: 0, reply: undefined };
    if (command.type === 'mail.SendMessage') return this.#send(account, command);
    const isHere = this.kept.some(
      (one) => one.account === account && (one.messageId === messageId || one.messageId === earlier),
    );
    if (!raw || !summary) throw new Error('a message has two parts');
    if (!isHere)
      this.kept.push({ account, messageId, raw, summary: JSON.parse(summary.toString('utf8')), command });
    return { tablet: 't', seq: this.kept.length, time: 0, reply: undefined };
  }

  async read(_row: string, queries: readonly ReadQuery[]): Promise<ReadAnswer> {
    if (!this.reachable) throw new Error('no node answers');
    const results = queries.map((query): ReadCell[] => {
      if (!('get' in query) || !this.#profiles.has(query.get.row)) return [];
      if (query.get.column === 'profile') return [this.#cell(query.get.row)];
      if (query.get.column !== 'credentials') return [];
      const credentials = { passwordHash: this.passwordHash, passwordVersion: 1 };
      return [{ ...query.get, seq: 1, bytes: Buffer.from(JSON.stringify(credentials)), part: undefined }];
    });
    return { tablet: 't', applied: 1, results };
  }

  async scanTable({ from = '', to = '\uffff', limit }: Parameters<StoreClient['scanTable']>[0]) {
    if (!this.reachable) throw new Error('no node answers');
    this.scans++;
    const rows = [...this.#profiles].filter((row) => row >= from && row < to).sort();
    return rows.slice(0, limit).map((row) => this.#cell(row));
  }
  readPart(): never {
    return unasked();
  }
  async bytes({ bytes }: ReadCell): Promise<Buffer> {
    return Buffer.from(bytes ?? []);
  }
  readLog(): never {
    return unasked();
  }
  tablets(): never {
    return unasked();
  }
  tabletStatus(): never {
    return unasked();
  }
  async close(): Promise<void> {}

  #send(by: string, { data, parts }: CommandRequest): Accepted {
    const { messageId, earlier, recipients, enveloped } = data as unknown as {
      messageId: string;
      earlier?: string;
      recipients: string[];
      enveloped?: boolean;
    };
    const read = enveloped ? decodeEnvelope(parts[5]) : undefined;
    if (read !== undefined && 'rejection' in read) throw new Rejected(read.rejection);
    const isHere = this.sent.some(
      (one) => one.by === by && (one.messageId === messageId || one.messageId === earlier),
    );
    if (!isHere)
      this.sent.push({ by, messageId, raw: Buffer.from(parts[0]!), recipients, envelope: read?.data });
    return { tablet: 't', seq: this.sent.length, time: 0, reply: undefined };
  }

  #cell(row: string): ReadCell {
    const name = accountOf(row) ?? '';
    const profile = { name, displayName: name, admin: this.administrators.has(name), createdAt: 1 };
    return { row, column: 'profile', seq: 1, bytes: Buffer.from(JSON.stringify(profile)), part: undefined };
  }
}

function unasked(): never {
  throw new Error('the SMTP intake has no need of this');
}
