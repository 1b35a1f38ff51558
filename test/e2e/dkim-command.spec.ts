/** `penncloud dkim`: a key is made, told, published, seen, and signs; nothing needs to run for it. */
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signingKeyFolder } from '../../ops/processes/signing-key-folder.ts';
import { startNameServer, type NameServer, type Zone } from '../mail-world/name-server.ts';
import { runCli } from './cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'penncloud-dkim-'));
const keys = join(signingKeyFolder(folder), 'penncloud.test');
const zone: Zone = {};
let names: NameServer;

beforeAll(async () => {
  names = await startNameServer(zone);
});
afterAll(async () => {
  await names?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const dkim = async (...args: string[]) => {
  const environment = {
    PENNCLOUD_DATA: folder,
    PENNCLOUD_DOMAIN: 'penncloud.test,second.test',
    PENNCLOUD_DNS_RESOLVERS: names.address,
  };
  const { code, stdout, stderr } = await runCli(['dkim', ...args], { environment });
  return { code, out: stdout.toString(), stderr };
};
type Told = { name: string; type: string; value: string; isActive?: boolean; published?: string };
const told = async (...args: string[]): Promise<Told[]> =>
  JSON.parse((await dkim(...args, '--json')).out) as Told[];
const tag = (record: string, name: string) =>
  record
    .split('; ')
    .find((one) => one.startsWith(`${name}=`))!
    .slice(name.length + 1);

describe('a key for DKIM', () => {
  test('is made, and its record is that of its public part (RFC 6376 §3.6.1)', async () => {
    const [record] = await told('create', '--selector', 'first');
    expect(record).toMatchObject({
      name: 'first._domainkey.penncloud.test',
      type: 'TXT',
      isActive: false,
      published: 'missing',
    });
    const publicKey = createPublicKey({
      key: Buffer.from(tag(record!.value, 'p'), 'base64'),
      format: 'der',
      type: 'spki',
    });
    const made = readFileSync(join(keys, 'first.pem'));
    const text = Buffer.from('what is signed');
    expect(verify('sha256', text, publicKey, sign('sha256', text, made))).toBe(true);
  });

  test('may be of Ed25519 beside it (RFC 8463), whose selector of today says so', async () => {
    const [record] = (await told('create', '--algorithm', 'ed25519')).filter(({ value }) =>
      value.includes('k=ed25519'),
    );
    expect(record!.name).toMatch(/^pc\d{8}-ed25519\._domainkey\.penncloud\.test$/);
    expect(Buffer.from(tag(record!.value, 'p'), 'base64')).toHaveLength(32);
    const again = await dkim('create', '--algorithm', 'ed25519');
    expect([again.code, again.stderr]).toEqual([
      1,
      expect.stringContaining('name another one with --selector'),
    ]);
  });

  test('is printed as lines of a zone file, with what DNS says of it', async () => {
    const shown = (await dkim('show')).out;
    expect(shown).toMatch(/^first\._domainkey\.penncloud\.test\. IN TXT "v=DKIM1; k=rsa; p=[^"]{1,240}" "/m);
    expect(shown).toContain('not active; not published yet');
    const [record] = await told('show');
    zone[record!.name] = { txt: [record!.value] };
    expect((await told('show'))[0]).toMatchObject({ published: 'published', isActive: false });
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    const foreign = other.export({ type: 'spki', format: 'der' }).toString('base64');
    zone[record!.name] = { txt: [`v=DKIM1; k=rsa; p=${foreign}`] };
    expect((await told('show'))[0]).toMatchObject({ published: 'different' });
    zone[record!.name] = { fails: 2 };
    expect((await told('show'))[0]).toMatchObject({ published: 'unknown' });
  });

  test('signs from when the operator says so', async () => {
    const done = await dkim('activate', 'first');
    expect([done.code, done.out]).toEqual([0, 'The key first of penncloud.test signs within seconds.\n']);
    expect(existsSync(join(keys, 'first.active'))).toBe(true);
    expect((await told('show'))[0]).toMatchObject({ isActive: true });
  });

  test.each([
    [['create', '--selector', 'Not-A_Label'], 2, '--selector must be 1 to 63'],
    [['create', '--selector', 'first'], 1, 'has a key first already'],
    [['create', '--selector', 'earlier'], 2, '--selector must come after first'],
    [['create', '--algorithm', 'dsa'], 2, 'Allowed choices are rsa, ed25519'],
    [['create', '--domain', 'elsewhere.test'], 2, 'must be one that is served here'],
    [['show', '--domain', 'second.test'], 1, 'penncloud dkim create --domain second.test'],
    [['activate', 'none'], 1, 'has no key none; it has first'],
  ])('is refused what cannot be: %j', async (args, code, words) => {
    const before = readdirSync(keys);
    const refused = await dkim(...args);
    expect([refused.code, refused.stderr]).toEqual([code, expect.stringContaining(words)]);
    expect(readdirSync(keys)).toEqual(before);
  });
});
