/** RFC 5321 §4.5.2: the dots of a message's text on the wire, however it is cut into chunks. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Transparency } from '../../../gateways/smtp/session/transparency.ts';
import { stuffed } from '../../e2e/smtp-client.ts';

type Read = { content: string; rest: string | undefined };

/** Given in pieces that end at these places, and what comes behind the end with it. */
function readIn(wire: string, cuts: readonly number[]): Read {
  const bytes = Buffer.from(wire, 'latin1');
  const places = [0, ...new Set(cuts)].sort((a, b) => a - b);
  const text = new Transparency();
  let content = '';
  for (const [index, from] of places.entries()) {
    const passage = text.take(bytes.subarray(from, places[index + 1]));
    content += passage.content.toString('latin1');
    if (passage.rest === undefined) continue;
    return { content, rest: passage.rest.toString('latin1') + wire.slice(places[index + 1] ?? wire.length) };
  }
  return { content, rest: undefined };
}

/** The rule itself, line by line. */
function byTheRule(wire: string): Read {
  const lines = wire.split('\r\n');
  const end = lines.findIndex((line, index) => line === '.' && index < lines.length - 1);
  const kept = (end < 0 ? lines : lines.slice(0, end)).map((line) => line.replace(/^\./, ''));
  return {
    content: kept.join('\r\n') + (end > 0 ? '\r\n' : ''),
    rest: end < 0 ? undefined : lines.slice(end + 1).join('\r\n'),
  };
}

describe.each([
  ['a doubled dot', 'a\r\n..\r\n.\r\n', 'a\r\n.\r\n'],
  ['a doubled dot and more', 'a\r\n..foo\r\n.\r\n', 'a\r\n.foo\r\n'],
  ['a dot that the client forgot to double', 'a\r\n.foo\r\n.\r\n', 'a\r\nfoo\r\n'],
  ['such dots in the first line', '.foo\r\n.\r\n', 'foo\r\n'],
  ['three dots', '...\r\n.\r\n', '..\r\n'],
  ['dots elsewhere', 'a.b..\r\nc.\r\n.\r\n', 'a.b..\r\nc.\r\n'],
  ['dotted line after dotted line', '.a\r\n.b\r\n..\r\n..c\r\n.\r\n', 'a\r\nb\r\n.\r\n.c\r\n'],
  ['a dot behind a bare LF, which ends no line', 'a\n.b\n.\n\r\n.\r\n', 'a\n.b\n.\n\r\n'],
  ['a dot behind a bare CR', 'a\r.b\r.\r\r\n.\r\n', 'a\r.b\r.\r\r\n'],
  ['a dot before a bare CR', 'a\r\n.\rb\r\n.\r\r\n.\r\n', 'a\r\n\rb\r\n\r\r\n'],
  ['a dot before a bare LF', 'a\r\n.\nb\r\n.\r\n', 'a\r\n\nb\r\n'],
  ['nothing at all', '.\r\n', ''],
  ['one empty line', '\r\n.\r\n', '\r\n'],
])('%s', (_what, wire, content) => {
  it('means the same at every cut, and what is pipelined behind the end is none of it', () => {
    const bytes = `${wire}QUIT\r\n.\r\n`;
    const expected = { content, rest: 'QUIT\r\n.\r\n' };
    for (let one = 0; one <= wire.length; one++)
      for (let two = one; two <= wire.length; two++) expect(readIn(bytes, [one, two])).toEqual(expected);
    expect(
      readIn(
        bytes,
        [...bytes].map((_, place) => place),
      ),
    ).toEqual(expected);
  });
});

const token = fc.constantFrom('\r', '\n', '\r\n', '.', '..', '\r\n.', '\r\n.\r\n', 'a', '\0', '\xff');
const wireText = fc.array(token, { maxLength: 30 }).map((tokens) => tokens.join(''));
const cuts = fc.array(fc.nat(40), { maxLength: 6 });

describe('whatever comes', () => {
  it('is read by the rule, line by line', () => {
    fc.assert(
      fc.property(wireText, cuts, (wire, places) => {
        const whole = `${wire}\r\n.\r\nQUIT\r\n`;
        expect(
          readIn(
            whole,
            places.map((place) => Math.min(place, whole.length)),
          ),
        ).toEqual(byTheRule(whole));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is what a client meant that doubles its dots', () => {
    fc.assert(
      fc.property(wireText, cuts, (message, places) => {
        const wire = stuffed(Buffer.from(message, 'latin1')).toString('latin1');
        const end = message === '' || message.endsWith('\r\n') ? '' : '\r\n';
        const { content, rest } = readIn(
          wire,
          places.map((place) => Math.min(place, wire.length)),
        );
        expect([content, rest]).toEqual([message + end, '']);
      }),
      { numRuns: 2_000 },
    );
  });
});

it('passes on a chunk without such a line as it is, not a copy', () => {
  const chunk = Buffer.from('a line\r\nand . another..\r\n');
  expect(new Transparency().take(chunk).content.buffer).toBe(chunk.buffer);
});
