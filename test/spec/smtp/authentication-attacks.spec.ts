/** What a stranger does who wants a forged message past a policy, or the intake busy. Real signatures, a real DNS server. */
import { generateKeyPairSync } from 'node:crypto';
import { dkimSign } from 'mailauth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readHeaderBlock } from '../../../gateways/message/header-block.ts';
import { isNamed } from '../../../gateways/message/verdict.ts';
import { Authentication, type Peer } from '../../../gateways/smtp/inbound/authentication.ts';
import { isWorthChecking } from '../../../gateways/smtp/inbound/examined.ts';
import { serveNames, type NamesServed } from './names-served.ts';

const keys = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const published = `v=DKIM1; k=rsa; p=${keys.publicKey.toString('base64')}`;
const PEER: Peer = { address: '198.51.100.9', name: 'mail.evil.example', sender: 'a@evil.example' };

let dns: NamesServed;
beforeAll(async () => {
  const includes = Array.from({ length: 9 }, (_, i) => `exists:n${i}.many.example`).join(' ');
  dns = await serveNames({
    'TXT _dmarc.bank.example': ['v=DMARC1; p=reject'],
    'TXT bank.example': ['v=spf1 -all'],
    'TXT _dmarc.loud.example': ['v=DMARC1; p=REJECT'],
    'TXT _dmarc.tight.example': ['v=DMARC1; p=reject; adkim=s; aspf=s'],
    'TXT s1._domainkey.sub.tight.example': [published],
    'TXT s1._domainkey.tight.example': [published],
    'TXT sub.tight.example': ['v=spf1 ip4:198.51.100.9 -all'],
    'TXT s1._domainkey.bank.example': [published],
    'TXT broken.example': ['SERVFAIL'],
    'TXT s1._domainkey.broken.example': ['SERVFAIL'],
    'TXT mute.example': ['SILENCE'],
    'TXT s1._domainkey.mute.example': ['SILENCE'],
    'TXT many.example': [`v=spf1 ${includes} -all`],
  });
});
afterAll(() => dns.close());

function message(from: string, more = '', body = 'Good day.\r\n'): Buffer {
  return Buffer.from(`From: ${from}\r\nTo: b@penncloud.test\r\nSubject: Hello\r\n${more}\r\n${body}`);
}
async function signed(raw: Buffer, signingDomain: string, more: object = {}): Promise<Buffer> {
  const one = { signingDomain, selector: 's1', privateKey: keys.privateKey, ...more };
  const { signatures } = await dkimSign(raw, { ...one, signatureData: [one] } as never);
  return Buffer.concat([Buffer.from(signatures), raw]);
}
async function judge(raw: Buffer, peer: Partial<Peer> = {}, timeMs = 2_000) {
  const asking = new Authentication({
    ...{ resolvers: [dns.address], hostname: 'mx.penncloud.test', draw: () => 0, timeMs },
  });
  return (await asking.judge(raw, readHeaderBlock(raw), { ...PEER, ...peer }))!;
}

describe('a policy of reject holds, whatever a stranger brings along', () => {
  it.each([
    ['a sender whose name servers fail', { sender: 'a@broken.example' }],
    ['a sender whose name servers are silent', { sender: 'a@mute.example' }],
    ['a sender whose SPF asks for much', { sender: 'a@many.example' }],
    ['no sender, and a name that cannot be looked up', { sender: '', name: 'mute.example' }],
  ])('%s', async (_what, peer) => {
    const { disposition, verdict } = await judge(message('ceo@bank.example'), peer);
    expect([disposition, verdict.dmarc.outcome]).toEqual(['reject', 'fail']);
  });

  it.each(['broken.example', 'mute.example'])('a signature whose key cannot be had: %s', async (domain) => {
    const raw = await signed(message('ceo@bank.example'), domain);
    expect((await judge(raw)).disposition).toBe('reject');
    // And ten of them before one in the name of the bank that is none.
    let many = await signed(message('ceo@bank.example'), 'bank.example', { selector: 'nothere' });
    for (let i = 0; i < 9; i++) many = await signed(many, domain);
    expect((await judge(many)).disposition).toBe('reject');
  });

  it('is written in capitals (RFC 7489 §6.3)', async () => {
    expect((await judge(message('x@loud.example'))).disposition).toBe('reject');
  });

  it('asks for exactly its own domain (RFC 7489 §3.1: adkim=s, aspf=s)', async () => {
    const raw = await signed(message('x@tight.example'), 'sub.tight.example');
    expect((await judge(raw, { sender: 'a@sub.tight.example' })).disposition).toBe('reject');
    expect((await judge(await signed(message('x@tight.example'), 'tight.example'))).disposition).toBe('take');
  });

  it('is not met by a signature that leaves From open (RFC 6376 §6.1.1)', async () => {
    const raw = await signed(message('x@bank.example'), 'bank.example', { headerList: 'To:Subject' });
    expect(raw.toString()).toMatch(/h=To: ?Subject|h=Subject: ?To/i);
    const { disposition, verdict } = await judge(raw);
    expect([disposition, verdict.signatures[0]?.outcome]).toEqual(['reject', 'permerror']);
  });

  it('is not met by a signature over the beginning of the body (l=, RFC 6376 §8.2)', async () => {
    const whole = await signed(message('x@bank.example'), 'bank.example', { maxBodyLength: 11 });
    expect(whole.toString()).toContain('l=11');
    expect((await judge(whole)).disposition).toBe('take');
    const { disposition, verdict } = await judge(Buffer.concat([whole, Buffer.from('Send money.\r\n')]));
    expect([disposition, verdict.signatures[0]?.outcome]).toEqual(['reject', 'policy']);
  });
});

