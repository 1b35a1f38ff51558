/** Where a message comes from: real signatures, a real DNS server, each outcome with the section that asks for it. */
import { generateKeyPairSync } from 'node:crypto';
import { dkimSign } from 'mailauth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readHeaderBlock } from '../../../gateways/message/header-block.ts';
import {
  isUnsubscribeSigned,
  readVerdict,
  verdictField,
  verdictWords,
} from '../../../gateways/message/verdict.ts';
import { Authentication, type Peer } from '../../../gateways/smtp/inbound/authentication.ts';
import { serveNames, type NamesServed } from './names-served.ts';

const HOSTNAME = 'mx.penncloud.test';
const keys = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const published = `v=DKIM1; k=rsa; p=${keys.publicKey.toString('base64')}`;
const PEER: Peer = { address: '192.0.2.7', name: 'mail.strict.example', sender: 'a@strict.example' };
const STRANGER: Peer = { ...PEER, address: '198.51.100.9' };

let dns: NamesServed;
beforeAll(async () => {
  dns = await serveNames({
    'TXT strict.example': ['v=spf1 ip4:192.0.2.7 -all'],
    'TXT s1._domainkey.strict.example': [published],
    'TXT _dmarc.strict.example': ['v=DMARC1; p=reject'],
    'TXT _dmarc.aside.example': ['v=DMARC1; p=quarantine'],
    'TXT _dmarc.half.example': ['v=DMARC1; p=reject; pct=50'],
    'TXT _dmarc.watch.example': ['v=DMARC1; p=none'],
    'TXT _dmarc.away.example': ['SERVFAIL'],
    'TXT _dmarc.slow.example': ['v=DMARC1; p=reject'],
    'TXT slow.example': ['SERVFAIL'],
    'TXT _dmarc.mute.example': ['SILENCE'],
    'TXT s1._domainkey.list.example': [published],
    'TXT loop.example': ['v=spf1 include:loop.example -all'],
  });
});
afterAll(() => dns.close());

function message(from: string, more = ''): Buffer {
  return Buffer.from(
    `From: ${from}\r\nTo: b@penncloud.test\r\nSubject: Hello\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n${more}\r\nGood day.\r\n`,
  );
}
function keyOf(signingDomain: string) {
  const one = { signingDomain, selector: 's1', privateKey: keys.privateKey };
  return { ...one, signatureData: [one] };
}
async function signed(raw: Buffer, domain: string): Promise<Buffer> {
  const { signatures } = await dkimSign(raw, {
    ...keyOf(domain),
  });
  return Buffer.concat([Buffer.from(signatures), raw]);
}
function judge(raw: Buffer, peer: Peer = PEER, draw = 0) {
  const asking = new Authentication({
    resolvers: [dns.address],
    hostname: HOSTNAME,
    draw: () => draw,
    timeMs: 2_000,
  });
  return asking.judge(raw, readHeaderBlock(raw), peer);
}

describe('a sender\u2019s policy', () => {
  const from = (domain: string, peer: Peer = STRANGER) => ({
    raw: message(`x@${domain}`),
    peer: { ...peer, sender: `x@${domain}` },
  });
  it.each([
    ['RFC 7489 §6.3: p=reject, neither signed nor sent by its servers', from('strict.example'), 0, 'reject'],
    ['RFC 7489 §6.6.2: a server of its own (SPF) is enough', from('strict.example', PEER), 0, 'take'],
    ['RFC 7489 §6.3: p=quarantine', from('aside.example'), 0, 'quarantine'],
    ['RFC 7489 §6.3: p=none', from('watch.example'), 0, 'take'],
    ['RFC 7489 §6.6.4: within pct', from('half.example'), 0.4, 'reject'],
    ['RFC 7489 §6.6.4: beyond pct, one step milder', from('half.example'), 0.6, 'quarantine'],
    ['RFC 7489 §6.6.3: a subdomain without a record of its own', from('a.strict.example'), 0, 'reject'],
    ['no policy', from('nobody.example'), 0, 'take'],
    ['RFC 7489 §6.6.2: the policy cannot be had', from('away.example'), 0, 'take'],
    ['RFC 7489 §6.6.2: the SPF record cannot be had: it might have passed', from('slow.example'), 0, 'take'],
    ['the DNS is silent', from('mute.example'), 0, 'take'],
    ['RFC 7208 §4.6.4: a record that includes itself', from('loop.example'), 0, 'take'],
    [
      'RFC 7489 §6.6.1: several addresses in From',
      { raw: message('x@strict.example, y@nobody.example'), peer: STRANGER },
      0,
      'quarantine',
    ],
    [
      'RFC 5322 §3.6: two From fields',
      { raw: message('x@nobody.example', 'From: x@strict.example\r\n'), peer: STRANGER },
      0,
      'quarantine',
    ],
    ['no From at all', { raw: Buffer.from('Subject: x\r\n\r\nx\r\n'), peer: STRANGER }, 0, 'take'],
    ['garbage', { raw: Buffer.from([0, 13, 10, 255, 58, 58]), peer: STRANGER }, 0, 'take'],
  ] as const)('%s', async (_why, { raw, peer }, draw, disposition) => {
    expect((await judge(raw, peer, draw))?.disposition).toBe(disposition);
  });

  it('is met by a signature that a stranger\u2019s server hands on (RFC 6376, RFC 7489 §3.1.1)', async () => {
    const judged = await judge(await signed(message('x@strict.example'), 'strict.example'), STRANGER);
    expect(judged).toMatchObject({
      disposition: 'take',
      verdict: {
        spf: { outcome: 'fail' },
        signatures: [{ outcome: 'pass', domain: 'strict.example' }],
        dmarc: { outcome: 'pass', domain: 'strict.example' },
      },
    });
  });

  it('is not met by somebody else\u2019s signature, nor by one over other bytes (RFC 7489 §3.1)', async () => {
    const other = await judge(await signed(message('x@strict.example'), 'list.example'), STRANGER);
    expect(other).toMatchObject({
      disposition: 'reject',
      verdict: { signatures: [{ outcome: 'pass', domain: 'list.example' }] },
    });
    const whole = await signed(message('x@strict.example'), 'strict.example');
    const changed = Buffer.from(whole.toString('latin1').replace('Good day', 'Bad day!'), 'latin1');
    expect((await judge(changed, STRANGER))?.disposition).toBe('reject');
  });

  it('is not asked of this machine\u2019s own programs, and costs them no look-up', async () => {
    const before = dns.asked.length;
    expect(await judge(message('x@strict.example'), { ...PEER, address: '127.0.0.1' })).toBeUndefined();
    expect(dns.asked.length).toBe(before);
  });

  it('costs a bounded number of look-ups', async () => {
    const many = Array.from({ length: 500 }, () => 'DKIM-Signature: v=1; d=strict.example; s=s1; b=x; bh=y');
    const before = dns.asked.length;
    const raw = message('x@strict.example', `${many.join('\r\n')}\r\n`);
    expect((await judge(raw, STRANGER))?.disposition).toBe('reject');
    expect(dns.asked.length - before).toBeLessThanOrEqual(60);
  });
});

