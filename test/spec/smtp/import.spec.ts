import { afterEach, expect, describe, it } from 'vitest';
import { ownCertificate } from '../../../gateways/smtp/session/own-certificate.ts';
import { createSmtpIntake, type SmtpIntake } from '../../../gateways/smtp/inbound/intake.ts';
import { corpusFiles, corpusMessage } from '../../integration/corpus.ts';
import { importCorpus } from '../../e2e/smtp-import.ts';
import { AccountsInMemory } from './accounts-in-memory.ts';

describe('importing real mail over SMTP', () => {
  let intake: SmtpIntake;

  afterEach(() => intake.close());

  it(
    'counts each message once, byte for byte, also when the store is away for a while',
    { timeout: 60_000 },
    async () => {
      const limit = 300;
      const store = new AccountsInMemory('alice');
      const logger = { debug() {}, info() {}, warn() {}, error() {} };
      const messageBytesMax = 40 * 1024 * 1024;
      intake = createSmtpIntake({
        store,
        domains: [],
        messageBytesMax,
        logger,
        hostname: 'mx.penncloud.test',
        tls: await ownCertificate('mx.penncloud.test', Date.now()),
      });
      await intake.listen(0, '127.0.0.1');
      const result = await importCorpus({
        port: intake.port,
        recipient: 'alice@localhost',
        concurrency: 4,
        limit,
        onProgress: (sent) => {
          if (sent !== 100) return;
          store.reachable = false;
          void expect
            .poll(() => intake.stats().refused)
            .toBeGreaterThan(0)
            .then(() => (store.reachable = true));
        },
      });
      expect(result).toMatchObject({ accepted: limit, refused: [] });
      expect(result.retried).toBeGreaterThan(0);
      const messages = await Promise.all(corpusFiles().slice(0, limit).map(corpusMessage));
      const kept = store.kept.map(({ raw }) => withoutTrace(raw));
      expect(kept.sort()).toEqual(messages.map((message) => message.toString('latin1')).sort());
    },
  );
});

/** Return-Path, and Received with its three folded lines. */
function withoutTrace(raw: Buffer): string {
  return raw.toString('latin1').split('\r\n').slice(5).join('\r\n');
}
