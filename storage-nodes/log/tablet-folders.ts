/**
 * The folders of a node's tablets. A dropped tablet's folder is moved aside before it is removed: as
 * long as it lies there, what the journal still has of that tablet is not to be believed.
 *
 *   tablets/<id>    a tablet that this node holds
 *   dropped/<id>    one whose removal is not finished
 */
import { join } from 'node:path';
import { tabletFolderName, tabletOfFolder, tabletsFolder } from './file-header.ts';
import type { FilePort } from './files.ts';

export class TabletFolders {
  readonly #files: FilePort;
  readonly #tablets: string;
  readonly #dropped: string;
  /** Tablets that have a folder, or the making of it. */
  readonly #made = new Map<string, Promise<void> | 'made'>();

  constructor(files: FilePort, folder: string) {
    this.#files = files;
    this.#tablets = tabletsFolder(folder);
    this.#dropped = join(folder, 'dropped');
  }

  path(tablet: string): string {
    return join(this.#tablets, tabletFolderName(tablet));
  }

  /** The tablets that are there, and those whose removal was interrupted. */
  async list(): Promise<{ readonly present: readonly string[]; readonly dropped: ReadonlySet<string> }> {
    await this.#files.makeFolder(this.#tablets);
    await this.#files.makeFolder(this.#dropped);
    const present = (await this.#files.list(this.#tablets)).map(tabletOfFolder);
    // They may have been made, or moved, by a process killed before it could sync the names.
    await this.#files.syncFolder(this.#dropped);
    await this.#files.syncFolder(this.#tablets);
    for (const tablet of present) this.#made.set(tablet, 'made');
    return { present, dropped: new Set((await this.#files.list(this.#dropped)).map(tabletOfFolder)) };
  }

  /** Durable when it resolves; undefined: it is there already. */
  make(tablet: string): Promise<void> | undefined {
    let made = this.#made.get(tablet);
    if (!made) {
      made = this.#files
        .makeFolder(this.path(tablet))
        .then(() => this.#files.syncFolder(this.#tablets))
        .then(() => void this.#made.set(tablet, 'made'))
        .catch((error: unknown) => {
          this.#made.delete(tablet);
          throw error;
        });
      this.#made.set(tablet, made);
    }
    return made === 'made' ? undefined : made;
  }

  async setAside(tablet: string): Promise<void> {
    await this.#made.get(tablet);
    if (!(await this.#files.list(this.#tablets)).includes(tabletFolderName(tablet))) return;
    await this.#files.rename(this.path(tablet), join(this.#dropped, tabletFolderName(tablet)));
    await this.#files.syncFolder(this.#dropped);
    await this.#files.syncFolder(this.#tablets);
  }

  /** Removes what `setAside` moved; the tablet can then begin anew. */
  async remove(tablet: string): Promise<void> {
    await this.#files.remove(join(this.#dropped, tabletFolderName(tablet)));
    await this.#files.syncFolder(this.#dropped);
    this.#made.delete(tablet);
  }
}
