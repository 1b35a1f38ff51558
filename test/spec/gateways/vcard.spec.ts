import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeContact, makeGroup, type ContactFields } from '../../../gateways/web/contacts/make.ts';
import { ownIdIn, readCards, writeContact, writeGroup } from '../../../gateways/web/contacts/vcard.ts';
import { id } from '../given.ts';

const read = (...lines: readonly string[]) => readCards(Buffer.from(lines.join('\r\n')));
const card = (version: string, ...lines: readonly string[]) =>
  read('BEGIN:VCARD', `VERSION:${version}`, ...lines, 'END:VCARD').cards[0]!;
const empty: ContactFields = { name: '', addresses: [], phones: [], organisation: '', note: '', uid: '' };

describe('a vCard', () => {
  const contacts: Record<string, [version: string, lines: string[], fields: Partial<ContactFields>]> = {
    'of version 3.0': [
      '3.0',
      [
        'N:Berg;Anna;;Dr.;',
        'FN:Dr. Anna Berg',
        'EMAIL;TYPE=INTERNET,PREF:anna@x.test',
        'TEL;TYPE=CELL:+49 30 1',
        'ORG:Oak Ltd;Sales',
      ],
      {
        name: 'Dr. Anna Berg',
        addresses: ['anna@x.test'],
        phones: ['+49 30 1'],
        organisation: 'Oak Ltd, Sales',
      },
    ],
    'of version 4.0, with URIs': [
      '4.0',
      [
        'FN:Anna',
        'EMAIL;PREF=1:anna@x.test',
        'TEL;VALUE=uri;TYPE="voice,home":tel:+49-30-1',
        'UID:urn:uuid:1',
      ],
      { name: 'Anna', addresses: ['anna@x.test'], phones: ['+49-30-1'], uid: 'urn:uuid:1' },
    ],
    'with escapes and folded lines': [
      '3.0',
      ['FN:Berg\\, A', ' nna', 'NOTE:one\\ntwo\\; three'],
      { name: 'Berg, Anna', note: 'one\ntwo; three' },
    ],
    'as Apple writes it': [
      '3.0',
      ['FN:Anna', 'item1.EMAIL;type=pref:anna@x.test', 'item1.X-ABLabel:work'],
      { name: 'Anna', addresses: ['anna@x.test'] },
    ],
    'without FN': [
      '3.0',
      ['N:Berg;Anna;;;', 'EMAIL:anna@x.test'],
      { name: 'Anna Berg', addresses: ['anna@x.test'] },
    ],
    'of a company': ['3.0', ['FN:', 'ORG:Oak Ltd'], { name: 'Oak Ltd', organisation: 'Oak Ltd' }],
    'with the same address twice': [
      '4.0',
      ['FN:A', 'EMAIL:a@x.test', 'EMAIL:A@x.test'],
      { name: 'A', addresses: ['a@x.test'] },
    ],
    'that tries to add header lines': [
      '4.0',
      ['FN:A\\nBcc: evil@x.test', 'EMAIL:a@x.test'],
      { name: 'A Bcc: evil@x.test', addresses: ['a@x.test'] },
    ],
  };
  it.each(Object.entries(contacts))('is read: %s', (_name, [version, lines, fields]) => {
    expect(card(version, ...lines)).toMatchObject({
      kind: 'contact',
      line: 1,
      fields: { ...empty, ...fields },
    });
  });

  it('tells what was left out of it', () => {
    const one = card(
      '3.0',
      'FN:A',
      'BDAY:1970-01-01',
      'PHOTO;ENCODING=b:AAAA',
      'EMAIL:not an address',
      `NOTE:${'x'.repeat(5000)}`,
    );
    expect(one).toMatchObject({
      fields: { name: 'A', addresses: [] },
      left: [
        'BDAY',
        'PHOTO',
        '“not an address”, which is no mail address',
        'the end of the note, which is too long',
      ],
    });
  });

  const broken: Record<string, [lines: string[], problem: RegExp]> = {
    'of version 2.1': [['BEGIN:VCARD', 'VERSION:2.1', 'FN:A', 'END:VCARD'], /version 2\.1/],
    'without a name or an address': [['BEGIN:VCARD', 'VERSION:3.0', 'TEL:1', 'END:VCARD'], /neither a name/],
    'without an end': [['BEGIN:VCARD', 'VERSION:3.0', 'FN:A'], /no end/],
    'in another': [['BEGIN:VCARD', 'VERSION:3.0', 'BEGIN:VCARD', 'FN:A', 'END:VCARD'], /no end/],
    'with 2,000 lines': [
      ['BEGIN:VCARD', ...Array<string>(2000).fill('EMAIL:a@x.test'), 'END:VCARD'],
      /too many lines/,
    ],
  };
  it.each(Object.entries(broken))('is not taken, and says why: %s', (_name, [lines, problem]) => {
    expect(read(...lines).cards[0]).toMatchObject({ kind: 'problem', line: 1 });
    expect((read(...lines).cards[0] as { problem: string }).problem).toMatch(problem);
  });

  it('that is broken harms no other, and each knows its line', () => {
    const { cards } = read(
      'BEGIN:VCARD',
      'VERSION:2.1',
      'END:VCARD',
      '',
      'BEGIN:VCARD',
      'VERSION:4.0',
      'FN:A',
      'END:VCARD',
    );
    expect(cards.map(({ kind, line }) => [kind, line])).toEqual([
      ['problem', 1],
      ['contact', 5],
    ]);
  });
});

