/** Mailbox files: what is written is read back byte for byte, and files of other programs are read as they mean it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exportedFields, marksOf } from '../../../ops/mailboxes/marks.ts';
import { mboxEntry, NotMbox, readMbox, type MboxMessage } from '../../../ops/mailboxes/mbox.ts';

const AT = Date.UTC(2026, 10, 12, 9, 5);

async function read(file: Buffer, piece = 7, max = 1000): Promise<MboxMessage[]> {
  async function* pieces() {
    for (let at = 0; at < file.length; at += piece)
      yield await Promise.resolve(file.subarray(at, at + piece));
  }
  const messages = [];
  for await (const message of readMbox(pieces(), max)) messages.push(message);
  return messages;
}
const texts = async (file: string, ...more: number[]) =>
  (await read(Buffer.from(file, 'latin1'), ...more)).map(({ bytes }) => bytes?.toString('latin1'));

describe('an mbox file', () => {
  const line = fc.oneof(
    fc.constantFrom(
      '',
      'From ',
      '>From x',
      '>>From y Thu Nov 12 09:05:00 2026',
      'From z Thu Nov 12 09:05:00 2026',
    ),
    fc.string({ maxLength: 20 }).map((text) => text.replace(/[\r\n]/g, ' ')),
  );
  const message = fc.array(line, { minLength: 1, maxLength: 8 }).map((lines) => {
    return Buffer.from(['A: b', '', ...lines, ''].join('\r\n'), 'latin1');
  });

  it('gives back what was written to it, however it is cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { maxLength: 5 }),
        fc.integer({ min: 1, max: 300 }),
        async (all, piece) => {
          const file = Buffer.concat(all.map((one) => mboxEntry('a@b.example', AT, one)));
          const back = await read(file, piece);
          expect(back.map(({ bytes }) => bytes!.toString('latin1'))).toEqual(
            all.map((one) => one.toString('latin1')),
          );
        },
      ),
    );
  });

  it('opens a message with its sender and the time in UTC', () => {
    expect(mboxEntry('a@b.example', AT, Buffer.from('A: b\r\n\r\n')).toString()).toBe(
      'From a@b.example Thu Nov 12 09:05:00 2026\nA: b\n\n\n',
    );
    expect(mboxEntry('two words', AT, Buffer.from('A: b\r\n')).toString()).toMatch(/^From MAILER-DAEMON /);
  });

  it('of another program begins a message only behind an empty line, with a time', async () => {
    const file =
      'From 1@xxx Thu Jan 01 00:00:00 +0000 2020\nA: b\n\nFrom here on it rains.\nFrom a 09:05 2020\n\nFrom 2@xxx Thu Jan 01 00:00:00 +0000 2020\r\nC: d\r\n\r\n';
    expect(await texts(file)).toEqual([
      'A: b\r\n\r\nFrom here on it rains.\r\nFrom a 09:05 2020\r\n',
      'C: d\r\n',
    ]);
  });

  it('with a message that is too long goes on behind it', async () => {
    const file = mboxEntry('a@b', AT, Buffer.from(`A: b\r\n\r\n${'x'.repeat(2000)}\r\n`));
    const next = mboxEntry('a@b', AT, Buffer.from('C: d\r\n\r\n'));
    expect(await texts(Buffer.concat([file, next]).toString('latin1'))).toEqual([undefined, 'C: d\r\n\r\n']);
  });

  it('may be empty, and is refused when it is something else', async () => {
    expect(await texts('')).toEqual([]);
    await expect(texts('PK\x03\x04 a zip')).rejects.toThrow(NotMbox);
  });
});

describe('what a file says of a message', () => {
  const given = { id: 'm'.repeat(26), read: true, starred: true, dated: AT, folder: ['Wörk', 'a/b'] };

  it.each([given, { ...given, read: false, starred: false, folder: ['inbox'] }])(
    'comes back from our own export, and leaves no byte behind',
    (marks) => {
      const raw = Buffer.from('Status: mine\r\nA: b\r\n\r\nText\r\n');
      const { message, marks: back } = marksOf(Buffer.concat([Buffer.from(exportedFields(marks)), raw]));
      // A field of the message's own is not ours.
      expect(message.toString()).toBe(raw.toString());
      expect(back).toEqual(marks);
    },
  );

  it.each([
    ['Status: RO\r\nX-Status: F\r\n', { read: true, starred: true, folder: undefined }],
    ['Status: O\r\n', { read: false, starred: false, folder: undefined }],
    ['X-Gmail-Labels: Inbox,Unread,Starred\r\n', { read: false, starred: true, folder: ['inbox'] }],
    ['X-Gmail-Labels: Opened,Sent\r\n', { read: true, starred: false, folder: ['sent'] }],
    [
      'X-Gmail-Labels: Important,Work/Clients\r\n',
      { read: true, starred: false, folder: ['Work', 'Clients'] },
    ],
    ['X-Gmail-Labels: Archived,Category Updates\r\n', { read: true, starred: false, folder: ['archive'] }],
  ])('is understood from %j', (header, marks) => {
    const raw = Buffer.from(`${header}Date: Thu, 12 Nov 2026 09:05:00 +0000\r\n\r\n`);
    expect(marksOf(raw).marks).toEqual({ ...marks, dated: AT, id: undefined });
    expect(marksOf(raw).message).toEqual(raw);
  });

  it('is when it came in, rather than when it was written', () => {
    const raw = Buffer.from(
      'Received: from a by b;\r\n Thu, 12 Nov 2026 09:05:00 +0000\r\nDate: Mon, 1 Jan 1990 00:00:00 +0000\r\n\r\n',
    );
    expect(marksOf(raw).marks.dated).toBe(AT);
  });
});