describe('a From that can be read in two ways is set aside (RFC 7489 §6.6.1)', () => {
  it.each([
    ['a group', message('Board: ceo@bank.example;')],
    ['a group beside an address', message('Board: ceo@bank.example;, x@evil.example')],
    ['an address as a local part', message('"x@evil.example"@bank.example')],
    ['a hyphen that is not seen', message('ceo@ba\u00adnk.example')],
    ['letters that stand for others (UTS #46)', message('ceo@\uff42ank.example')],
    ['a mark that vanishes on the page', message('ceo@ba\u200enk.example')],
    ['a space before the colon (RFC 5322 §4.5)', message('x@evil.example', 'From : ceo@bank.example\r\n')],
    [
      'a second From behind many fields',
      message('x@evil.example', `${'X: y\r\n'.repeat(1_900)}From: ceo@bank.example\r\n`),
    ],
  ])('%s', async (_what, raw) => {
    expect((await judge(raw)).disposition).toBe('quarantine');
  });

  it.each([
    ['a name that looks like an address', message('"ceo@bank.example" <x@evil.example>')],
    ['a name with a comma and no quotes', message('Good, John <x@evil.example>')],
    ['letters beyond ASCII', message('J\u00f6rg <j\u00f6rg@b\u00fccher.example>')],
    ['nobody', message('Nobody:;')],
  ])('but not %s', async (_what, raw) => {
    expect((await judge(raw)).disposition).toBe('take');
  });
});

describe('a message that costs much', () => {
  const signature =
    'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=evil.example; s=s1; h=from; bh=x; b=y\r\n';
  it.each([
    ['80,000 folds of a field', message('ceo@bank.example', `X: y\r\n${' \r\n'.repeat(80_000)}`)],
    ['a header without an end', message('ceo@bank.example', 'X: y\r\n'.repeat(200_000))],
    ['500 signatures', message('ceo@bank.example', signature.repeat(500))],
    [
      'ten signatures of a long body',
      message('ceo@bank.example', signature.repeat(10), 'x\r\n'.repeat(5_000_000)),
    ],
  ])('%s: is judged as if it were not signed', async (_what, raw) => {
    expect(isWorthChecking(raw, readHeaderBlock(raw))).toBe(false);
    expect((await judge(raw)).disposition).toBe('reject');
  });

  it('is to come again where there was no time for it, if its policy refuses what is not signed', async () => {
    const long = (from: string) => message(from, signature.repeat(10), 'hello, world\r\n'.repeat(800_000));
    expect(isWorthChecking(long('x'), readHeaderBlock(long('x')))).toBe(true);
    expect((await judge(long('ceo@bank.example'), {}, 50)).disposition).toBe('later');
    expect((await judge(long('x@nobody.example'), {}, 50)).disposition).toBe('take');
  });

  it('lets others be served meanwhile', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const raw = message('ceo@bank.example', signature.repeat(3), 'hello, world\r\n'.repeat(300_000));
    expect(isWorthChecking(raw, readHeaderBlock(raw))).toBe(true);
    await judge(raw);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
  });
});

describe('a verdict in our name that a stranger wrote is taken out (RFC 8601 §5)', () => {
  it.each([
    'mx.penncloud.test; dmarc=pass',
    ' MX.PennCloud.Test 1; dmarc=pass',
    '(a comment) mx.penncloud.test; dmarc=pass',
    '(one (in another)) mx.penncloud.test ; dmarc=pass',
    '(with; a semicolon) mx.penncloud.test; dmarc=pass',
    '(and \\) a bracket) mx.penncloud.test; dmarc=pass',
    '"mx.penncloud.test"; dmarc=pass',
    '\r\n\tmx.penncloud.test;\r\n dmarc=pass',
  ])('%j', (value) => {
    expect(isNamed(value, 'mx.penncloud.test')).toBe(true);
  });
  it('and somebody else\u2019s is left', () => {
    expect(isNamed('mx.other.test; mx.penncloud.test', 'mx.penncloud.test')).toBe(false);
    expect(isNamed(`${'('.repeat(100_000)}x`, 'mx.penncloud.test')).toBe(false);
  });
});
