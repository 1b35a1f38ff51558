/** The live stream of a page, over a real socket. That new mail appears is seen in the walk through a whole cluster. */
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openHouse, type House } from './pages-house.ts';
import type { Visitor } from './visitor.ts';

let house: House;
let base: string;
let visitor: Visitor;

beforeAll(async () => {
  house = await openHouse();
  visitor = await house.person('lively');
  await house.gateways[0].listen({ port: 0, host: '127.0.0.1' });
  base = `http://127.0.0.1:${(house.gateways[0].server.address() as AddressInfo).port}`;
});
afterAll(() => house?.close());

const cookie = () => [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ');

describe('the live stream', () => {
  test('is not for visitors, who are told to stay away', async () => {
    expect((await fetch(`${base}/live`)).status).toBe(204);
  });

  test('opens for an account, does not count as load, and ends with its gateway', async () => {
    const answer = await fetch(`${base}/live`, { headers: { cookie: cookie() } });
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const reader = answer.body!.getReader();
    const { value } = await reader.read();
    expect(Buffer.from(value!).toString()).toBe('retry: 2000\n\n');
    expect(house.gateways[0].load()).toBe(0);
    const hello = await reader.read();
    expect(Buffer.from(hello.value!).toString()).toMatch(/^event: hello\ndata: t\d+:\d+\n\n$/);
    const [, end] = await Promise.all([house.gateways[0].close(), reader.read()]);
    expect(end.done).toBe(true);
  });
});
