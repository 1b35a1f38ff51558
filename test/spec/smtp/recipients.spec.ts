import { beforeEach, describe, expect, it } from 'vitest';
import { Postmaster } from '../../../gateways/postmaster/postmaster.ts';
import { Recipients } from '../../../gateways/smtp/session/recipients.ts';
import { AccountsInMemory } from './accounts-in-memory.ts';

let store: AccountsInMemory;
let recipients: Recipients;
let now: number;

beforeEach(() => {
  [store, now] = [new AccountsInMemory('alice'), 0];
  const postmaster = new Postmaster({ store, logger: { error() {} } });
  recipients = new Recipients({ store, domains: ['penncloud.test'], postmaster, now: () => now });
});

describe('a recipient', () => {
  it('that was found is not asked for again in the next seconds', async () => {
    expect(await recipients.find('alice@penncloud.test')).toBe('alice');
    store.reachable = false;
    now = 4_999;
    expect(await recipients.find('Alice+lists@PennCloud.test')).toBe('alice');
  });

  it('that was deleted is refused then', async () => {
    await recipients.find('alice@penncloud.test');
    store.remove('alice');
    now = 5_000;
    await expect(recipients.find('alice@penncloud.test')).rejects.toMatchObject({ responseCode: 550 });
  });

  it('that was not there is taken as soon as it is', async () => {
    await expect(recipients.find('bob@penncloud.test')).rejects.toMatchObject({ responseCode: 550 });
    store.add('bob');
    expect(await recipients.find('bob@penncloud.test')).toBe('bob');
  });
});
