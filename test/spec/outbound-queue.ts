/** A queue of outbound mail, as specifications see it: what alice's account hands over, a worker, and an operator. */
import type { Json } from '../../domain/decider.ts';
import { encodeEnvelope, type Envelope } from '../../domain/outbound/envelope.ts';
import { itemIdOf, type Origin } from '../../domain/outbound/item.ts';
import { encodeSaid } from '../../domain/outbound/said.ts';
import { outboundStream } from '../../domain/streams.ts';
import { readQueuedItem, readQueueLease, type QueuedItem } from '../../projections/outbound.ts';
import { dueRow, heldRow, itemRawCell, itemStateCell, leaseCell } from '../../projections/outbound-keys.ts';
import { ALICE, id, RAW, summary } from './given.ts';
import { Mailbox } from './mailbox.ts';
import type { Command, InMemoryShell, Outcome } from './in-memory-shell.ts';

export const ADDRESSES = ['ann@far.example', 'bea@else.example'];
export const ENVELOPE: Envelope = { from: 'alice@penncloud.test', to: ADDRESSES, prepend: '' };

type Tried = {
  readonly to?: number;
  readonly outcome: 'delivered' | 'deferred' | 'failed';
  readonly code?: number | null;
  readonly retryAt?: number | null;
  readonly text?: string;
  readonly notice?: string;
  /** Hashes of Message-IDs that the notice names. */
  readonly names?: readonly string[];
};

export class Queue {
  readonly mailbox = new Mailbox();
  readonly shell: InMemoryShell = this.mailbox.shell;
  readonly itemId: string;
  readonly stream: string;
  readonly #item: Json;

  constructor(number = 1, origin: Origin = 'sent') {
    const owner = { account: 'alice', origin, messageId: id(number) };
    this.itemId = itemIdOf(owner);
    this.stream = outboundStream(this.itemId);
    this.#item = { id: this.itemId, ...owner };
    this.mailbox.send(number);
    this.shell.settleAll();
  }

  do(type: string, data: Json, more: Partial<Command> = {}): Outcome {
    return this.shell.execute({ type: `outbound.${type}`, data, stream: this.stream, ...more });
  }

  queue(envelope: Envelope = ENVELOPE, more: Partial<Command> & { readonly data?: object } = {}): Outcome {
    const data = { ...(this.#item as object), recipients: envelope.to.length, ...more.data } as Json;
    const parts = [RAW, encodeEnvelope(envelope)];
    return this.do('QueueMessage', data, { parts, askedBy: ALICE, ...more, data });
  }

  claim(worker = 'one', ms = 60_000, more: Partial<Command> = {}): Outcome {
    return this.do('ClaimQueue', { worker, ms }, more);
  }

  report(tries: readonly Tried[], holder: { worker: string; token: number } = ONE): Outcome {
    const told = tries.filter(({ notice }) => notice !== undefined);
    const data = {
      ...holder,
      tries: tries.map(({ to = 0, outcome, code = null, retryAt = null }) => ({
        id: this.itemId,
        to,
        outcome,
        code,
        retryAt,
      })),
      notices: told.map(({ names = [] }, i) => ({ id: this.itemId, part: 1 + 3 * i, ids: names })),
    };
    const said = encodeSaid(tries.map(({ text = '' }) => ({ host: 'mx1.far.example', text })));
    const parts = [said, ...told.flatMap(({ notice = '' }) => [notice, summary(), ''])];
    return this.do('RecordAttempts', data, { parts });
  }

  change(action: string): Outcome {
    return this.do('ChangeItem', { id: this.itemId, action });
  }

  item(): QueuedItem | undefined {
    const bytes = this.shell.bytes(itemStateCell(this.stream, this.itemId));
    return bytes && readQueuedItem(bytes);
  }

  states(): string[] | undefined {
    return this.item()?.recipients.map(({ state }) => state);
  }

  due(): string[] {
    return this.shell.columns(dueRow(this.stream));
  }

  held(): string[] {
    return this.shell.columns(heldRow(this.stream));
  }

  raw(): Uint8Array | undefined {
    return this.shell.bytes(itemRawCell(this.stream, this.itemId));
  }

  lease() {
    const bytes = this.shell.bytes(leaseCell(this.stream));
    return bytes && readQueueLease(bytes);
  }

  /** What the accounts were told since the last call. */
  told(): { stream: string; command: string; data: Json }[] {
    const told = this.shell
      .pending()
      .map(({ reaction: { stream, command, data } }) => ({ stream, command, data }));
    this.shell.settleAll();
    return told;
  }
}

export const ONE = { worker: 'one', token: 1 };
