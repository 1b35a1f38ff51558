/** A carrier between scripted servers and a name server of the test's own; all of it ends with `closeWorld`. */
import { Carrier } from '../../gateways/smtp/outbound/transport/carrier.ts';
import type { Stages } from '../../gateways/smtp/outbound/transport/session.ts';
import { startNameServer, type NameServer, type Zone } from './name-server.ts';
import { startPeer, type PeerOptions, type ScriptedPeer, type Script } from './scripted-peer.ts';

export const MESSAGE = 'From: ann@penncloud.test\r\nSubject: hello\r\n\r\n.a line that begins with a dot\r\n';
/** Short where nothing is to be waited for. */
const QUICK: Stages = { connect: 2000, greeting: 2000, envelope: 2000, silence: 2000, answer: 2000 };
export const HASTY: Stages = { connect: 300, greeting: 300, envelope: 300, silence: 300, answer: 300 };
export const HOME: Zone = {
  'one.test': { mx: [[10, 'mx.one.test']] },
  'mx.one.test': { a: ['127.0.0.1'] },
};

const open: { stop(): unknown }[] = [];
export async function closeWorld(): Promise<void> {
  for (const one of open.splice(0).reverse()) await one.stop();
}

/** Ends with the world. */
export function whileOpen(one: { stop(): unknown }): void {
  open.push(one);
}

async function names(zone: Zone): Promise<NameServer> {
  const server = await startNameServer(zone);
  open.push(server);
  return server;
}

export async function peerOf(script?: Script, options?: PeerOptions): Promise<ScriptedPeer> {
  const peer = await startPeer(script, options);
  open.push(peer);
  return peer;
}

export async function world(
  setting: {
    zone?: Zone;
    stages?: Stages;
    isPrivateAllowed?: boolean;
    perDomain?: number;
    perSecond?: number;
    inAll?: number;
    queryMs?: number;
    ownPort?: number;
    ca?: string;
    stsPort?: number;
    stsFile?: string;
  } = {},
  peer?: ScriptedPeer,
) {
  const {
    zone = HOME,
    stages = QUICK,
    isPrivateAllowed = true,
    perDomain = 20,
    perSecond = 0,
    inAll = 100,
    queryMs,
    ownPort = 1,
    ca,
    stsPort = 443,
    stsFile,
  } = setting;
  const nameServer = await names(zone);
  const carrier = new Carrier({
    servers: {
      resolvers: [nameServer.address],
      port: peer?.port ?? 9,
      ownNames: ['penncloud.test', 'localhost'],
      ownPort,
      isPrivateAllowed,
      ...(queryMs !== undefined && { queryMs }),
    },
    limits: { perDomain, inAll, perSecond },
    ownName: 'penncloud.test',
    sts: { port: stsPort, ...(stsFile !== undefined && { file: stsFile }) },
    ...(ca !== undefined && { ca }),
    stages,
  });
  open.push({ stop: () => carrier.close() });
  const send = (
    to: readonly string[],
    more: { message?: string; mayEnd?: () => boolean; from?: string; account?: string } = {},
  ) => {
    const domain = to[0]!.slice(to[0]!.indexOf('@') + 1);
    return carrier.carry({ domain, account: more.account ?? 'ann', recipients: to.length }, async () => ({
      from: more.from ?? 'ann@penncloud.test',
      to,
      bytes: Buffer.from(more.message ?? MESSAGE),
      mayEnd: more.mayEnd ?? (() => true),
    }));
  };
  return { carrier, send, nameServer };
}
