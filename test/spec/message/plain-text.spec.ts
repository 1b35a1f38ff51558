/** What is text alone is read without the parser: here the parser reads the same messages. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readHeaderBlock } from '../../../gateways/message/header-block.ts';
import { parsedWalk } from '../../../gateways/message/mime-walk.ts';
import { plainTextOf } from '../../../gateways/message/plain-text.ts';
import { corpusFiles, corpusMessage } from '../../integration/corpus.ts';

/** Whether it answered; what it answers is what the parser says. */
async function isReadAlike(raw: Buffer): Promise<boolean> {
  const header = readHeaderBlock(raw);
  const text = plainTextOf(raw, header);
  if (text === undefined) return false;
  const parsed = await parsedWalk(raw, header);
  expect({ text: text || undefined, html: undefined, attachments: [], problem: undefined }).toEqual({
    ...{ text: parsed.text, html: parsed.html, attachments: parsed.attachments, problem: parsed.problem },
  });
  return true;
}

describe('a message that is text alone', () => {
  it('reads as the parser reads it: every fourth of the real messages', { timeout: 60_000 }, async () => {
    const alike: boolean[] = [];
    for (const file of corpusFiles().filter((_, n) => n % 4 === 0))
      alike.push(await isReadAlike(await corpusMessage(file)));
    const share = alike.filter(Boolean).length / alike.length;
    console.log(`${(share * 100).toFixed(0)} % of ${alike.length} were read without the parser`);
    expect(share).toBeGreaterThan(0.3);
  });

  const lineEnd = fc.constantFrom('\r\n', '\r\n', '\r\n', '\n');
  const field = fc.constantFrom(
    ...['Subject: Grüße', 'From: a@b.example', 'X-Content: none', 'content-type: text/plain'],
    ...['Content-Type: text/plain; charset=utf-8', 'Content-Type: text/plain; charset="us-ascii"'],
    ...[
      'Content-Type: text/plain;\r\n\tcharset=UTF-8',
      'Content-Type: text/html',
      'Content-Type : text/html',
    ],
    ...[
      'Content-Type: text/plain; format=flowed',
      'Content-Type: multipart/mixed; boundary=x',
      'Content-Type:',
    ],
    ...['Content-Transfer-Encoding: 7bit', 'Content-Transfer-Encoding: 8bit (as it is)', 'MIME-Version: 1.0'],
    ...['Content-Transfer-Encoding: base64', 'Content-Disposition: attachment; filename=a.txt', ' folded'],
    ...['\tcontent-type: text/html', 'From someone Mon Nov 23', 'no field', 'X:\rContent-Type: text/html'],
    ...[
      'Content-Type: text/plain; charset=iso-8859-1',
      'X-\0: y',
      'Content-Typ\u00e9: text/html',
      ': x',
      '\0',
    ],
  );
  const line = fc.oneof(
    fc.constantFrom('', 'Hello', '--x', '--x--', '.', 'begin 644 a.txt', '> From', 'a \r', '\ufeffa', 'ü\0'),
    fc.string({ unit: 'binary', maxLength: 12 }),
  );
  const lines = (of: fc.Arbitrary<string>, maxLength: number) =>
    fc.array(fc.tuple(of, lineEnd), { maxLength }).map((all) => all.flat().join(''));

  it('reads as the parser reads it, whatever stands in it', { timeout: 60_000 }, async () => {
    const message = fc.tuple(
      lines(field, 6),
      lineEnd,
      lines(line, 6),
      fc.constantFrom('', 'end', '\r', '\n'),
    );
    let alike = 0;
    await fc.assert(
      fc.asyncProperty(message, async (pieces) => {
        if (await isReadAlike(Buffer.from(pieces.join('')))) alike++;
      }),
      { numRuns: 2_000 },
    );
    expect(alike).toBeGreaterThan(50);
  });
});
