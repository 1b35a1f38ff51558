/**
 * One address for everything, over HTTPS, on a real cluster: the front door carries what people send and get, while
 * gateways die and leave behind it, and while its certificate is renewed. FE-2, FE-3.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isAlive, startCluster, until, type Cluster } from './cluster.ts';
import { curl } from './curl.ts';
import { ownAuthority, type OwnAuthority } from './own-authority.ts';
import { restartInTurn, startLoad } from './rolling-restart.ts';
import { formOn, linksOn } from './visitor.ts';

const IDS = ['gateway-1', 'gateway-2'] as const;

let authority: OwnAuthority;
let cluster: Cluster;
let jars: string;
/** A browser's cookies, kept by curl. */
let as: string[];
const trust = () => ['--cacert', authority.certFile, '--max-time', '60'];

beforeAll(async () => {
  authority = await ownAuthority();
  jars = mkdtempSync(join(tmpdir(), 'penncloud-jar-'));
  cluster = await startCluster({
    environment: {
      PENNCLOUD_FRONT_DOOR: 'proxy',
      PENNCLOUD_TLS_CERT_FILE: authority.certFile,
      PENNCLOUD_TLS_KEY_FILE: authority.keyFile,
    },
  });
  as = [...trust(), '--cookie-jar', join(jars, 'ann'), '--cookie', join(jars, 'ann')];
});
afterAll(async () => {
  await cluster?.stop();
  authority?.remove();
  rmSync(jars, { recursive: true, force: true });
});

const page = async (path: string) => ({ body: String((await curl([...as, cluster.frontDoor + path])).body) });

