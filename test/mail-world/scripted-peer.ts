/**
 * A mail server of which a test decides every word: it answers each command by the script, or as a server that takes
 * everything would. What it took is what it ended with a 250.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

export type Taken = {
  readonly from: string;
  readonly to: readonly string[];
  readonly data: string;
  readonly isSecure: boolean;
};

/** What is written in answer to a command (its first word, in capitals; CONNECT and DATAEND too); undefined: as usual. */
export type Script = (
  verb: string,
  line: string,
  socket: Socket,
  session: number,
) => string | undefined | Promise<string | undefined>;

/** Nothing is said. */
export const SILENCE = '';

export type PeerOptions = {
  /** Besides SIZE-less ESMTP. */
  readonly offers?: readonly string[];
  /** The certificate, for STARTTLS; offered if given. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly port?: number;
  readonly host?: string;
};

export type ScriptedPeer = {
  readonly port: number;
  readonly taken: Taken[];
  /** Every line heard. */
  readonly heard: string[];
  sessions: number;
  stop(): Promise<void>;
};

export async function startPeer(
  script: Script = () => undefined,
  options: PeerOptions = {},
): Promise<ScriptedPeer> {
  const sockets = new Set<Socket>();
  const peer = { taken: [] as Taken[], heard: [] as string[], sessions: 0 };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    void converse(socket, ++peer.sessions, script, options, peer);
  });
  await new Promise<void>((resolve) =>
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve),
  );
  return Object.assign(peer, {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  });
}

async function converse(
  plain: Socket,
  session: number,
  script: Script,
  { offers = [], tls }: PeerOptions,
  peer: { taken: Taken[]; heard: string[] },
): Promise<void> {
  let socket = plain;
  let buffer = '';
  let isSecure = false;
  let isData = false;
  let envelope = { from: '', to: [] as string[] };
  let work = Promise.resolve();

  const say = async (verb: string, line: string, usual: string): Promise<string> => {
    const answer = (await script(verb, line, socket, session)) ?? usual;
    if (answer !== SILENCE && socket.writable) socket.write(answer + '\r\n');
    return answer;
  };
  const hear = async (line: string): Promise<void> => {
    const verb = line.split(/[ :]/)[0]!.toUpperCase();
    peer.heard.push(line);
    switch (verb) {
      case 'EHLO': {
        const list = ['peer.test', ...offers, ...(tls && !isSecure ? ['STARTTLS'] : [])];
        await say(
          verb,
          line,
          list.map((one, i) => `250${i < list.length - 1 ? '-' : ' '}${one}`).join('\r\n'),
        );
        return;
      }
      case 'STARTTLS': {
        const answer = await say(verb, line, '220 go ahead');
        if (answer.startsWith('220') && tls) {
          isSecure = true;
          plain.removeAllListeners('data');
          socket = new TLSSocket(plain, { isServer: true, ...tls });
          listen();
        }
        return;
      }
      case 'MAIL':
        envelope = { from: /<(.*?)>/.exec(line)?.[1] ?? '', to: [] };
        await say(verb, line, '250 ok');
        return;
      case 'RCPT': {
        const answer = await say(verb, line, '250 ok');
        if (answer.startsWith('2')) envelope.to.push(/<(.*?)>/.exec(line)?.[1] ?? '');
        return;
      }
      case 'DATA': {
        const answer = await say(verb, line, envelope.to.length > 0 ? '354 go on' : '503 no recipients');
        isData = answer.startsWith('354');
        return;
      }
      case 'QUIT':
        await say(verb, line, '221 bye');
        socket.end();
        return;
      default:
        await say(verb, line, '250 ok');
    }
  };
  const next = async (): Promise<void> => {
    for (;;) {
      if (isData) {
        const end = buffer.startsWith('.\r\n') ? 0 : buffer.indexOf('\r\n.\r\n') + 2;
        if (end < 2 && !buffer.startsWith('.\r\n')) return;
        const data = buffer.slice(0, end);
        buffer = buffer.slice(end + 3);
        isData = false;
        const answer = await say('DATAEND', data, '250 2.0.0 kept');
        if (answer.startsWith('250')) peer.taken.push({ ...envelope, data, isSecure });
        continue;
      }
      const end = buffer.indexOf('\r\n');
      if (end < 0) return;
      const line = buffer.slice(0, end);
      buffer = buffer.slice(end + 2);
      await hear(line);
    }
  };
  const listen = (): void => {
    socket.on('error', () => {});
    socket.on('data', (piece: Buffer) => {
      buffer += piece.toString('latin1');
      work = work.then(next);
    });
  };
  listen();
  await say('CONNECT', '', '220 peer.test ESMTP');
}
