import { describe, expect, test } from 'vitest';
import { readHeaderBlock } from '../../../gateways/message/header-block.ts';
import { readUnsubscribe } from '../../../gateways/message/unsubscribe.ts';

const read = (...lines: string[]) =>
  readUnsubscribe(readHeaderBlock(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)), true);
const POST = 'List-Unsubscribe-Post: List-Unsubscribe=One-Click';

describe('a way off a mailing list', () => {
  test('is one click where the sender says so, by https', () => {
    expect(read('List-Unsubscribe: <mailto:x@list.example>, <https://list.example/u?a=1>', POST)).toEqual({
      way: 'one-click',
      url: 'https://list.example/u?a=1',
      host: 'list.example',
    });
  });

  test('is no single click where nobody has signed for it (RFC 8058 §4)', () => {
    const header = readHeaderBlock(
      Buffer.from(`List-Unsubscribe: <https://list.example/u>\r\n${POST}\r\n\r\n`),
    );
    expect(readUnsubscribe(header, false)?.way).toBe('page');
  });

  test('may be folded over lines, in any case', () => {
    const folded = 'LIST-UNSUBSCRIBE: <https://list.example/\r\n u>';
    expect(read(folded, 'list-unsubscribe-post: list-unsubscribe=one-click')?.way).toBe('one-click');
  });

  test('is a letter, to be seen before it is sent', () => {
    expect(read('List-Unsubscribe: <mailto:leave+me@list.example?subject=leave%20a+b&body=x>')).toEqual({
      way: 'letter',
      to: 'leave+me@list.example',
      subject: 'leave a+b',
    });
  });

  test('is a page of the sender’s otherwise', () => {
    expect(read('List-Unsubscribe: <http://list.example/u>', POST)).toMatchObject({ way: 'page' });
    expect(read('List-Unsubscribe: <https://list.example/u>')).toMatchObject({ way: 'page' });
  });

  test.each([
    ['javascript', 'List-Unsubscribe: <javascript:alert(1)>'],
    ['data', 'List-Unsubscribe: <data:text/html,x>'],
    ['credentials', 'List-Unsubscribe: <https://user:secret@list.example/u>'],
    ['no brackets', 'List-Unsubscribe: https://list.example/u'],
    ['no address', 'List-Unsubscribe: <mailto:>'],
    ['a letter to two', 'List-Unsubscribe: <mailto:a@b.example%0d%0aBcc:c@d.example>'],
    ['nothing', 'Subject: x'],
  ])('is none: %s', (_case, line) => expect(read(line, POST)).toBeUndefined());

  test('is not one click where the fields stand twice', () => {
    const twice = 'List-Unsubscribe: <https://a.example/u>';
    expect(read(twice, 'List-Unsubscribe: <https://b.example/u>', POST)?.way).toBe('page');
    expect(read(twice, POST, POST)?.way).toBe('page');
  });
});
