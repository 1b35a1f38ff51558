/**
 * Not an open relay (RFC 5321 §7.9, RFC 2505 §2.1): each way of writing somebody elsewhere so that a server takes the
 * address for its own is refused, or is one of ours and stays here. The intake has no way out at all; what the table
 * holds to is the reply, and that nobody but the account named gets anything.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SmtpClient } from '../../e2e/smtp-client.ts';
import { openDoors, type Doors } from './doors.ts';

let doors: Doors;
let client: SmtpClient;
beforeAll(async () => {
  doors = await openDoors({ intake: { clientLimits: { refusalsPerSessionMax: 1000 } } });
  doors.store.administrators.add('carol');
  client = await doors.mx();
});
afterAll(() => doors?.close());
beforeEach(() => doors.store.kept.splice(0));

const RELAYING = /^550 5\.7\.1 .*relaying denied/;
const NOBODY = /^550 5\.1\.1 /;
const SYNTAX = /^501 5\.(1\.3|5\.2) /;
const PARAMETER = /^555 5\.5\.4 /;

/** The trick, what stands behind RCPT TO:, and the reply, or who gets it here. */
const TRICKS: readonly (readonly [string, string, RegExp | string])[] = [
  ['plainly', '<victim@far.example>', RELAYING],
  ['in capitals', '<VICTIM@FAR.EXAMPLE>', RELAYING],
  ['percent hack (RFC 1123 §5.2.16)', '<victim%far.example@penncloud.test>', NOBODY],
  ['percent hack at two places', '<victim%far.example%penncloud.test@localhost>', NOBODY],
  ['percent hack, no domain', '<victim%far.example>', SYNTAX],
  ['bang path (RFC 976)', '<far.example!victim@penncloud.test>', NOBODY],
  ['bang path, no domain', '<far.example!victim>', SYNTAX],
  ['bang path behind ours', '<penncloud.test!victim@far.example>', RELAYING],
  ['source route through us (RFC 5321 App. C)', '<@penncloud.test:victim@far.example>', RELAYING],
  ['source route through us and another', '<@penncloud.test,@relay.example:victim@far.example>', RELAYING],
  ['source route to one of ours, which is dropped (§3.6.1)', '<@far.example:alice@penncloud.test>', 'alice'],
  ['source route without an address', '<@penncloud.test:>', SYNTAX],
  ['an address in quotes (RFC 5321 §4.1.2)', '<"victim@far.example"@penncloud.test>', NOBODY],
  ['a percent hack in quotes', '<"victim%far.example"@penncloud.test>', NOBODY],
  ['one of ours, with theirs behind it in quotes', '<"alice@penncloud.test@far.example"@localhost>', NOBODY],
  ['quotes and a backslash', '<"victim\\@far.example"@penncloud.test>', NOBODY],
  ['a quote in quotes', '<"victim\\"@far.example"@penncloud.test>', NOBODY],
  ['a space in quotes', '<"victim far.example"@penncloud.test>', NOBODY],
  ['brackets in quotes', '<"x>,<victim@far.example"@penncloud.test>', NOBODY],
  ['a source route before quotes', '<@far.example:"victim@far.example"@penncloud.test>', NOBODY],
  ['quotes that do not end', '<"victim@far.example@penncloud.test>', SYNTAX],
  ['quotes that end early', '<"victim"@far.example"@penncloud.test>', SYNTAX],
  ['quotes in the middle', '<victim"@"far.example@penncloud.test>', SYNTAX],
  ['quotes without a domain', '<"victim@far.example">', SYNTAX],
  [
    'quotes with more than 64 octets (§4.5.3.1.1)',
    `<"${'v'.repeat(51)}@far.example"@penncloud.test>`,
    SYNTAX,
  ],
  ['a parameter behind quotes', '<"a@b"@penncloud.test> ORCPT=rfc822;victim@far.example', PARAMETER],
  ['quotes around ours, which mean the same (§4.1.2)', '<"alice"@penncloud.test>', 'alice'],
  ['our domain in quotes', '<"alice@penncloud.test"@far.example>', RELAYING],
  ['several @', '<victim@far.example@penncloud.test>', SYNTAX],
  ['several @, ours first', '<victim@penncloud.test@far.example>', SYNTAX],
  ['an IPv4 literal (§4.1.3)', '<victim@[127.0.0.1]>', RELAYING],
  ['an IPv4 literal of ours', '<alice@[127.0.0.1]>', RELAYING],
  ['an IPv6 literal', '<victim@[IPv6:::1]>', RELAYING],
  ['a literal that is none', '<victim@[far.example]>', SYNTAX],
  ['an address without brackets as a domain', '<victim@127.0.0.1>', RELAYING],
  ['an address as a number', '<victim@2130706433>', RELAYING],
  ['our domain in capitals (§2.4)', '<alice@PENNCLOUD.TEST>', 'alice'],
  ['our domain with the dot of the root', '<alice@penncloud.test.>', SYNTAX],
  ['their domain with the dot of the root', '<victim@far.example.>', SYNTAX],
  ['our domain as the start of theirs', '<alice@penncloud.test.far.example>', RELAYING],
  ['our domain as the end of theirs', '<victim@far.example.penncloud.test>', RELAYING],
  ['our domain without its dot', '<alice@penncloudxtest>', RELAYING],
  ['our domain behind a hyphen', '<alice@not-penncloud.test>', RELAYING],
  ['a comment (RFC 5321 has none)', '<alice@penncloud.test(far.example)>', SYNTAX],
  ['a comment in front', '<victim@far.example(x)@penncloud.test>', SYNTAX],
  ['a tab inside', '<victim@far.example\t@penncloud.test>', SYNTAX],
  ['a space inside', '<victim@far.example @penncloud.test>', SYNTAX],
  ['no brackets', 'victim@far.example', SYNTAX],
  ['one bracket', '<victim@far.example', SYNTAX],
  ['two pairs of brackets', '<alice@penncloud.test><victim@far.example>', SYNTAX],
  ['two addresses', '<alice@penncloud.test>,<victim@far.example>', SYNTAX],
  ['two addresses in one pair', '<alice@penncloud.test,victim@far.example>', SYNTAX],
  ['a name in front', 'Victim <victim@far.example>', SYNTAX],
  ['nobody', '<>', SYNTAX],
  ['no domain', '<victim>', SYNTAX],
  ['postmaster elsewhere', '<postmaster@far.example>', RELAYING],
  ['postmaster through us', '<postmaster%far.example@penncloud.test>', NOBODY],
  ['postmaster, quoted', '<"PostMaster"@penncloud.test>', 'carol'],
  ['postmaster without a domain (§4.5.1)', '<postmaster>', 'carol'],
  ['an address as the sub-address', '<alice+victim=far.example@penncloud.test>', 'alice'],
  ['an address with @ as the sub-address', '<alice+victim@far.example@penncloud.test>', SYNTAX],
  ['a sub-address elsewhere', '<alice+penncloud.test@far.example>', RELAYING],
  ['bounce address of an authorisation (SRS)', '<SRS0=x=y=far.example=victim@penncloud.test>', NOBODY],
  ['BATV', '<prvs=1234=victim@penncloud.test>', NOBODY],
  ['ORCPT (RFC 3461 §4.2)', '<alice@penncloud.test> ORCPT=rfc822;victim@far.example', PARAMETER],
  ['NOTIFY (RFC 3461 §4.1)', '<alice@penncloud.test> NOTIFY=SUCCESS', PARAMETER],
  ['a parameter of nobody’s (§4.1.1.11)', '<alice@penncloud.test> X-FORWARD=victim@far.example', PARAMETER],
  ['a NUL', '<victim@far.example\0@penncloud.test>', SYNTAX],
  ['a NUL behind', '<alice@penncloud.test\0.far.example>', SYNTAX],
  ['a bare CR and another command', '<alice@penncloud.test>\rRCPT TO:<victim@far.example>', SYNTAX],
  ['CR and LF in hexadecimal (xtext)', '<alice+0D+0ARCPT@penncloud.test>', 'alice'],
  ['backspaces', '<victim@far.example\b\b\b@penncloud.test>', SYNTAX],
];