describe('a hostile or strange file', () => {
  it('is refused as a whole when it is no text, no vCard, or too large', () => {
    expect(readCards(Uint8Array.of(0xc3, 0x28)).problem).toMatch(/UTF-8/);
    expect(readCards(Buffer.from('hello')).problem).toMatch(/no vCard/);
    expect(readCards(Buffer.alloc(9 * 1024 * 1024)).problem).toMatch(/at most 8 MiB/);
    expect(readCards(new Uint8Array()).problem).toMatch(/no vCard/);
  });

  it('is read up to its 5,000th card, and says so', () => {
    const { cards, problem } = readCards(Buffer.from('BEGIN:VCARD\nFN:A\nEND:VCARD\n'.repeat(5001)));
    expect(cards).toHaveLength(5000);
    expect(problem).toMatch(/first 5000/);
  });

  it('may be in UTF-16, and begin with a byte order mark', () => {
    const text = '\ufeffBEGIN:VCARD\nVERSION:3.0\nFN:Zoë\nEND:VCARD';
    for (const encoding of ['utf16le', 'utf8'] as const) {
      expect(readCards(Buffer.from(text, encoding)).cards[0]).toMatchObject({ fields: { name: 'Zoë' } });
    }
  });

  it('does not stop the reader: long lines, deep parameters, names of the prototype', () => {
    const lines = [
      `FN:${'x'.repeat(100_000)}`,
      `EMAIL;${'A=B;'.repeat(3000)}X=Y:a@x.test`,
      '__proto__:polluted',
      'constructor;prototype=1:x',
      'EMAIL;TYPE="unclosed:b@x.test',
    ];
    expect(card('4.0', ...lines, 'FN:Still here').line).toBe(1);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('never makes the reader throw', () => {
    const pieces = [
      'BEGIN:VCARD\n',
      'END:VCARD\n',
      'VERSION:4.0\n',
      'FN:',
      'EMAIL;',
      'N:;;',
      '"',
      ':',
      ';',
      '\\',
      '\n ',
      '\0',
      '=',
      '\ud800',
    ];
    const anyText = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string()), { maxLength: 40 });
    fc.assert(
      fc.property(anyText, (some) => {
        expect(() => readCards(Buffer.from(`BEGIN:VCARD\n${some.join('')}`))).not.toThrow();
      }),
      { numRuns: 500 },
    );
  });
});

describe('an export', () => {
  it('is version 4.0 in lines of at most 75 bytes', () => {
    const text = writeContact(
      id(1),
      makeContact({
        ...empty,
        name: 'Zoë, B; C\\',
        addresses: ['a@x.test'],
        note: `${'ü'.repeat(300)}\nend`,
      }),
    );
    expect(text).toMatch(/^BEGIN:VCARD\r\nVERSION:4\.0\r\n/);
    for (const line of text.split('\r\n')) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(75);
  });

  it('is read back as it was', () => {
    const anyLine = fc.string({ unit: 'grapheme', maxLength: 60 });
    const anyContact = fc.record({
      name: anyLine.filter((name) => name.trim() !== ''),
      organisation: anyLine,
      note: fc.array(anyLine, { maxLength: 3 }).map((lines) => lines.join('\n')),
      addresses: fc.constantFrom([], ['a@x.test'], ['a@x.test', 'ü@y.test']),
      phones: fc.constantFrom([], ['+49 30 1234; ext. 5, a'], ['110', '112']),
      uid: fc.constantFrom('', 'urn:uuid:1', 'a,b;c\\d'),
    });
    fc.assert(
      fc.property(anyContact, (fields) => {
        const contact = makeContact(fields);
        fc.pre(contact.name !== '');
        const [back] = readCards(Buffer.from(writeContact(id(1), contact))).cards;
        const uid = contact.uid || `penncloud-${id(1)}`;
        if (back?.kind !== 'contact') throw new Error(JSON.stringify(back));
        expect({ ...makeContact(back.fields), uid: back.fields.uid }).toEqual({ ...contact, uid });
      }),
    );
    expect(ownIdIn(`penncloud-${id(1)}`)).toBe(id(1));
  });

  it('writes groups with the UIDs of their members', () => {
    const group = makeGroup('Team', [id(1)]);
    const [back] = readCards(Buffer.from(writeGroup(id(2), group.name, [`penncloud-${id(1)}`]))).cards;
    expect(back).toMatchObject({ kind: 'group', name: 'Team', members: [`penncloud-${id(1)}`] });
  });
});
