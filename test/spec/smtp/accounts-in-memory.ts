/**
 * What the SMTP intake needs of a store, over Maps: accounts that exist, messages kept, and faults on
 * demand. For specifications of the protocol only; the real store stands behind the integration tests.
 */
import { rejection } from '../../../domain/errors.ts';
import { accountOf, accountStream } from '../../../domain/streams.ts';
import {
  Rejected,
  type Accepted,
  type CommandRequest,
  type ReadAnswer,
  type StoreClient,
} from '../../../storage-nodes/client/client.ts';

export type KeptMessage = {
  readonly account: string;
  readonly messageId: string;
  readonly raw: Buffer;
  readonly summary: Record<string, unknown>;
  readonly command: CommandRequest;
};

export class AccountsInMemory implements StoreClient {
  readonly kept: KeptMessage[] = [];
  /** Accounts whose commands fail, with what they fail. */
  readonly failing = new Map<string, Error>();
  reachable = true;
  /** Awaited before a command is carried out. */
  gate: Promise<void> = Promise.resolve();
  readonly #profiles: ReadonlySet<string>;

  constructor(...accounts: string[]) {
    this.#profiles = new Set(accounts.map((name) => `${accountStream(name)}/account`));
  }

  async execute(command: CommandRequest): Promise<Accepted> {
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
    const isHere = this.kept.some(
      (one) => one.account === account && (one.messageId === messageId || one.messageId === earlier),
    );
    if (!raw || !summary) throw new Error('a message has two parts');
    if (!isHere)
      this.kept.push({ account, messageId, raw, summary: JSON.parse(summary.toString('utf8')), command });
    return { tablet: 't', seq: this.kept.length, time: 0, reply: undefined };
  }

  async read(row: string): Promise<ReadAnswer> {
    if (!this.reachable) throw new Error('no node answers');
    const cell = { row, column: 'profile', seq: 1, bytes: Buffer.from('{}'), part: undefined };
    return { tablet: 't', applied: 1, results: [this.#profiles.has(row) ? [cell] : []] };
  }

  scanTable(): never {
    return unasked();
  }
  readPart(): never {
    return unasked();
  }
  bytes(): never {
    return unasked();
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
}

function unasked(): never {
  throw new Error('the SMTP intake has no need of this');
}
