/**
 * The last configuration that a node accepted for a tablet: opaque bytes in a file of their own,
 * replaced as a whole, so that it is the old one or the new one after a crash.
 *
 *    0  8 bytes  "PCLOGCFG"
 *    8  u32      CRC-32 of bytes 12 …, little-endian
 *   12           the configuration
 */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { replaceFile } from './files.ts';
import type { FilePort } from './files.ts';
import type { Damage } from './log.ts';

const MAGIC = 'PCLOGCFG';

export class ConfigurationFile {
  readonly #files: FilePort;
  readonly #path: string;
  #saving: Promise<unknown> = Promise.resolve();

  constructor(files: FilePort, folder: string) {
    this.#files = files;
    this.#path = join(folder, 'configuration');
  }

  /** Durable when it resolves. Later calls win. */
  save(configuration: Uint8Array): Promise<void> {
    const bytes = Buffer.alloc(12 + configuration.length);
    bytes.write(MAGIC, 0, 'latin1');
    bytes.set(configuration, 12);
    bytes.writeUInt32LE(crc32(bytes.subarray(12)), 8);
    const saved = this.#saving.then(() => replaceFile(this.#files, this.#path, bytes));
    this.#saving = saved.catch(() => undefined);
    return saved;
  }

  /** Resolves when no `save` is under way. */
  async settled(): Promise<void> {
    await this.#saving;
  }

  async read(): Promise<{ readonly bytes: Uint8Array | undefined } | Damage> {
    const bytes = await this.#files.readWhole(this.#path);
    if (bytes === undefined) return { bytes: undefined };
    const damage = (reason: string): Damage => ({ file: this.#path, offset: 0, reason });
    if (bytes.length < 12 || bytes.toString('latin1', 0, 8) !== MAGIC)
      return damage('this is not a configuration');
    if (crc32(bytes.subarray(12)) !== bytes.readUInt32LE(8))
      return damage('the checksum does not match the bytes');
    return { bytes: bytes.subarray(12) };
  }
}
