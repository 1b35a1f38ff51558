/**
 * The messages of one queue as they go out: read when their turn has come, together with their state, so that what was
 * held or cancelled meanwhile stays; within the bytes that may be in memory. A message is signed once, however many
 * domains it goes to.
 */
import { domainToASCII } from 'node:url';
import { readQueuedItem, type QueuedItem } from '../../../../projections/outbound.ts';
import { itemRawCell, itemStateCell } from '../../../../projections/outbound-keys.ts';
import type { StoreClient } from '../../../../storage-nodes/client/client.ts';
import type { ByteBudget } from './byte-budget.ts';
import { NotOurs, type Letter } from '../transport/session.ts';
import type { Signer } from '../signing/signer.ts';

export type LettersOptions = {
  readonly store: StoreClient;
  readonly queue: string;
  readonly signer: Signer;
  readonly budget: ByteBudget;
};

export type TakenLetter = Omit<Letter, 'mayEnd'> & {
  /** To be called once its bytes are done with. */
  giveBack(): void;
};

export class Letters {
  readonly #options: LettersOptions;
  readonly #signatures = new Map<string, Promise<Buffer>>();

  constructor(options: LettersOptions) {
    this.#options = options;
  }

  /** `recipients`: places in the envelope, all of one domain. Throws NotOurs if they are not to have it any more. */
  async take(item: QueuedItem, domain: string, recipients: readonly number[]): Promise<TakenLetter> {
    const giveBack = await this.#options.budget.take(domain, item.account, item.size);
    try {
      const bytes = await this.#bytes(item, recipients);
      const to = recipients.map((place) => onWire(item.recipients[place]!.to));
      return { from: onWire(item.from), to, bytes, giveBack };
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  /** The item is in work no more. */
  forget(id: string): void {
    this.#signatures.delete(id);
  }

  async #bytes(item: QueuedItem, recipients: readonly number[]): Promise<Buffer> {
    const { store, queue, signer } = this.#options;
    const gets = [itemStateCell(queue, item.id), itemRawCell(queue, item.id)].map((get) => ({ get }));
    const [state, raw] = (await store.read(queue, gets)).results.map(([cell]) => cell);
    if (state === undefined || raw === undefined) throw new NotOurs('the message waits no more');
    const now = readQueuedItem(await store.bytes(state));
    if (recipients.some((to) => now.recipients[to]?.state !== 'waiting'))
      throw new NotOurs('the message is held or cancelled');
    const message = Buffer.concat([Buffer.from(item.prepend), withoutReturnPath(await store.bytes(raw))]);
    // What a stranger wrote is never signed in our name, whatever its From says.
    if (item.origin === 'forward') return message;
    const signatures = this.#signatures.get(item.id) ?? signer.fieldsFor(message);
    this.#signatures.set(item.id, signatures);
    const fields = await signatures;
    return fields.length === 0 ? message : Buffer.concat([fields, message]);
  }
}

/** What was forwarded begins with the field that its final delivery here has added: it is taken off again (RFC 5321 §4.4). */
function withoutReturnPath(bytes: Buffer): Buffer {
  const field = /^Return-Path:[^\r\n]*\r\n/i.exec(bytes.toString('latin1', 0, 1000));
  return field === null ? bytes : bytes.subarray(field[0].length);
}

/** With its domain as A-labels, which every server understands (RFC 5891); the local part stays. */
function onWire(address: string): string {
  const at = address.lastIndexOf('@');
  return at < 0
    ? address
    : `${address.slice(0, at)}@${domainToASCII(address.slice(at + 1)) || address.slice(at + 1)}`;
}
