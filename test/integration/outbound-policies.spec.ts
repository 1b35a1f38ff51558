/** Policies of other domains (MTA-STS), over real HTTPS, a real name server and scripted mail servers. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { afterEach, describe, expect, it } from 'vitest';
import { closeWorld, HASTY, HOME, peerOf, whileOpen, world } from '../mail-world/carrier-world.ts';
import type { Zone } from '../mail-world/name-server.ts';
import { SILENCE, type PeerOptions, type Script } from '../mail-world/scripted-peer.ts';

afterEach(closeWorld);

describe('a domain with a policy (MTA-STS, RFC 8461)', () => {
  const zone = (a = '127.0.0.1'): Zone => ({
    ...HOME,
    '_mta-sts.one.test': { txt: ['v=STSv1; id=1'] },
    'mta-sts.one.test': { a: [a] },
  });
  const policy = (mode: string, mx = 'mx.one.test') =>
    `version: STSv1\r\nmode: ${mode}\r\nmx: ${mx}\r\nmax_age: 86400\r\n`;
  /** Serves it over HTTPS with the certificate; its port. */
  async function policyHost(
    tls: { key: string; cert: string },
    text: string,
    serve: (response: ServerResponse) => void = (response) => response.end(text),
  ): Promise<number> {
    const server = createServer(tls, (_request, response) => serve(response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    whileOpen({
      stop: () => {
        server.close();
        server.closeAllConnections();
      },
    });
    return (server.address() as AddressInfo).port;
  }

  it('is reached over TLS with a certificate of the server’s name, or not at all', async () => {
    const good = await ownPair('mx.one.test', 'mta-sts.one.test');
    const other = await ownPair('elsewhere.test');
    const stsPort = await policyHost(good, policy('enforce'));
    const sent = async (options: PeerOptions, ca: string, script?: Script) => {
      const peer = await peerOf(script, options);
      const stages = script && { stages: HASTY };
      const { send } = await world({ zone: zone(), ca, stsPort, ...stages }, peer);
      return { verdict: (await send(['bob@one.test']))[0]!, taken: peer.taken };
    };
    const proven = await sent({ tls: good }, good.cert);
    expect(proven.verdict).toMatchObject({ outcome: 'delivered' });
    expect(proven.taken[0]!.isSecure).toBe(true);
    for (const options of [{}, { tls: other }]) {
      const { verdict, taken } = await sent(options, good.cert);
      expect(verdict).toMatchObject({ outcome: 'deferred', code: null });
      expect(taken).toEqual([]);
    }
    const broken: Script = (verb, _line, socket) =>
      verb === 'STARTTLS' ? (socket.write('220 go\r\nthis is no TLS\r\n'), SILENCE) : undefined;
    const unable: Script = (verb) => (verb === 'STARTTLS' ? '454 4.7.0 not now' : undefined);
    for (const script of [broken, unable]) {
      const { verdict, taken } = await sent({ tls: good }, good.cert, script);
      expect(verdict.outcome).toBe('deferred');
      expect(taken).toEqual([]);
    }
  });

  it('is reached at the servers that it names alone, and as anybody while it is only testing', async () => {
    const good = await ownPair('mx.one.test', 'mta-sts.one.test');
    const peer = await peerOf();
    const strict = await world(
      { zone: zone(), ca: good.cert, stsPort: await policyHost(good, policy('enforce', 'mx.two.test')) },
      peer,
    );
    expect((await strict.send(['bob@one.test']))[0]).toMatchObject({ outcome: 'deferred', status: '4.7.5' });
    expect(peer.sessions).toBe(0);
    const testing = await world(
      { zone: zone(), ca: good.cert, stsPort: await policyHost(good, policy('testing')) },
      peer,
    );
    expect((await testing.send(['bob@one.test']))[0]).toMatchObject({ outcome: 'delivered' });
  });

  const endless = (response: ServerResponse): void => {
    if (response.destroyed) return;
    response.write('mx: mx.two.test\r\n'.repeat(1000), () => endless(response));
  };
  it.each<[string, string, ((response: ServerResponse) => void)?]>([
    [
      'that leads elsewhere (RFC 8461 §3.3)',
      'mta-sts.one.test',
      (response) => response.writeHead(301, { location: '/other' }).end(policy('enforce', 'mx.two.test')),
    ],
    ['that does not end', 'mta-sts.one.test', endless],
    ['that is cut off', 'mta-sts.one.test', (response) => (response.write('version'), response.destroy())],
    [
      'that names no server',
      'mta-sts.one.test',
      (response) => response.end(policy('enforce').replace(/mx:.*/, '')),
    ],
    [
      'that names a thousand servers',
      'mta-sts.one.test',
      (response) =>
        response.end(
          policy('enforce', 'mx.two.test') +
            Array.from({ length: 1000 }, (_, i) => `mx: mx${i}.two.test\r\n`).join(''),
        ),
    ],
    ['of a host with a certificate of another name', 'elsewhere.test'],
    ['of a host with a wildcard one level too high', '*.test'],
  ])('is reached as if it had none by a file %s', async (_what, certified, serve) => {
    const certificate = await ownPair(certified);
    const stsPort = await policyHost(certificate, policy('enforce', 'mx.two.test'), serve);
    const peer = await peerOf();
    const { send } = await world({ zone: zone(), ca: certificate.cert, stsPort }, peer);
    expect((await send(['bob@one.test']))[0]).toMatchObject({ outcome: 'delivered' });
  });

  it('is found under its A-labels (RFC 8461 §3.1)', async () => {
    const good = await ownPair('mx.one.test', 'mta-sts.xn--d1acufc.test');
    const stsPort = await policyHost(good, policy('enforce', 'mx.two.test'));
    const names: Zone = {
      ...HOME,
      'xn--d1acufc.test': { mx: [[10, 'mx.one.test']] },
      '_mta-sts.xn--d1acufc.test': { txt: ['v=STSv1; id=1'] },
      'mta-sts.xn--d1acufc.test': { a: ['127.0.0.1'] },
    };
    const { send } = await world({ zone: names, ca: good.cert, stsPort }, await peerOf());
    expect((await send(['bob@\u0434\u043e\u043c\u0435\u043d.test']))[0]).toMatchObject({ status: '4.7.5' });
  });

  it('keeps it for as long as it said, whatever DNS says, also over a restart', async () => {
    const good = await ownPair('mx.one.test', 'mta-sts.one.test');
    const stsPort = await policyHost(good, policy('enforce'));
    const folder = mkdtempSync(join(tmpdir(), 'penncloud-sts-'));
    whileOpen({ stop: () => rmSync(folder, { recursive: true, force: true }) });
    const kept = { ca: good.cert, stsPort, stsFile: join(folder, 'mta-sts.json') };
    const honest = await peerOf(undefined, { tls: good });
    const before = await world({ zone: zone(), ...kept }, honest);
    expect((await before.send(['bob@one.test']))[0]).toMatchObject({ outcome: 'delivered' });
    const stripped = await peerOf();
    const after = await world({ zone: HOME, ...kept }, stripped);
    expect((await after.send(['bob@one.test']))[0]).toMatchObject({ outcome: 'deferred' });
    expect(stripped.taken).toEqual([]);
  });
});

/** A certificate of these names, signed by itself. */
async function ownPair(...names: string[]): Promise<{ key: string; cert: string }> {
  const made = await generate([{ name: 'commonName', value: names[0]! }], {
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: names.map((value) => ({ type: 2, value })) },
    ],
  });
  return { key: made.private, cert: made.cert };
}
