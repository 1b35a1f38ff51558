/**
 * Imported messages are filed in an account: folders are made where they are missing, what is there already is passed
 * over, and several messages are on their way at once. Ids are derived from bytes, so that an import that was cut off
 * is simply run again: it passes over what it has done.
 */
import { createHash } from 'node:crypto';
import { encodeSummary } from '../../domain/mail/message/summary.ts';
import { FOLDER_NAME_BYTES_MAX, isSystemFolder, type Folder } from '../../domain/mail/folders.ts';
import { accountStream } from '../../domain/streams.ts';
import { digestOf } from '../../gateways/message/digest.ts';
import { idFrom } from '../../gateways/pages/command-ids.ts';
import { metaCell, ownFoldersRow } from '../../projections/keys.ts';
import { readOwnFolder } from '../../projections/own-folders.ts';
import { Rejected, type CommandRequest, type StoreClient } from '../../storage-nodes/client/client.ts';
import type { ChunkCommand } from '../../gateways/chunks/store-chunks.ts';
import { draftParts, NoDraft } from './drafts.ts';
import type { Found } from './sources.ts';

export type Outcome = {
  imported: number;
  /** There already, or twice in the same source. */
  known: number;
  readonly refused: { readonly name: string; readonly why: string }[];
};

/** Looked up in one read, and on their way together. */
const AT_ONCE = 16;
const BYTES_AT_ONCE = 16 * 1024 * 1024;

type Taken = Extract<Found, { readonly message: Buffer }> & { readonly id: string };
type Send = (
  command: Pick<CommandRequest, 'stream' | 'type' | 'data' | 'parts' | 'action'>,
) => CommandRequest;

export class Filing {
  readonly #store: StoreClient;
  readonly #account: string;
  readonly #owner: string;
  readonly #command: Send;
  /** Where everything goes; undefined: where the source says, else the inbox. */
  readonly #place: readonly string[] | undefined;
  #folders: Map<string, string> | undefined;
  readonly outcome: Outcome = { imported: 0, known: 0, refused: [] };

  /** `command`: makes a command the operator's own. */
  constructor(store: StoreClient, account: string, command: Send, place: readonly string[] | undefined) {
    this.#store = store;
    this.#account = account;
    this.#owner = accountStream(account);
    this.#command = command;
    this.#place = place;
  }

