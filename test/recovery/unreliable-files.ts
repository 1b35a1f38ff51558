/** A disk that fails where a test says so. */
import { realFiles } from '../../storage-nodes/log/real-files.ts';
import type { FilePort, OpenFile } from '../../storage-nodes/log/files.ts';

type Operation = 'write' | 'fsync' | 'create';

/** Real files, on which operations that `fails` picks fail with an error code of the system. */
export class UnreliableFiles {
  fails: (operation: Operation, path: string) => string | undefined = () => undefined;

  readonly port: FilePort = {
    ...realFiles,
    open: async (path, mode) => {
      if (mode !== 'read') this.#check('create', path);
      return this.#wrap(await realFiles.open(path, mode), path);
    },
  };

  #check(operation: Operation, path: string): void {
    const code = this.fails(operation, path);
    if (code) throw Object.assign(new Error(`${code}: injected at ${operation}`), { code });
  }

  #wrap(file: OpenFile, path: string): OpenFile {
    return {
      readFully: (into, position) => file.readFully(into, position),
      truncate: (length) => file.truncate(length),
      size: () => file.size(),
      close: () => file.close(),
      writeAll: async (buffers, position) => {
        const code = this.fails('write', path);
        const all = Buffer.concat(buffers);
        // A disk that fills up takes the first part of a write.
        if (code) await file.writeAll([all.subarray(0, Math.floor(all.length * 0.7))], position);
        if (code) throw Object.assign(new Error(`${code}: injected at write`), { code });
        await file.writeAll([all], position);
      },
      datasync: async () => {
        this.#check('fsync', path);
        await file.datasync();
      },
    };
  }
}

/** For `fails`: no room in files whose path has this part. */
export const noRoom =
  (part: string, operation: Operation = 'write') =>
  (done: Operation, path: string) =>
    done === operation && path.includes(part) ? 'ENOSPC' : undefined;
