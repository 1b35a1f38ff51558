/**
 * What was sent with a time goes out once, and what was taken back never does, though the gateway that took it
 * and the node that leads its tablet are killed in between, and no browser stays; and somebody who is away answers
 * it once. On a whole cluster.
 */
import { expect, it } from 'vitest';
import { accountStream } from '../../domain/streams.ts';
import { clusterForAll, until } from './cluster.ts';
import { HttpPerson } from './http-person.ts';

const PASSWORD = 'correct horse battery';
const SECOND = 1000;
const its = clusterForAll();

async function primaryOf(row: string): Promise<string> {
  const tablets = await its.store.tablets();
  return tablets.find(({ from, to }) => row >= from && (to === null || row < to))!.primary;
}

async function person(gateway: string, username: string): Promise<HttpPerson> {
  const someone = new HttpPerson();
  const answer = await someone.submit(`${gateway}/signup`, '/signup', { username, password: PASSWORD });
  expect(answer.status).toBe(303);
  return someone;
}

/** How often a list shows this subject. */
async function times(reader: HttpPerson, list: string, subject: string): Promise<number> {
  return (await reader.get(list)).body.split(`>${subject}<`).length - 1;
}

/** As a form for "send later" writes it, to the second. */
function at(ms: number): Record<string, string> {
  return { action: 'later', at: new Date(ms).toISOString().slice(0, 19), offset: '+00:00' };
}

it(
  'a message is delivered once, or never if it was taken back, whoever is killed',
  { timeout: 180_000 },
  async () => {
    const [one, two] = its.cluster.gateways as [string, string];
    const [ann, ben] = [await person(one, 'once-ann'), await person(one, 'once-ben')];
    const absence = { on: 'yes', text: 'Away.', contactsOnly: '' };
    const away = await ben.submit(`${one}/mail/out-of-office`, '/mail/out-of-office', absence);
    expect(away.location).toMatch(/done=awayOn/);
    const send = (gateway: string, subject: string, how: Record<string, string>) =>
      ann.submit(`${gateway}/mail/compose`, '/mail/compose', {
        to: 'once-ben@penncloud.test',
        subject,
        text: 'A few words.',
        ...how,
      });
    const start = Date.now();
    const never = await send(one, 'Never', at(start + 20 * SECOND));
    const once = await send(one, 'Once', { action: 'send' });
    const after = await send(one, 'After', at(start + 27 * SECOND));
    expect([never, once, after].map(({ status }) => status)).toEqual([303, 303, 303]);

    const [annNode, benNode] = [
      await primaryOf(accountStream('once-ann')),
      await primaryOf(accountStream('once-ben')),
    ];
    const nodeBefore = await its.cluster.kill(annNode);
    const gatewayBefore = await its.cluster.kill('gateway-1');

    const undo = new URL(never.location!, two);
    const back = await ann.submit(undo.href, '/undo', {});
    expect(back.location).toMatch(/\/mail\/compose\?draft=[a-z2-7]{26}&done=back/);
    expect(Date.now() - start, 'taken back before its time').toBeLessThan(20 * SECOND);

    await its.cluster.restarted('gateway-1', gatewayBefore);
    await its.cluster.restarted(annNode, nodeBefore);
    await until('the first has come', async () => (await times(ben, `${two}/mail/inbox`, 'Once')) > 0);
    if (benNode !== annNode) await its.cluster.kill(benNode);
    await until('the last is due', async () => (await times(ann, `${two}/mail/sent`, 'After')) > 0);
    await until('the last has come', async () => (await times(ben, `${two}/mail/inbox`, 'After')) > 0);

    const answers = async (reader: HttpPerson) =>
      (await reader.get(`${two}/mail/inbox`)).body.split('>Auto: ').length - 1;
    const seen = async (reader: HttpPerson, folder: string) =>
      Promise.all(
        ['Once', 'Never', 'After'].map((subject) => times(reader, `${two}/mail/${folder}`, subject)),
      );
    expect(await seen(ben, 'inbox')).toEqual([1, 0, 1]);
    expect(await seen(ann, 'sent')).toEqual([1, 0, 1]);
    expect(await seen(ann, 'outbox')).toEqual([0, 0, 0]);
    expect(await seen(ann, 'drafts')).toEqual([0, 1, 0]);
    await until('ben has answered', async () => (await answers(ann)) > 0);
    expect(await answers(ann)).toBe(1);
    const verified = await its.cluster.cli(['replay', '--verify']);
    expect(verified, `${verified.stdout}\n${verified.stderr}`).toMatchObject({ code: 0 });
  },
);
