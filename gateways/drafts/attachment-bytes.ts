/**
 * The bytes of a draft's attachments, from where they lie: chunks of their own, or a message of the same mailbox, which
 * is read once, however many of its attachments are forwarded.
 */
import { rawCell } from '../../projections/keys.ts';
import type { StoreClient } from '../../storage-nodes/client/client.ts';
import { readAttachment } from '../message/read-message.ts';
import { fileBytes } from '../chunks/read-chunks.ts';
import type { Attachment } from './draft-content.ts';

const PIECE_BYTES = 64 * 1024;

/** The message that an attachment would be read from was deleted. */
export class AttachmentGone extends Error {
  readonly attachment: string;

  constructor({ name }: Attachment) {
    super(`The attachment ${JSON.stringify(name)} is gone with the message that it is of.`);
    this.attachment = name;
  }
}

/** Of one mailbox. The bytes are read when their turn comes; throws AttachmentGone then. */
export function attachmentReader(
  store: StoreClient,
  owner: string,
): (attachment: Attachment) => AsyncGenerator<Buffer> {
  const read = new Map<string, Promise<Buffer | undefined>>();
  const message = (id: string) => {
    const bytes = read.get(id) ?? ownMessage(store, owner, id);
    read.set(id, bytes);
    return bytes;
  };
  return async function* (attachment) {
    if (attachment.kind === 'file') {
      yield* fileBytes(store, attachment, { offset: 0, length: attachment.size });
      return;
    }
    const raw = await message(attachment.message);
    const isWhole = attachment.kind === 'message';
    const bytes = raw === undefined || isWhole ? raw : (await readAttachment(raw, attachment.index))?.content;
    if (bytes === undefined) throw new AttachmentGone(attachment);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
  };
}

/** Of one's own mailbox alone; undefined if it is gone. */
export async function ownMessage(
  store: StoreClient,
  owner: string,
  messageId: string,
): Promise<Buffer | undefined> {
  const { results } = await store.read(owner, [{ get: rawCell(owner, messageId) }]);
  const cell = results[0]?.[0];
  return cell === undefined ? undefined : (cell.bytes ?? store.bytes(cell));
}
