import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAttachment, readMessage } from '../../../gateways/message/read-message.ts';
import { summarise } from '../../../gateways/message/summary.ts';

const nested = (levels: number) =>
  Array.from(
    { length: levels },
    (_, n) => `Content-Type: multipart/mixed; boundary=b${n}\r\n\r\n--b${n}\r\n`,
  ).join('');
const multipart =
  'From: Eve <eve@far.example>\r\nSubject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n';

/** Each keeps its From and Subject, and says what is wrong with it. */
const BROKEN: Record<string, { raw: string; problem: string }> = {
  '1,000 levels of nesting': {
    raw: `From: Eve <eve@far.example>\r\nSubject: parts\r\n${nested(1000)}\r\nhello\r\n`,
    problem: 'It has more than 400 parts.',
  },
  '10,000 parts': {
    raw: multipart + '--b\r\n\r\nx\r\n'.repeat(10_000),
    problem: 'It has more than 400 parts.',
  },
  '100,000 header lines': {
    raw: `From: Eve <eve@far.example>\r\nSubject: parts\r\n${'X-A: b\r\n'.repeat(100_000)}\r\nhello`,
    problem: 'One of its header blocks is longer than 262144 bytes.',
  },
  'a million lines': {
    raw: `From: Eve <eve@far.example>\r\nSubject: parts\r\n\r\n${'a\r\n'.repeat(1_000_000)}`,
    problem: 'It has more than 700000 lines.',
  },
};

describe('a message that cannot be parsed', () => {
  for (const [name, { raw, problem }] of Object.entries(BROKEN)) {
    it(`is summarised and shown with its reason: ${name}`, async () => {
      const summary = await summarise(Buffer.from(raw));
      expect(summary).toMatchObject({
        from: { name: 'Eve', address: 'eve@far.example' },
        subject: 'parts',
        problem,
      });
      const message = await readMessage(Buffer.from(raw));
      expect(message).toMatchObject({ problem, headers: { subject: 'parts' } });
      expect(message.text).toBeDefined();
      expect(await readAttachment(Buffer.from(raw), 0)).toBeUndefined();
    });
  }
});