  /** Rejects with a Fault if the store cannot be reached: what was filed stays filed. */
  async file(source: AsyncIterable<Found>, onProgress: () => void): Promise<Outcome> {
    let some: Taken[] = [];
    let bytes = 0;
    const flush = async () => {
      await this.#fileSome(some);
      [some, bytes] = [[], 0];
      onProgress();
    };
    for await (const found of source) {
      if ('refused' in found) {
        this.outcome.refused.push({ name: found.name, why: found.refused });
        continue;
      }
      some.push({ ...found, id: found.marks.id ?? this.#idOf(found.message) });
      bytes += found.message.length;
      if (some.length === AT_ONCE || bytes > BYTES_AT_ONCE) await flush();
    }
    await flush();
    return this.outcome;
  }

  async #fileSome(some: readonly Taken[]): Promise<void> {
    if (some.length === 0) return;
    const looks = some.map(({ id }) => ({ get: metaCell(this.#owner, id) }));
    const { results } = await this.#store.read(this.#owner, looks);
    const fresh = new Map(some.flatMap((one, i) => (results[i]!.length === 0 ? [[one.id, one]] : [])));
    this.outcome.known += some.length - fresh.size;
    const places: Folder[] = [];
    // One after another: two messages may need the same new folder.
    for (const { marks } of fresh.values()) places.push(await this.#folderFor(this.#place ?? marks.folder));
    await Promise.all([...fresh.values()].map((one, i) => this.#fileOne(one, places[i]!)));
  }

  async #fileOne(taken: Taken, folder: Folder): Promise<void> {
    const { id, name, message, marks } = taken;
    if (folder === 'drafts') return this.#fileDraft(taken);
    const { summary, words, ids } = await digestOf(message);
    const { read, starred, dated } = marks;
    const command = this.#command({
      stream: this.#owner,
      type: 'mail.ImportMessage',
      data: {
        messageId: id,
        ids,
        folder,
        read: read || folder === 'sent',
        starred,
        dated: dated ?? Date.now(),
      },
      parts: [message, encodeSummary(summary), words],
      action: 'Import a message',
    });
    try {
      await this.#store.execute(command);
      this.outcome.imported++;
    } catch (error) {
      if (!(error instanceof Rejected) || error.rejection.code === 'NoSuchAccount') throw error;
      this.outcome.refused.push({ name, why: error.rejection.message });
    }
  }

  /** One that was sent or discarded since is known too. */
  async #fileDraft({ id, name, message, marks }: Taken): Promise<void> {
    const send = (command: ChunkCommand) =>
      this.#store.execute({ ...this.#command(command), id: command.id });
    try {
      const parts = await draftParts({ id, account: this.#account, message, typed: marks.typed }, send);
      await this.#store.execute(
        this.#command({
          stream: this.#owner,
          type: 'mail.SaveDraft',
          data: { draftId: id, revision: 0 },
          parts,
          action: 'Import a draft',
        }),
      );
      this.outcome.imported++;
    } catch (error) {
      const code = error instanceof Rejected ? error.rejection.code : undefined;
      if (code === 'NoSuchMessage' || code === 'ChangedSince') this.outcome.known++;
      else if (error instanceof NoDraft) this.outcome.refused.push({ name, why: error.message });
      else if (!(error instanceof Rejected) || code === 'NoSuchAccount') throw error;
      else this.outcome.refused.push({ name, why: error.rejection.message });
    }
  }

  /** Names as in the source: a system folder, or the path of one of one's own, made where it is missing. */
  async #folderFor(path: readonly string[] | undefined): Promise<Folder> {
    const names = (path ?? ['inbox']).map((name) => cleaned(name)).filter((name) => name !== '');
    const [first = 'inbox'] = names;
    if (names.length <= 1 && isSystemFolder(first.toLowerCase())) return takenBy(first.toLowerCase());
    const folders = (this.#folders ??= await this.#ownFolders());
    let parent: string | null = null;
    // Deeper ones than folders can lie are joined to the last.
    for (const name of [...names.slice(0, 5), ...(names.length > 5 ? [names.slice(5).join(' ')] : [])]) {
      const key = `${parent ?? ''}/${folded(name)}`;
      const known: string | undefined = folders.get(key);
      parent = known ?? (await this.#makeFolder(name, parent));
      folders.set(key, parent);
    }
    return parent ?? 'inbox';
  }

  async #makeFolder(name: string, parent: string | null): Promise<string> {
    const command = this.#command({
      stream: this.#owner,
      type: 'mail.CreateFolder',
      data: { folderId: '', parent },
      parts: [Buffer.from(name), Buffer.from(folded(name))],
      action: 'Make folder',
    });
    const folderId = idFrom(this.#account, command.id, 'folder');
    await this.#store.execute({ ...command, data: { folderId, parent } });
    return folderId;
  }

  async #ownFolders(): Promise<Map<string, string>> {
    const row = ownFoldersRow(this.#owner);
    const scan = { from: { row, column: '' }, to: { row: `${row}\0`, column: '' }, limit: 1000 };
    const { results } = await this.#store.read(this.#owner, [{ scan }]);
    return new Map(
      results[0]!.flatMap(({ column, bytes }) => {
        const folder = bytes && readOwnFolder(bytes);
        return folder === undefined || folder.deleted
          ? []
          : [[`${folder.parent ?? ''}/${folded(folder.name)}`, column] as const];
      }),
    );
  }

  #idOf(message: Buffer): string {
    return idFrom(this.#account, createHash('sha256').update(message).digest('hex'), 'import');
  }
}

/** Nothing can be imported to where messages wait to be sent, or to come back; it is kept out of the way. */
function takenBy(folder: string): Folder {
  return ['outbox', 'snoozed'].includes(folder) ? 'archive' : folder;
}

function folded(name: string): string {
  return name.normalize('NFKC').toLowerCase();
}

/** As a folder may be called: NFC, without control characters, of bounded length. */
function cleaned(name: string): string {
  let text = name
    .normalize('NFC')
    .replace(/[\0-\x1f\x7f-\x9f]/g, ' ')
    .trim();
  while (Buffer.byteLength(text) > FOLDER_NAME_BYTES_MAX) text = [...text].slice(0, -1).join('');
  return text;
}