describe('behind one name', () => {
  test('people sign up and stay at the address that they know', async () => {
    expect(cluster.frontDoor).toMatch(/^https:\/\/localhost:/);
    expect(cluster.output()).toContain(`PennCloud is ready at ${cluster.frontDoor}`);
    const form = formOn(await page('/signup'), '/signup');
    const body = new URLSearchParams({ ...form, username: 'ann', password: 'correct horse battery' });
    // As a browser does: it says where the form came from.
    const told = await curl([
      ...[...as, '-H', `Origin: ${cluster.frontDoor}`, '--data', body.toString()],
      `${cluster.frontDoor}/signup`,
    ]);
    expect([told.status, new URL(told.headers['location']!, cluster.frontDoor).origin]).toEqual([
      ...[303, cluster.frontDoor],
    ]);
    expect(told.headers['set-cookie']).toMatch(/__Host-pc_session=[^;]+;.*Secure/);
    expect(told.headers['strict-transport-security']).toMatch(/max-age=\d{7}/);
    expect((await page('/mail/inbox')).body).toContain('Log out');
  });

  test('a form from another site is refused', async () => {
    const form = formOn(await page('/account'), '/logout');
    const told = await curl([
      ...[...as, '-H', 'Origin: https://evil.example', '--data', new URLSearchParams(form).toString()],
      `${cluster.frontDoor}/logout`,
    ]);
    expect(told.status).toBe(403);
  });

  test('gateways take nothing but what is on this machine', async () => {
    const { stdout } = await cluster.cli(['status', '--json']);
    expect(JSON.parse(String(stdout))).toMatchObject({ alarms: [] });
    for (const gateway of cluster.gateways) expect(gateway).toMatch(/^http:\/\/localhost:/);
  });

  test('limits count each client, and not the front door', async () => {
    const guesses = `${cluster.frontDoor}/admin/enter?token=a-guess-of-some-length-[1-80]`;
    const from = async (address: string) => {
      const told = await curl([
        ...[
          ...trust(),
          '--interface',
          address,
          '--output',
          '/dev/null',
          '--write-out',
          '%{http_code} ',
          guesses,
        ],
      ]);
      return String(told.body).trim().split(' ');
    };
    // Each gateway counts for itself.
    expect((await from('127.0.0.2')).slice(-10)).toEqual(Array(10).fill('429'));
    expect((await from('127.0.0.3')).slice(0, 10)).not.toContain('429');
  });

  test('large files go up and come down whole, and in pieces', async () => {
    const bytes = randomBytes(12 * 1024 * 1024);
    const form = Object.entries(formOn(await page('/drive'), '/drive/upload'));
    const fields = form.flatMap(([name, value]) => ['--form-string', `${name}=${value}`]);
    const sent = [...fields, '--form', 'file=@-;filename=large.bin', `${cluster.frontDoor}/drive/upload`];
    expect((await curl([...as, ...sent], bytes)).statuses).toEqual([100, 303]);
    const file = cluster.frontDoor + linksOn(await page('/drive'), /^\/drive\/file\//)[0]!;
    const whole = await curl([...as, file]);
    expect(whole.body.equals(bytes)).toBe(true);
    const piece = await curl([
      ...as,
      '--range',
      '1000000-1999999',
      '-H',
      `If-Range: ${whole.headers['etag']}`,
      file,
    ]);
    expect([piece.status, piece.body.equals(bytes.subarray(1_000_000, 2_000_000))]).toEqual([206, true]);
  });

  test('live pages hear at once', async () => {
    const live = curl([...as, '--max-time', '3', '--no-buffer', `${cluster.frontDoor}/live`]);
    const form = formOn(await page('/mail/compose'), '/mail/compose');
    const message = new URLSearchParams({ ...form, to: 'ann@penncloud.test', subject: 'Hello', body: 'x' });
    await curl([...as, '--data', message.toString(), `${cluster.frontDoor}/mail/compose`]);
    const told = await live;
    expect(told.headers['content-type']).toMatch(/^text\/event-stream/);
    expect(String(told.body)).toMatch(/event: changed/);
  });
});

/** Asked behind the front door: there it speaks HTTP, to this machine alone. */
const serves = async (id: (typeof IDS)[number]) =>
  (await curl([`${cluster.gateways[IDS.indexOf(id)]}/healthz`])).status === 200;

test('a gateway that dies is nothing that people see', async () => {
  const load = startLoad(cluster.frontDoor, loadOptions());
  const before = await cluster.kill('gateway-1');
  await cluster.restarted('gateway-1', before);
  await until('it serves again', () => serves('gateway-1'));
  const { failures, answered } = await load.stop();
  expect(failures).toEqual([]);
  expect(answered).toBeGreaterThan(5);
  expect((await page('/mail/inbox')).body).toContain('Log out');
});

test('nor are gateways that are asked to stop one after the other', async () => {
  const load = startLoad(cluster.frontDoor, loadOptions());
  await restartInTurn(
    cluster,
    IDS.map((id) => ({ id, serves: () => serves(id) })),
  );
  const { failures, answered } = await load.stop();
  expect(failures).toEqual([]);
  expect(answered).toBeGreaterThan(10);
});

const loadOptions = () => ({
  trust: authority.certFile,
  certificate: readFileSync(authority.certFile, 'utf8'),
});

/** What a port shows who comes now. */
const shownAt = async (port: number): Promise<string> => {
  const socket = connectTls({ host: 'localhost', port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
};

test('a renewed certificate is shown to who comes next, on the mail ports too, and open connections stay', async () => {
  const mailPort = cluster.submission.implicitTls;
  const place = {
    host: 'localhost',
    port: Number(new URL(cluster.frontDoor).port),
    rejectUnauthorized: false,
  };
  const shownNow = () => shownAt(place.port);
  const ask = async (socket: TLSSocket): Promise<string> => {
    socket.write('GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [piece] = (await once(socket, 'data')) as [Buffer];
    return piece.toString().slice(0, 12);
  };
  const open = connectTls(place);
  await once(open, 'secureConnect');
  expect(await ask(open)).toBe('HTTP/1.1 303');
  const before = await shownNow();
  expect(await shownAt(mailPort)).toBe(before);
  // The files alone tell it; a moment in which only one of them is new does no harm.
  await authority.renew();
  await until('the new one is shown', async () => (await shownNow()) !== before);
  await until('mail clients see it', async () => (await shownAt(mailPort)) === (await shownNow()));
  expect(await ask(open)).toBe('HTTP/1.1 303');
  open.destroy();

  // Half a renewal: the key of another certificate. The one before goes on.
  const now = await shownNow();
  const other = await ownAuthority();
  renameSync(other.keyFile, authority.keyFile);
  other.remove();
  for (const [id, port] of [
    ['front-door', place.port],
    ['smtp-in', mailPort],
  ] as const) {
    const pid = cluster.pid(id);
    process.kill(pid, 'SIGHUP');
    const log = join(cluster.dataFolder, 'logs', `${id}.log`);
    await until('it is logged', () => readFileSync(log, 'utf8').includes('the certificate is not renewed'));
    expect([await shownAt(port), isAlive(pid)]).toEqual([now, true]);
  }
});