describe('a message made to harm', () => {
  const summaryOf = (raw: string) => summarise(Buffer.from(raw, 'latin1'));

  it('cannot hide or reorder text by control characters', async () => {
    const summary = await summaryOf(
      'From: "a\0b\x1b[31m" <x@y.example>\r\nSubject: =?utf-8?b?' +
        `${Buffer.from('in\u202Evoice\r\nBcc: me\u2028\u0085').toString('base64')}?=\r\n\r\nhi`,
    );
    expect(summary.from.name).toBe('ab[31m');
    expect(summary.subject).toBe('invoice Bcc: me');
  });

  it('cannot touch prototypes', async () => {
    const summary = await summaryOf(
      '__proto__: x\r\nconstructor: y\r\nList-__proto__: <mailto:a@b>\r\nFrom: __proto__ <a@b.example>\r\n' +
        'Subject: __proto__\r\nContent-Type: text/plain; __proto__=x\r\n\r\nhi',
    );
    expect(summary).toMatchObject({ from: { name: '__proto__' }, subject: '__proto__', snippet: 'hi' });
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it('cannot show another address than it has', async () => {
    const encoded = `=?utf-8?q?ceo=40bank=2Eexample=3E?=`;
    expect((await summaryOf(`From: ${encoded}@far.example\r\n\r\n`)).from.address).toBe('');
    expect((await summaryOf(`From: ${encoded} <eve@far.example>\r\n\r\n`)).from).toEqual({
      name: 'ceo@bank.example>',
      address: 'eve@far.example',
    });
  });

  it('stays within bounds whatever it lists', async () => {
    const attachment = `--b\r\nContent-Type: image/png; name="${'n'.repeat(2_000)}.png"\r\n\r\nx\r\n`;
    const summary = await summaryOf(
      `From: ${'f'.repeat(5_000)} <${'g'.repeat(5_000)}@x.example>\r\nTo: ${'a@b.example, '.repeat(5_000)}\r\n` +
        `Subject: ${'s'.repeat(50_000)}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${attachment.repeat(300)}`,
    );
    expect(summary.problem).toBeUndefined();
    expect(summary.from.name.length).toBe(200);
    expect(summary.from.address.length).toBeLessThanOrEqual(320);
    expect(summary.to).toHaveLength(100);
    expect(summary.subject).toHaveLength(998);
    expect(summary.attachments).toHaveLength(200);
    expect(summary.attachments[0]?.name.length).toBe(200);
    expect(summary.attachments[0]?.name.endsWith('….png')).toBe(true);
  });

  it('has no date rather than a wrong one', async () => {
    const dates = [
      '',
      'yesterday',
      '31 Apr 2024 00:00:00 +0000',
      '1 Jan 2024 25:00:00 +0000',
      '2002/09/14 Sat 02:29:32 CDT',
    ];
    for (const date of dates) expect((await summaryOf(`Date: ${date}\r\n\r\n`)).date).toBeNull();
    const dated = await summaryOf('Date: Fri, 21 Nov 1997 09:55:06 -0600 (CST)\r\n\r\n');
    expect(dated.date).toBe(Date.UTC(1997, 10, 21, 15, 55, 6));
  });

  it('shows its words however much blank stands before them', async () => {
    const blank = ' \t\r\n'.repeat(2_000);
    expect((await summaryOf(`Subject: x\r\n\r\n${blank}words`)).snippet).toBe('words');
    const html = 'Content-Type: text/html\r\n\r\n<style>a { b }</style><!-- c --><p title="d">';
    expect((await summaryOf(`${html}${blank}caf&eacute; &#119;ords</p>`)).snippet).toBe('caf&eacute; words');
    const unclosed = `Content-Type: text/html\r\n\r\n<title>words ${'<style></styl'.repeat(5_000)}`;
    expect((await summaryOf(unclosed)).snippet).toMatch(/^words/);
  });

  it('shows what its sender wrote before what is quoted, and the quote where there is nothing else', async () => {
    const quote = 'On Monday Bob wrote:\r\n\r\n> Shall we?\r\n> Bob\r\n';
    const snippets = [`Yes: at noon.\r\n\r\n${quote}`, `${quote}Yes.\r\n`, quote];
    const shown = await Promise.all(
      snippets.map(async (text) => (await summaryOf(`Subject: x\r\n\r\n${text}`)).snippet),
    );
    expect(shown).toEqual(['Yes: at noon.', 'Yes.', 'On Monday Bob wrote: > Shall we? > Bob']);
  });

  it('gives attachments names that name nothing but a file', async () => {
    const names = [
      '../../etc/passwd',
      'C:\\\\windows\\\\evil.exe',
      '..',
      '',
      'a\0b\r.txt',
      'x\u202Egpj.exe',
      '.',
    ];
    const parts = names.map((name) => `--b\r\nContent-Type: application/pdf; name="${name}"\r\n\r\nx\r\n`);
    const message = await readMessage(Buffer.from(`${multipart}${parts.join('')}--b--\r\n`));
    for (const { name } of message.attachments) {
      expect(name).toMatch(/^(?!\.{1,2}$)[^/\\\u0000-\u001f\u202a-\u202e]{1,200}$/);
    }
    expect(message.attachments.map(({ name }) => name)).toContain('passwd');
    expect(message.attachments.map(({ name }) => name)).toContain('xgpj.exe');
    expect(message.attachments.map(({ name }) => name)).toContain('attachment-3.pdf');
  });

  it('has no attachment at an index that is none', async () => {
    const raw = Buffer.from(`${multipart}--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--\r\n`);
    expect((await readAttachment(raw, 0))?.content.toString()).toBe('x');
    for (const index of [-1, 1, 0.5, Number.NaN, 2 ** 53])
      expect(await readAttachment(raw, index)).toBeUndefined();
  });

  it('cannot make a reader wait for ever: an embedded message without a body', async () => {
    const raw = Buffer.from('Content-Type: message/rfc822\r\nContent-Disposition: inline\r\n');
    expect((await summarise(raw)).attachments).toEqual([
      { name: 'attachment-1.eml', type: 'message/rfc822', size: 0 },
    ]);
  });

  it('cannot end the process: a part with a type that is none', async () => {
    const raw = Buffer.from('Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: ;;=;\r\n');
    expect((await summarise(raw)).attachments).toEqual([
      { name: 'attachment-1.bin', type: 'application/octet-stream', size: 0 },
    ]);
  });

  it('never makes a reader throw: property over broken MIME', { timeout: 60_000 }, async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'Content-Type: multipart/mixed; boundary=b\r\n',
        'Content-Type: multipart/alternative; boundary="b b"\n',
        'Content-Type: message/rfc822\r\nContent-Disposition: inline\r\n',
        'Content-Type: text/html; charset=utf-7\r\n',
        'Content-Transfer-Encoding: base64\r\n',
        'Content-Transfer-Encoding: quoted-printable\r\n',
        "Content-Disposition: attachment; filename*0*=utf-8''%ff; filename*1=x\r\n",
        'Content-Type: text/plain; format=flowed\r\n',
        'Subject: =?utf-8?b?/////w==?= =?x?q?=ZZ?=\r\n',
        'From: a:b:c;<<>>,"\r\n',
        'Date: 99 Foo 99999\r\n',
        'Received: \r\n\t\r\n',
        '\r\n',
        '\n',
        '\r',
        '--b\r\n',
        '--b--\r\n',
        '--b b\r\n',
        '\r\n\r\n',
        '<style><b>&#xffffff;',
        '=\r\n=E2=82',
        '\0',
        'Content-Type: text/plain; charset=iso-2022-jp\r\n',
        'Content-Type: ;;=;\r\n',
        ': x\r\n',
        'T\xf6: \xff\r\n',
      ),
      fc.string({ unit: 'binary', maxLength: 20 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 40 }), async (pieces) => {
        const raw = Buffer.from(pieces.join(''), 'latin1');
        const summary = await summarise(raw);
        const message = await readMessage(raw);
        expect(
          message.attachments.slice(0, 200).map(({ name, type, size }) => ({ name, type, size })),
        ).toEqual(summary.attachments);
        for (const { index, size } of message.attachments) {
          if (!message.problem) expect((await readAttachment(raw, index))?.content.length).toBe(size);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
