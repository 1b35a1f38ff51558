/** AC-1: what guards an account, on a whole cluster: over killed gateways, by the command line, and for mail. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Authenticator, recoveryCodesOn } from './authenticator.ts';
import { startCluster, until, type Cluster } from './cluster.ts';
import { HttpPerson } from './http-person.ts';
import { SmtpClient } from './smtp-client.ts';
import { formOn } from './visitor.ts';

const PASSWORD = 'correct horse battery';
const NEW_PASSWORD = 'battery staple horse';

let cluster: Cluster;
let gateways: readonly [string, string];
let phone: Authenticator;
const ada = new HttpPerson();

beforeAll(async () => {
  cluster = await startCluster();
  gateways = [cluster.gateways[0]!, cluster.gateways[1]!];
});
afterAll(async () => {
  await cluster?.stop();
});

describe('an account with two-step log-in', () => {
  test('is set up on one gateway and turned on through another', async () => {
    const account = { username: 'ada', password: PASSWORD, displayName: '' };
    expect((await ada.submit(`${gateways[0]}/signup`, '/signup', account)).status).toBe(303);
    const page = await ada.get(`${gateways[0]}/account/two-step/set-up`);
    phone = new Authenticator(page);
    const { sealed } = formOn(page, '/account/two-step/set-up');
    const fields = { sealed: sealed!, code: phone.next(), current: PASSWORD };
    const on = await ada.submit(`${gateways[1]}/account/two-step/set-up`, '/account/two-step/set-up', fields);
    expect([on.status, recoveryCodesOn(on).length]).toEqual([200, 10]);
    const listed = await cluster.cli(['user', 'list', '--json']);
    expect(JSON.parse(listed.stdout.toString())).toMatchObject([{ name: 'ada', hasSecondFactor: true }]);
  });

  test('stays locked when the gateway that saw the guesses is killed', async () => {
    const guesser = new HttpPerson();
    expect((await guesser.logIn(gateways[0], 'ada', PASSWORD)).location).toBe('/login/code');
    const guess = (gateway: string, code: string) =>
      guesser.submit(`${gateway}/login/code`, '/login/code', { code });
    for (let n = 0; n < 10; n++) expect((await guess(gateways[0], phone.wrong())).status).toBe(401);
    // The last failures are told beside the answer: the other gateway, which saw none, knows when they are.
    await until(
      'the account is locked',
      async () => (await guess(gateways[1], phone.wrong())).status === 429 || undefined,
    );
    const killed = await cluster.kill('gateway-1');
    await cluster.restarted('gateway-1', killed);
    const right = phone.next();
    const late = await until('the gateway answers again', () =>
      guess(gateways[0], right).catch(() => undefined),
    );
    expect([late.status, late.body]).toEqual([
      429,
      expect.stringMatching(/Too many wrong codes: try again in [3-5] min/),
    ]);
    // Who was in stays in.
    expect((await ada.get(`${gateways[1]}/account`)).status).toBe(200);
  });

  test('is opened again by the operator, who also ends its sessions', async () => {
    const passwd = ['user', 'passwd', 'ada', '--without-second-step', '--password-stdin'];
    expect((await cluster.cli(passwd, NEW_PASSWORD)).stdout.toString()).toBe(
      'The password of ada is changed, and every session is ended.\nTwo-step log-in of ada is off.\n',
    );
    expect((await ada.get(`${gateways[1]}/account`)).status).toBe(303);
    expect((await ada.logIn(gateways[1], 'ada', NEW_PASSWORD)).location).toBe('/');
  });
});

describe('an account that is deleted', () => {
  test('gets no more mail: 550; and is not listed', async () => {
    const receive = async (): Promise<string> => {
      const client = await SmtpClient.connect(cluster.smtp.port);
      const message = Buffer.from('Subject: Hello\r\n\r\nx\r\n');
      const { text } = await client.send('someone@example.org', ['ada@localhost'], message);
      await client.quit();
      return text;
    };
    expect(await receive()).toMatch(/^250/);
    const deleted = await ada.submit(`${gateways[1]}/account/delete`, '/account/delete', {
      current: NEW_PASSWORD,
    });
    expect(deleted.location).toBe('/?deleted=1');
    expect(await receive()).toMatch(/^550 5\.1\.1/);
    expect((await cluster.cli(['user', 'list', '--json'])).stdout.toString().trim()).toBe('[]');
    expect(await cluster.cli(['user', 'add', 'ada'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/taken/),
    });
  });

  test('leaves copies that agree with their logs', async () => {
    const { code, stderr } = await cluster.cli(['replay', '--verify', '--json']);
    expect(code, stderr).toBe(0);
  });
});