/** With SMTPUTF8 (RFC 6531); without it all of them are 553 5.6.7. */
const UNICODE: readonly (readonly [string, string, RegExp | string])[] = [
  ['a full stop of another script (U+3002), theirs', '<alice@penncloud.test。far.example>', RELAYING],
  ['a full stop of another script (U+3002), ours', '<alice@penncloud。test>', 'alice'],
  ['fullwidth letters, which are the same domain (UTS 46)', '<alice@ｐｅｎｎcloud.test>', 'alice'],
  ['a fullwidth @', '<victim＠far.example>', SYNTAX],
  ['a fullwidth @ in our local part', '<victim＠far.example@penncloud.test>', NOBODY],
  ['a fullwidth %', '<victim％far.example@penncloud.test>', NOBODY],
  ['a homograph of our domain (Cyrillic е)', '<alice@pеnncloud.test>', RELAYING],
  ['a homograph of an account (Cyrillic а)', '<аlice@penncloud.test>', NOBODY],
  ['a zero-width space in the domain', '<alice@penn\u200bcloud.test>', SYNTAX],
  ['a soft hyphen in the domain', '<alice@penn\u00adcloud.test>', 'alice'],
  ['a long s, which folds to s (UTS 46)', '<alice@penncloud.te\u017ft>', 'alice'],
  ['a mark that turns the direction', '<alice\u202e@penncloud.test>', NOBODY],
];

