/**
 * Writes the notices that a batch of reports asks for: for each message one of what has failed in it for good, and one
 * of what is late, whoever of its recipients it is about. Nothing is bounced to nobody (RFC 5321 §6.1).
 */
import { randomBytes } from 'node:crypto';
import type { QueuedItem } from '../../../../projections/outbound.ts';
import { itemRawCell } from '../../../../projections/outbound-keys.ts';
import type { StoreClient } from '../../../../storage-nodes/client/client.ts';
import { digestOf, type MessageDigest } from '../../../message/digest.ts';
import { deliveryNotice } from './delivery-notice.ts';
import type { Report, RetryTimes } from './retry-times.ts';

export type NoticeWriterOptions = {
  readonly store: StoreClient;
  readonly queue: string;
  readonly times: RetryTimes;
  readonly ownName: string;
  /** Those in work. */
  readonly items: ReadonlyMap<string, QueuedItem>;
};

/** `id`: the item it tells of. */
export type WrittenNotice = { readonly id: string; readonly raw: Buffer; readonly digest: MessageDigest };

const HEAD_BYTES = 32 * 1024;
/** At a time: reading one waits for the store, its digest for the processor. */
const WRITTEN_AT_ONCE = 8;

type Asked = {
  readonly kind: 'failed' | 'delayed';
  readonly item: QueuedItem;
  readonly tried: Report['tried'];
};

export class NoticeWriter {
  readonly #options: NoticeWriterOptions;

  constructor(options: NoticeWriterOptions) {
    this.#options = options;
  }

  async write(reports: readonly Report[]): Promise<WrittenNotice[]> {
    const asked = this.#asked(reports);
    const written: WrittenNotice[] = [];
    for (let at = 0; at < asked.length; at += WRITTEN_AT_ONCE) {
      const some = asked.slice(at, at + WRITTEN_AT_ONCE).map((one) => this.#notice(one));
      written.push(...(await Promise.all(some)));
    }
    return written;
  }

  #asked(reports: readonly Report[]): Asked[] {
    return [...new Set(reports.map(({ id }) => id))].flatMap((id) => {
      const item = this.#options.items.get(id);
      if (item === undefined || item.from === '') return [];
      const ofItem = reports.flatMap((report) => (report.id === id ? report.tried : []));
      const tried = ofItem.sort((a, b) => a.to - b.to);
      const all: Asked[] = [
        { kind: 'failed', item, tried: tried.filter(({ verdict }) => verdict.outcome === 'failed') },
        { kind: 'delayed', item, tried: tried.filter(({ isDelayTold }) => isDelayTold) },
      ];
      return all.filter((one) => one.tried.length > 0);
    });
  }

  async #notice({ kind, item, tried }: Asked): Promise<WrittenNotice> {
    const { times, ownName } = this.#options;
    const raw = deliveryNotice({
      kind,
      to: item.from,
      recipients: tried.map(({ to, verdict }) => ({
        address: item.recipients[to]!.to,
        verdict,
        retryUntil: item.queuedAt + times.giveUp,
      })),
      head: await this.#head(item),
      queuedAt: item.queuedAt,
      now: Date.now(),
      ownName,
      id: `${kind}.${item.id}.${randomBytes(6).toString('hex')}`,
    });
    return { id: item.id, raw, digest: await digestOf(raw) };
  }

  /** Of the message, its header among them; empty once its bytes are gone. */
  async #head(item: QueuedItem): Promise<Buffer> {
    const { store, queue } = this.#options;
    const { results } = await store.read(queue, [{ get: itemRawCell(queue, item.id) }]);
    const cell = results[0]?.[0];
    if (cell === undefined) return Buffer.alloc(0);
    if (cell.part === undefined) return (await store.bytes(cell)).subarray(0, HEAD_BYTES);
    const pieces: Buffer[] = [];
    const length = Math.min(HEAD_BYTES, cell.part.length);
    for await (const piece of store.readPart(cell.part, { offset: 0, length })) pieces.push(piece);
    return Buffer.concat(pieces);
  }
}
