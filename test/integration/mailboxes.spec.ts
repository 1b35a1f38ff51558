/** Mail out of files into an account and back, over a real store: nothing is lost, nothing is there twice. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountStream } from '../../domain/streams.ts';
import { operatorCommand } from '../../ops/cli/connection.ts';
import { exported, folderPaths, messagesOf } from '../../ops/mailboxes/collected.ts';
import { Filing, type Outcome } from '../../ops/mailboxes/filing.ts';
import { fromEml, fromMaildir, fromMbox, type Found } from '../../ops/mailboxes/sources.ts';
import { corpusFiles, corpusMessage } from './corpus.ts';
import { startLocalStore, type LocalStore } from './local-store.ts';

const MAX = 1024 * 1024;
let store: LocalStore;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penncloud-mailboxes-'));
  store = await startLocalStore();
  await store.settled();
  for (const name of ['ann', 'ben', 'cleo']) {
    await store.client.execute(
      operatorCommand({
        ...{ stream: accountStream(name), type: 'account.SignUp', data: { name, admin: false } },
        ...{ parts: [Buffer.from('$argon2id$x'), Buffer.from(name)], action: 'Add a user' },
      }),
    );
  }
}, 60_000);
afterAll(async () => {
  await store?.stop();
  await rm(folder, { recursive: true, force: true });
});

const progress = () => ({ done: 0, total: 0 });

function filed(name: string, source: AsyncIterable<Found>, place?: readonly string[]): Promise<Outcome> {
  return new Filing(store.client, name, operatorCommand, place).file(source, () => undefined);
}

async function exportOf(name: string): Promise<Buffer> {
  const owner = accountStream(name);
  const pathOf = await folderPaths(store.client, owner);
  const entries = [];
  for (const one of await messagesOf(store.client, owner)) {
    entries.push((await exported(store.client, owner, one, pathOf))!);
  }
  return Buffer.concat(entries);
}

describe('real mail', () => {
  it('goes into an account, out of it, and into another one, byte for byte', async () => {
    const files = corpusFiles().filter((_file, i) => i % 40 === 0);
    const messages = await Promise.all(files.map(corpusMessage));
    const eml = join(folder, 'eml');
    await mkdir(eml);
    await Promise.all(messages.map((bytes, i) => writeFile(join(eml, `${i}.eml`), bytes)));
    const twice = messages.length - new Set(messages.map(String)).size;

    expect(await filed('ann', fromEml([eml], MAX, progress()))).toMatchObject({
      imported: messages.length - twice,
      known: twice,
      refused: [],
    });
    // Cut off and run again, or run by mistake.
    expect(await filed('ann', fromEml([eml], MAX, progress()))).toMatchObject({ imported: 0, refused: [] });

    const file = await exportOf('ann');
    const path = join(folder, 'ann.mbox');
    await writeFile(path, file);
    expect(await filed('ben', fromMbox(path, MAX, progress()))).toMatchObject({
      imported: messages.length - twice,
      known: 0,
    });
    expect((await exportOf('ben')).equals(file)).toBe(true);
    // An export goes back to where it came from without a copy.
    expect(await filed('ann', fromMbox(path, MAX, progress()))).toMatchObject({ imported: 0 });
  });
});

describe('a Maildir', () => {
  it('brings its folders and flags along', async () => {
    const maildir = join(folder, 'Maildir');
    const files: [path: string, text: string][] = [
      ['new/1.a', 'one'],
      ['cur/2.a:2,FS', 'two'],
      ['.Sent/cur/3.a:2,S', 'three'],
      ['.Work.Caf&AOk-/cur/4.a:2,', 'four'],
      ['.Work.Caf&AOk-/cur/5.a:2,S', `long ${'x'.repeat(MAX)}`],
    ];
    for (const [path, text] of files) {
      await mkdir(join(maildir, path, '..'), { recursive: true });
      await writeFile(
        join(maildir, path),
        `Subject: ${text}\nDate: Thu, 12 Nov 2026 09:05:00 +0000\n\n${text}\n`,
      );
    }
    const outcome = await filed('cleo', fromMaildir(maildir, MAX, progress()));
    expect(outcome).toMatchObject({ imported: 4, known: 0 });
    expect(outcome.refused).toEqual([{ name: '5.a:2,S', why: expect.stringContaining(`${MAX} bytes`) }]);
    const owner = accountStream('cleo');
    const pathOf = await folderPaths(store.client, owner);
    const found = (await messagesOf(store.client, owner)).map(
      ({ folder: place, read, starred }) => `${pathOf(place).join('/')} ${read} ${starred}`,
    );
    expect(found.sort()).toEqual([
      'Work/Café false false',
      'inbox false false',
      'inbox true true',
      'sent true false',
    ]);
  });
});
