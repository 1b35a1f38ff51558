/** The certificate of the mail ports is that of its files, without a restart; whoever is there stays. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { renewCertificate } from '../../../gateways/http/certificate.ts';
import { ownCertificate } from '../../../gateways/smtp/session/own-certificate.ts';
import { SmtpClient } from '../../e2e/smtp-client.ts';
import { openDoors, type Doors } from './doors.ts';

let doors: Doors;
let folder: string;
let renewal: ReturnType<typeof renewCertificate>;
let told: string[];

const write = async (name: string): Promise<void> => {
  const { key, cert } = await ownCertificate(name, Date.now());
  writeFileSync(join(folder, 'key.pem'), key);
  writeFileSync(join(folder, 'cert.pem'), cert);
};
const nameByTls = async (): Promise<unknown> => {
  const socket = connectTls({ port: doors.submissionTls.port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const name = socket.getPeerCertificate().subject.CN;
  socket.destroy();
  return name;
};
const nameByStartTls = async (port: number): Promise<unknown> => {
  const plain = doors.with(await SmtpClient.connect(port));
  await plain.say('STARTTLS\r\n');
  const client = doors.with(await plain.startTls());
  return client.certificateName;
};

beforeEach(async () => {
  doors = await openDoors();
  folder = mkdtempSync(join(tmpdir(), 'penncloud-certificate-'));
  await write('first.test');
  told = [];
  renewal = renewCertificate(
    (certificate) => {
      for (const door of [doors.intake, doors.submission, doors.submissionTls])
        door.useCertificate(certificate);
    },
    { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') },
    { info: () => void told.push('renewed'), error: () => void told.push('kept') },
  );
});
afterEach(async () => {
  renewal.close();
  await doors.close();
  rmSync(folder, { recursive: true, force: true });
});

it('is shown on all three ports once its files have changed, and who is logged in goes on', async () => {
  const before = await doors.loggedIn('alice');
  for (const name of ['second.test', 'third.test']) {
    await write(name);
    renewal.renew();
    expect(await nameByTls()).toBe(name);
    expect(await nameByStartTls(doors.intake.port)).toBe(name);
    expect(await nameByStartTls(doors.submission.port)).toBe(name);
  }
  expect((await before.say('NOOP\r\n')).code).toBe(250);
});

it('stays the one before while the files do not fit together', async () => {
  renewal.renew();
  writeFileSync(join(folder, 'key.pem'), (await ownCertificate('other.test', Date.now())).key);
  renewal.renew();
  expect([told[0], told.at(-1)]).toEqual(['renewed', 'kept']);
  expect(await nameByTls()).toBe('first.test');
});
