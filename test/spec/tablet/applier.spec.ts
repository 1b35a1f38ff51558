/** The same log gives the same cells, however it is cut into batches. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CellStore } from '../../../storage-nodes/cells/cells.ts';
import { SPACE } from '../../../storage-nodes/cells/cells.ts';
import { decodeHead, type LogRecord } from '../../../storage-nodes/log/entry.ts';
import { Applier } from '../../../storage-nodes/tablet/applier.ts';
import type { Application } from '../../../storage-nodes/tablet/application.ts';
import { replayInto } from '../../../storage-nodes/tablet/replay.ts';
import { accountStream } from '../../../domain/streams.ts';
import { APPLICATION, command, memoryCells, Primary, put, TABLET } from './log-of-entries.ts';

const seed = Number(process.env['PENNCLOUD_SEED'] ?? Date.now() % 2 ** 31);
const ID = 'abcdefghijklmnopqrstuvwxyz';

/** 2,600 entries: conversations with reactions and kv, commands that expire on the way, two forgettings and more. */
async function aLog(): Promise<LogRecord[]> {
  const primary = new Primary(await memoryCells());
  const alice = accountStream('alice');
  await primary.decide(
    command('account.SignUp', alice, { name: 'alice', admin: false }, [
      Buffer.from('$argon2id$x'),
      Buffer.from('A'),
    ]),
  );
  const summary = {
    from: { name: '', address: 'a@b' },
    to: [],
    cc: [],
    subject: 's',
    date: null,
    snippet: '',
    attachments: [],
  };
  const text = Buffer.from(JSON.stringify(summary));
  for (let round = 0; round < 13; round++) {
    primary.time += 1000;
    const expiresAt = round % 3 === 0 ? 0 : primary.time + 2500;
    const asked = Array.from({ length: 200 }, (_, i) => {
      const more = { expiresAt };
      if (i % 20 === 7) {
        const messageId =
          ID.slice(0, 20) + [...`${round * 200 + i}`.padStart(6, '0')].map((d) => ID[Number(d)]).join('');
        return command(
          'mail.ReceiveMessage',
          alice,
          { messageId, via: 'smtp', ids: [hashOf(i), hashOf(round)] },
          [Buffer.alloc(9000), text],
          more,
        );
      }
      if (i % 20 === 8) {
        const selected = { conversations: [lastOf(primary)], in: 'inbox' };
        const data = { ...selected, snoozeUntil: primary.time + 5000 + i };
        return command('mail.ChangeMessages', alice, data, [], more);
      }
      if (i % 20 === 9) return command('kv.Delete', `row ${i % 7}`, { column: `c${i % 5}` }, [], more);
      return put(`row ${i % 7}`, `c${i % 11}`, 'v'.repeat(i * 30), more);
    });
    await Promise.all(asked.map((one) => primary.decide(one)));
  }
  return primary.log;
}

/** The hash of a Message-ID. */
function hashOf(number: number): string {
  return `${number}`.padEnd(22, '_');
}

/** The conversation that the newest mail of the log came to; one that is not there, if none did. */
function lastOf({ log }: Primary): string {
  for (const { head } of log.slice(-200).toReversed()) {
    const [event] = decodeHead(head).events;
    const thread = event?.type === 'mail.MessageReceived' ? event.data['thread'] : undefined;
    if (typeof thread === 'string') return thread;
  }
  return ID;
}

async function* each(records: readonly LogRecord[]): AsyncIterable<LogRecord> {
  yield* records;
}

describe('applying a log', () => {
  it(
    `gives the same cells however it is cut into batches, and replayed (seed ${seed})`,
    { timeout: 60_000 },
    async () => {
      const log = await aLog();
      expect(log.length).toBeGreaterThan(2100);
      const replayed = await memoryCells();
      await replayInto(replayed, each(log), APPLICATION, TABLET);
      const expected = await replayed.digest(TABLET);
      expect(await forgotten(replayed, log)).toBeGreaterThan(100);

      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 12 }),
          async (cuts) => {
            const cells = await memoryCells();
            const applier = new Applier(TABLET, cells, APPLICATION);
            for (let at = 0, i = 0; at < log.length; i++) {
              const end = at + cuts[i % cuts.length]!;
              await applier.apply(log.slice(at, end));
              at = end;
            }
            expect(await cells.digest(TABLET)).toEqual(expected);
          },
        ),
        { seed, numRuns: 8 },
      );
    },
  );

  it('gives the same cells one entry at a time', { timeout: 60_000 }, async () => {
    const log = (await aLog()).slice(0, 1100);
    const [one, all] = [await memoryCells(), await memoryCells()];
    const applier = new Applier(TABLET, one, APPLICATION);
    for (const record of log) await applier.apply([record]);
    await new Applier(TABLET, all, APPLICATION).apply(log);
    expect(await one.digest(TABLET)).toEqual(await all.digest(TABLET));
  });

  it('stops at an event that this program does not know, naming it, and changes nothing', async () => {
    const primary = new Primary(await memoryCells());
    await primary.decide(put('row', 'c', 'v'));
    const older: Application = { ...APPLICATION, events: {} };
    const cells = await memoryCells();
    await expect(new Applier(TABLET, cells, older).apply(primary.log)).rejects.toThrow(
      /kv\.CellPut version 1 is unknown .* start that version/,
    );
    expect(cells.applied(TABLET)).toBe(0);
  });

  it('refuses a projection that reads what it did not declare, in one batch as in two', async () => {
    const primary = new Primary(await memoryCells());
    await Promise.all([primary.decide(put('row', 'a', '1')), primary.decide(put('row', 'b', '2'))]);
    const reader = {
      name: 'undeclared',
      listensTo: new Set(['kv.CellPut']),
      priors: () => [],
      project: (
        _event: unknown,
        _facts: unknown,
        _content: unknown,
        prior: (k: { row: string; column: string }) => unknown,
      ) => {
        prior({ row: 'row', column: 'a' });
        return [];
      },
    };
    const careless: Application = { ...APPLICATION, projections: [reader] };
    await expect(new Applier(TABLET, await memoryCells(), careless).apply(primary.log)).rejects.toThrow(
      /did not declare/,
    );
  });
});

async function forgotten(cells: CellStore, log: readonly LogRecord[]): Promise<number> {
  const known = await cells.scan(TABLET, {
    space: SPACE.commands,
    from: { row: '', column: '' },
    to: null,
    limit: 10_000,
  });
  return log.length - known.length;
}