describe('what was found out', () => {
  const told = async (raw: Buffer, peer: Peer, folder = 'inbox') => {
    const { verdict } = (await judge(raw, peer))!;
    const kept = Buffer.concat([
      Buffer.from(verdictField(HOSTNAME, verdict)),
      Buffer.from('Received: from x\r\n'),
      raw,
    ]);
    const read = readVerdict(readHeaderBlock(kept), HOSTNAME)!;
    expect(read).toMatchObject({ spf: { outcome: verdict.spf.outcome }, dmarc: verdict.dmarc });
    return { read, words: verdictWords(read, folder)?.words };
  };

  it('is told in people\u2019s words', async () => {
    const plain = message('x@strict.example');
    const as = (from: string, peer: Peer) => ({ ...peer, sender: from });
    expect((await told(await signed(plain, 'strict.example'), PEER)).words).toBe('Signed by strict.example');
    expect((await told(plain, PEER)).words).toBe('Sent by a server of strict.example');
    const listed = await signed(message('x@nobody.example'), 'list.example');
    expect((await told(listed, as('x@nobody.example', STRANGER))).words).toBe(
      'Signed by list.example, not by nobody.example',
    );
    expect((await told(message('x@aside.example'), as('x@aside.example', STRANGER), 'spam')).words).toMatch(
      /^Could not be confirmed: aside.example asks to distrust/,
    );
    expect((await told(message('x@away.example'), as('x@away.example', STRANGER))).words).toMatch(
      /did not answer/,
    );
    expect((await told(message('x@nobody.example'), as('x@nobody.example', STRANGER))).words).toBe(
      'Could not be confirmed: its sender does not sign mail.',
    );
  });

  it('says whether the click that unsubscribes was signed (RFC 8058 §4)', async () => {
    const list =
      'List-Unsubscribe: <https://list.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n';
    const raw = message('x@list.example', list);
    const all = 'From:To:Subject:Date:List-Unsubscribe:List-Unsubscribe-Post';
    const sign = async (headerList: string) => {
      const { signatures } = await dkimSign(raw, {
        // A string, whatever its types say.
        headerList: headerList as unknown as string[],
        ...keyOf('list.example'),
      });
      return Buffer.concat([Buffer.from(signatures), raw]);
    };
    expect(isUnsubscribeSigned((await told(await sign(all), STRANGER)).read)).toBe(true);
    expect(isUnsubscribeSigned((await told(await sign('From:To:Subject:Date'), STRANGER)).read)).toBe(false);
  });

  it('is believed only where the intake writes it (RFC 8601 §5)', () => {
    const claim = `Authentication-Results: ${HOSTNAME}; dkim=pass header.d=bank.example`;
    const read = (...lines: string[]) =>
      readVerdict(readHeaderBlock(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)), HOSTNAME);
    expect(read(claim, 'Received: from x', 'From: a@b.example')).toBeDefined();
    expect(read('Received: from x', claim, 'From: a@b.example')).toBeUndefined();
    expect(read(claim, 'From: a@b.example')).toBeUndefined();
  });
});
