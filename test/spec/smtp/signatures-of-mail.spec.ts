/** What leaves is signed with the keys of its From's domain that are known to be in DNS; mailauth verifies it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dkimFields, type Algorithm } from '../../../gateways/smtp/outbound/signing/dkim-fields.ts';
import { publicationOf } from '../../../gateways/smtp/outbound/signing/published-keys.ts';
import { Signer } from '../../../gateways/smtp/outbound/signing/signer.ts';
import {
  activate,
  keyRecord,
  makeSigningKey,
  signingKeys,
  type SigningKey,
} from '../../../gateways/smtp/outbound/signing/signing-keys.ts';

const DOMAIN = 'penncloud.test';
const MESSAGE = Buffer.from('From: Ann <ann@penncloud.test>\r\nSubject: hello\r\n\r\nA message.\r\n');

let folder: string;
let dns: Map<string, string[][]>;
let asked: string[];
const resolver = {
  async resolveTxt(name: string) {
    asked.push(name);
    const found = dns.get(name);
    if (found === undefined) throw Object.assign(new Error(name), { code: 'ENOTFOUND' });
    return found;
  },
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penncloud-dkim-'));
  dns = new Map();
  asked = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const made = (selector: string, algorithm: Algorithm = 'rsa') =>
  makeSigningKey(folder, DOMAIN, selector, algorithm);
const publish = (key: SigningKey) => {
  const { name, text } = keyRecord(key);
  // As two strings, which is how a long one must be written (RFC 1035 §3.3.14).
  dns.set(name, [[text.slice(0, 100), text.slice(100)]]);
};
const signer = () => new Signer({ folder, domains: [DOMAIN], resolver, logger: pino({ level: 'silent' }) });
const selectorsIn = (fields: Buffer) =>
  [...fields.toString().matchAll(/\bs=([a-z0-9-]+)/g)].map((one) => one[1]);

async function verdicts(message: Buffer): Promise<string[]> {
  const options = { resolver: async (name: string) => resolver.resolveTxt(name) };
  const { results } = await dkimVerify(message, options as never);
  return results.map((one) => `${(one as unknown as { algo: string }).algo} ${one.status.result}`);
}

describe('a signature', () => {
  const bodies: [string, string][] = [
    ['an empty body', ''],
    ['blank lines at its end', 'a\r\n\r\n\r\n'],
    ['no line end at its end', 'a'],
    ['white space', 'a \t b  \r\n\t\r\n c\t\r\n'],
    ['lines without CR', 'a\nb \n\n'],
    ['bytes beyond ASCII', 'gr\u00fc\u00dfe\r\n'],
    ['more than is read at once', 'x '.repeat(70_000) + '\r\n'],
  ];

  it.each(bodies)('is verified over %s, by those who know RSA alone and by others', async (_what, body) => {
    const keys = [await made('one'), await made('two', 'ed25519')];
    keys.forEach(publish);
    const head = 'from: ann@penncloud.test\r\nTo: bob@one.test,\r\n\teve@two.test\r\nSubject:  a   b\r\n\r\n';
    const message = Buffer.from(head + body);
    const fields = await dkimFields(message, keys, new Date());
    const both = ['ed25519-sha256 pass', 'rsa-sha256 pass'];
    expect((await verdicts(Buffer.concat([fields, message]))).sort()).toEqual(both);
    const changed = Buffer.concat([fields, Buffer.from(head), Buffer.from(`more ${body}`)]);
    expect((await verdicts(changed)).some((one) => one.endsWith('pass'))).toBe(false);
  });

  it('does not hold for a message to which a second From was added', async () => {
    const key = await made('one');
    publish(key);
    const fields = await dkimFields(MESSAGE, [key], new Date());
    expect(await verdicts(Buffer.concat([fields, MESSAGE]))).toEqual(['rsa-sha256 pass']);
    const forged = Buffer.concat([Buffer.from('From: eve@penncloud.test\r\n'), fields, MESSAGE]);
    expect(await verdicts(forged)).toEqual(['rsa-sha256 fail']);
  });

  it('is given to mail from a domain of ours alone', async () => {
    await activate(folder, await made('one'));
    const one = signer();
    expect((await one.fieldsFor(MESSAGE)).length).toBeGreaterThan(0);
    for (const from of ['ann@elsewhere.test', 'ann@penncloud.test, eve@penncloud.test', ''])
      expect(await one.fieldsFor(Buffer.from(`From: ${from}\r\n\r\nA message.\r\n`))).toEqual(
        Buffer.alloc(0),
      );
  });
});

describe('a new key', () => {
  it('signs once its record is in DNS, and then for good; until then the one before it goes on', async () => {
    await activate(folder, await made('a'));
    const key = await made('b');
    expect(selectorsIn(await signer().fieldsFor(MESSAGE))).toEqual(['a']);
    publish(key);
    expect(selectorsIn(await signer().fieldsFor(MESSAGE))).toEqual(['b']);
    expect((await signingKeys(folder, DOMAIN)).map(({ isActive }) => isActive)).toEqual([true, true]);
    dns.clear();
    expect(selectorsIn(await signer().fieldsFor(MESSAGE))).toEqual(['b']);
  });

  it('is not looked up for each message', async () => {
    await made('a');
    const one = signer();
    for (let i = 0; i < 5; i++) expect(await one.fieldsFor(MESSAGE)).toEqual(Buffer.alloc(0));
    expect(asked).toEqual(['a._domainkey.penncloud.test']);
  });

  it('signs at once where the operator says so', async () => {
    await activate(folder, await made('a'));
    expect(selectorsIn(await signer().fieldsFor(MESSAGE))).toEqual(['a']);
    expect(asked).toEqual([]);
  });

  it('of another kind signs beside the one there is', async () => {
    await activate(folder, await made('a'));
    await activate(folder, await made('b', 'ed25519'));
    expect(selectorsIn(await signer().fieldsFor(MESSAGE))).toEqual(['a', 'b']);
  });

  it('is published where every record of its name holds it, however that is written', async () => {
    const key = await made('a');
    const other = keyRecord(await made('b')).text;
    const { name, text } = keyRecord(key);
    const says = async (records: string[][]) => {
      dns.set(name, records);
      return publicationOf(key, resolver);
    };
    expect(await says([[text]])).toBe('published');
    expect(await says([[text.replace('k=rsa; ', '').replace(/(.{60})$/, ' $1 ;t=s')]])).toBe('published');
    expect(await says([[other]])).toBe('different');
    expect(await says([[text], [other]])).toBe('different');
    expect(await says([['v=DKIM1; p=']])).toBe('different');
    dns.clear();
    expect(await publicationOf(key, resolver)).toBe('missing');
    const broken = { resolveTxt: () => Promise.reject(Object.assign(new Error(), { code: 'ESERVFAIL' })) };
    expect(await publicationOf(key, broken)).toBe('unknown');
  });
});
