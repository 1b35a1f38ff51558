/** Stands between a client and an etcd member: loses answers to transactions, or holds transactions back. */
import { once } from 'node:events';
import { createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type EtcdWire = Awaited<ReturnType<typeof openWire>>;

/** `to`: the member's client URL. */
export async function openWire(to: string) {
  let toLose = 0;
  let held: (() => Promise<void>)[] | undefined;

  async function forward(path: string, body: Buffer, answer: ServerResponse | undefined): Promise<void> {
    const outgoing = send(new URL(path, to), { method: 'POST', headers: { 'content-length': body.length } });
    outgoing.on('error', () => answer?.destroy());
    outgoing.end(body);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    if (!answer) return void (await bytesOf(incoming));
    answer.writeHead(incoming.statusCode!, { 'content-type': 'application/json' });
    incoming.pipe(answer);
    answer.on('close', () => incoming.destroy());
  }

  const server = createServer((incoming, answer) => {
    void (async () => {
      const body = await bytesOf(incoming);
      const path = incoming.url!;
      const isTransaction = path === '/v3/kv/txn';
      if (isTransaction && held) return void held.push(() => forward(path, body, undefined));
      if (!isTransaction || toLose === 0) return forward(path, body, answer);
      toLose--;
      await forward(path, body, undefined);
      answer.destroy();
    })().catch(() => answer.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Of the next transactions: carried out, and never answered. */
    loseAnswers: (count: number) => (toLose = count),
    /** From now on none is carried out. */
    holdTransactions: () => (held = []),
    /** Those that were held are carried out now, unanswered, and later ones at once. Resolves with how many. */
    async release(): Promise<number> {
      const late = held ?? [];
      held = undefined;
      for (const carryOut of late) await carryOut();
      return late.length;
    },
    async close(): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of message as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces);
}
