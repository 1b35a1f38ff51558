/** Mail out of files into an account and back, over a real store: nothing is lost, nothing is there twice. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSummary } from '../../domain/mail/message/summary.ts';
import { accountStream } from '../../domain/streams.ts';
import { storeChunks } from '../../gateways/chunks/store-chunks.ts';
import { attachmentReader } from '../../gateways/drafts/attachment-bytes.ts';
import {
  decodeDraft,
  encodeDraft,
  NOTHING_TYPED,
  summaryOf,
  type Attachment,
  type DraftContent,
} from '../../gateways/drafts/draft-content.ts';
import { parseAddressList } from '../../gateways/message/addresses.ts';
import { operatorCommand } from '../../ops/cli/connection.ts';
import { exported, folderPaths, messagesOf } from '../../ops/mailboxes/collected.ts';
import { Filing, type Outcome } from '../../ops/mailboxes/filing.ts';
import { fromEml, fromMaildir, fromMbox, type Found } from '../../ops/mailboxes/sources.ts';
import { draftContentCell } from '../../projections/keys.ts';
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

describe('drafts', () => {
  const draftIn = async (name: string, id: string) => {
    const owner = accountStream(name);
    const { results } = await store.client.read(owner, [{ get: draftContentCell(owner, id) }]);
    return decodeDraft(await store.client.bytes(results[0]![0]!))!;
  };
  const bytesOf = async (name: string, attachment: Attachment) => {
    const pieces: Buffer[] = [];
    for await (const piece of attachmentReader(store.client, accountStream(name))(attachment))
      pieces.push(piece);
    return Buffer.concat(pieces);
  };
  const draftsOf = async (name: string) =>
    (await messagesOf(store.client, accountStream(name))).filter((one) => one.folder === 'drafts');

  it('go out with all that was typed and attached, and come back as drafts', async () => {
    const id = 'd'.repeat(26);
    const file = randomBytes(700_000);
    const attached = await storeChunks(
      (command) => store.client.execute({ ...operatorCommand(command), id: command.id }),
      {
        ...{ owner: 'ann', commandId: 'a-file', action: 'Attach file' },
        bytes: (async function* () {
          yield file;
        })(),
      },
    );
    const draft: DraftContent = {
      ...NOTHING_TYPED,
      to: 'Ben <ben@penncloud.test>, somebody I will look up',
      cc: 'cleo@penncloud.test',
      bcc: 'boss@elsewhere.example',
      subject: 'Entwurf: Größe',
      html: '<p>Dear <b>Ben</b>,</p><ul><li>one</li></ul>',
      answers: 'a'.repeat(26),
      attachments: [{ kind: 'file', name: 'Noise é.bin', type: 'application/octet-stream', ...attached }],
      window: 'w',
    };
    const from = { name: 'Ann', address: 'ann@penncloud.test' };
    await store.client.execute(
      operatorCommand({
        ...{ stream: accountStream('ann'), type: 'mail.SaveDraft', data: { draftId: id, revision: 0 } },
        parts: [encodeDraft(draft), encodeSummary(summaryOf(draft, draft.attachments, from, 0))],
        action: 'Save draft',
      }),
    );
    const path = join(folder, 'drafts.mbox');
    await writeFile(path, await exportOf('ann'));
    expect(await filed('cleo', fromMbox(path, MAX, progress()))).toMatchObject({ refused: [] });
    const { attachments, window: _window, ...back } = await draftIn('cleo', id);
    const { attachments: _attached, window: _other, ...typed } = draft;
    expect(back).toEqual(typed);
    expect(attachments.map(({ name, type, size }) => ({ name, type, size }))).toEqual([
      { name: 'Noise é.bin', type: 'application/octet-stream', size: file.length },
    ]);
    expect((await bytesOf('cleo', attachments[0]!)).equals(file)).toBe(true);
    // Once more, into both: nothing is there twice.
    for (const name of ['cleo', 'ann'])
      expect(await filed(name, fromMbox(path, MAX, progress()))).toMatchObject({ imported: 0, refused: [] });
    expect(await draftsOf('cleo')).toHaveLength(1);
  });

  it('of other programs are told by the flag of a Maildir and the label of a Takeout', async () => {
    const message = (subject: string, more = '') =>
      `From: Ben <ben@penncloud.test>\n${more}To: ann@penncloud.test\nBcc: boss@elsewhere.example\nSubject: ${subject}\n\nNot yet.\n`;
    const maildir = join(folder, 'Drafts');
    await mkdir(join(maildir, 'cur'), { recursive: true });
    await writeFile(join(maildir, 'cur', '1.a:2,DS'), message('by flag'));
    expect(await filed('ben', fromMaildir(maildir, MAX, progress()))).toMatchObject({
      imported: 1,
      refused: [],
    });
    const takeout = join(folder, 'takeout.mbox');
    await writeFile(
      takeout,
      `From ben@penncloud.test Thu Nov 12 09:05:00 2026\n${message('by label', 'X-Gmail-Labels: Drafts,Opened\n')}`,
    );
    expect(await filed('ben', fromMbox(takeout, MAX, progress()))).toMatchObject({
      imported: 1,
      refused: [],
    });
    const ids = (await draftsOf('ben')).map((one) => one.id);
    const drafts = await Promise.all(ids.map((id) => draftIn('ben', id)));
    expect(drafts.filter(({ subject }) => subject.startsWith('by '))).toMatchObject([
      { subject: 'by flag', to: 'ann@penncloud.test', bcc: 'boss@elsewhere.example', text: 'Not yet.\n' },
      { subject: 'by label', to: 'ann@penncloud.test', bcc: 'boss@elsewhere.example', text: 'Not yet.\n' },
    ]);
  });

  it('of other programs have readable names, and what is no address yet stays', async () => {
    const path = join(folder, 'names.eml');
    await writeFile(
      path,
      'From: ben@penncloud.test\r\nTo: =?utf-8?q?J=C3=B6rg=2C_Dr=2E?= <joerg@elsewhere.example>, somebody\r\nSubject: names\r\n\r\nx\r\n',
    );
    expect(await filed('ben', fromEml([path], MAX, progress()), ['drafts'])).toMatchObject({ imported: 1 });
    const newest = (await draftsOf('ben')).at(-1)!;
    const { to } = await draftIn('ben', newest.id);
    expect(to).toBe('"Jörg, Dr." <joerg@elsewhere.example>, somebody');
    expect(parseAddressList(to).ok).toEqual([{ name: 'Jörg, Dr.', address: 'joerg@elsewhere.example' }]);
  });

  it.each([
    ['to', `To: ${'a@b.example, '.repeat(3000)}c@d.example\r\nSubject: x\r\n\r\nx\r\n`, /To.*32768/],
    ['text', `Subject: x\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(40_000)}`, /text.*2097152/],
    ['subject', `Subject: ${'=?utf-8?q?=E2=82=AC?= '.repeat(400)}\r\n\r\nx\r\n`, /subject.*998/],
  ])('with a longer %s than a form saves again are refused', async (name, message, why) => {
    const path = join(folder, `long-${name}.eml`);
    await writeFile(path, `From: ben@penncloud.test\r\n${message}`);
    const outcome = await filed('ben', fromEml([path], 10 * MAX, progress()), ['drafts']);
    expect(outcome).toMatchObject({ imported: 0, refused: [{ why: expect.stringMatching(why) }] });
  });

  it('that cannot be read to their end are refused, not shortened', async () => {
    const path = join(folder, 'parts.eml');
    const parts = '--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n'.repeat(500);
    await writeFile(
      path,
      `From: ben@penncloud.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${parts}--b--\r\n`,
    );
    const outcome = await filed('ben', fromEml([path], MAX, progress()), ['drafts']);
    expect(outcome).toMatchObject({ imported: 0, refused: [{ why: expect.stringContaining('400 parts') }] });
  });

  it('whose own field was tampered with answer nothing that is no message', async () => {
    const path = join(folder, 'tampered.mbox');
    const typed = { ...{ from: '', to: 'x', cc: '', bcc: '', subject: 'tampered' }, answers: '../../other' };
    const fields = `X-PennCloud-Id: \nX-PennCloud-Folder: drafts\nX-PennCloud-Draft: ${encodeURIComponent(JSON.stringify(typed))}\n`;
    await writeFile(
      path,
      `From ben@penncloud.test Thu Nov 12 09:05:00 2026\n${fields}From: ben@penncloud.test\n\nx\n`,
    );
    expect(await filed('ben', fromMbox(path, MAX, progress()))).toMatchObject({ imported: 1 });
    const drafts = await Promise.all((await draftsOf('ben')).map(({ id }) => draftIn('ben', id)));
    expect(drafts.find(({ subject }) => subject === 'tampered')).toMatchObject({ to: 'x', answers: '' });
  });

  it('with more attached than a draft holds are refused, and say why', async () => {
    const path = join(folder, 'large.eml');
    const body = Buffer.alloc(19_000_000, 'x').toString('base64').replace(/.{76}/g, '$&\r\n');
    const part = `--b\r\nContent-Type: application/x-noise\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n${body}\r\n`;
    await writeFile(
      path,
      `From: ben@penncloud.test\r\nSubject: large\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${part}${part}--b--\r\n`,
    );
    const before = (await draftsOf('ben')).length;
    const outcome = await filed('ben', fromEml([path], 100 * MAX, progress()), ['drafts']);
    expect(outcome).toMatchObject({ imported: 0, refused: [{ why: expect.stringContaining('25 MB') }] });
    expect(await draftsOf('ben')).toHaveLength(before);
  });
});