async function given(
  recipient: string,
  { sender = 'a@b.example', more = '' } = {},
): Promise<{ reply: string; readers: string[] }> {
  await client.say('RSET\r\n');
  await client.say(`MAIL FROM:<${sender}>${more}\r\n`);
  const reply = await client.say(Buffer.from(`RCPT TO:${recipient}\r\n`));
  if ((await client.say('DATA\r\n')).code === 354) await client.say('Subject: x\r\n\r\nx\r\n.\r\n');
  return { reply: reply.text, readers: doors.store.kept.map(({ account }) => account) };
}

function expectIt({ reply, readers }: Awaited<ReturnType<typeof given>>, expected: RegExp | string): void {
  expect(reply).toMatch(typeof expected === 'string' ? /^250 2\.1\.5 / : expected);
  expect(readers).toEqual(typeof expected === 'string' ? [expected] : []);
  expect(doors.store.sent).toEqual([]);
}

describe('a stranger who wants mail brought elsewhere', () => {
  it.each(TRICKS)('%s: %s', async (_trick, recipient, expected) => {
    expectIt(await given(recipient), expected);
  });

  it.each(UNICODE)('%s: %s', async (_trick, recipient, expected) => {
    expectIt(await given(recipient, { more: ' SMTPUTF8' }), expected);
    doors.store.kept.splice(0);
    expectIt(await given(recipient), /^553 5\.6\.7 /);
  });

  it.each([
    ['nobody (RFC 5321 §4.5.5)', ''],
    ['one of ours', 'alice@penncloud.test'],
    ['our postmaster', 'postmaster@penncloud.test'],
    ['this machine', 'root@localhost'],
    ['an address literal of this machine', 'root@[127.0.0.1]'],
    ['who it is for', 'victim@far.example'],
    ['one of ours in quotes', '"alice@penncloud.test"@far.example'],
  ])('has no better chance as %s', async (_what, sender) => {
    expectIt(await given('<victim@far.example>', { sender }), RELAYING);
    expectIt(await given('<victim%far.example@penncloud.test>', { sender }), NOBODY);
  });

  it('nor with one good recipient beside the other, which alone gets it', async () => {
    await client.say('RSET\r\n');
    await client.say('MAIL FROM:<a@b.example>\r\n');
    const replies = [];
    for (const to of ['victim@far.example', 'alice@penncloud.test', 'other%far.example@localhost'])
      replies.push((await client.say(`RCPT TO:<${to}>\r\n`)).code);
    expect(replies).toEqual([550, 250, 550]);
    await client.say('DATA\r\n');
    await client.say('To: victim@far.example\r\nResent-To: victim@far.example\r\n\r\nx\r\n.\r\n');
    expect(doors.store.kept.map(({ account }) => account)).toEqual(['alice']);
    expect(doors.store.sent).toEqual([]);
  });

  it('nor at submission without a log-in (RFC 6409 §4.3)', async () => {
    const stranger = doors.with(await SmtpClient.secure(doors.submissionTls.port));
    await stranger.answer();
    for (const [command, code] of [
      ['EHLO x', 250],
      ['MAIL FROM:<alice@penncloud.test>', 530],
      ['MAIL FROM:<alice@penncloud.test> AUTH=alice@penncloud.test', 530],
      ['RCPT TO:<victim@far.example>', 530],
      ['DATA', 530],
    ] as const)
      expect((await stranger.say(`${command}\r\n`)).code).toBe(code);
  });
});

describe('parameters of MAIL', () => {
  it.each([
    [' SIZE=100 BODY=8BITMIME SMTPUTF8', /^250 /],
    [' size=100 body=7bit', /^250 /],
    [' RET=HDRS', PARAMETER],
    [' ENVID=x', PARAMETER],
    [' REQUIRETLS', PARAMETER],
    [' AUTH=<>', PARAMETER],
    [' SIZE=1 SIZE=2', /^501 /],
    [' SIZE=x', /^501 /],
    [' SIZE=10737418240', /^552 5\.3\.4 /],
  ])('%s (RFC 5321 §4.1.1.11, RFC 1870 §6)', async (more, expected) => {
    await client.say('RSET\r\n');
    expect((await client.say(`MAIL FROM:<a@b.example>${more}\r\n`)).text).toMatch(expected);
  });
});
