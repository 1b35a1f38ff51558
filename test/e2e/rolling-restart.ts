/** Load while gateways come and go: many short requests, each of which must be answered well. */
import { Agent, request as httpRequest } from 'node:http';
import { Agent as TlsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { curl } from './curl.ts';
import { isAlive, until, type Cluster } from './cluster.ts';

/** Of one client: it is not speed that is looked for. */
const BETWEEN_REQUESTS_MS = 10;

export type Load = {
  /** Resolves with what went wrong, and how many requests were answered. */
  stop(): Promise<{ failures: string[]; answered: number }>;
};

/**
 * Two kinds of clients, in a loop each: curl, a connection for each request, following redirects; and one that
 * keeps its connections, as browsers do, and comes back by the front door when its gateway closes them.
 */
export function startLoad(frontDoor: string, options: { trust?: string; certificate?: string } = {}): Load {
  const { trust, certificate } = options;
  const failures: string[] = [];
  let answered = 0;
  let going = true;
  const count = (status: number, what: string): void => {
    if (status === 200) answered++;
    else failures.push(`${what}: ${status}`);
  };
  const byCurl = async (): Promise<void> => {
    while (going) {
      const told = await curl([
        ...['--location', '--max-time', '20', ...(trust ? ['--cacert', trust] : [])],
        `${frontDoor}/signup`,
      ]);
      count(told.code === 0 ? told.status : -1, `curl ${told.said}`);
      await sleep(BETWEEN_REQUESTS_MS);
    }
  };
  const keeping = async (): Promise<void> => {
    const agents = {
      'http:': new Agent({ keepAlive: true }),
      'https:': new TlsAgent({ keepAlive: true, ca: certificate }),
    };
    const get = (url: string): Promise<{ status: number; location: string | undefined; last: boolean }> =>
      new Promise((resolve, reject) => {
        const { protocol } = new URL(url);
        const send = protocol === 'https:' ? httpsRequest : httpRequest;
        const asked = send(url, { agent: agents[protocol as 'http:'] }, (answer) => {
          const { location, connection } = answer.headers;
          answer.resume();
          answer.on('end', () =>
            resolve({ status: answer.statusCode!, location, last: connection === 'close' }),
          );
          answer.on('error', reject);
        });
        asked.on('error', reject);
        asked.end();
      });
    let place = frontDoor;
    while (going) {
      try {
        const { status, location, last } = await get(`${place}/signup`);
        if (status === 307) place = new URL(location!).origin;
        else count(status, `kept connection to ${place}`);
        if (last) place = frontDoor;
        await sleep(BETWEEN_REQUESTS_MS);
      } catch (error) {
        failures.push(`kept connection to ${place}: ${(error as Error).message}`);
        place = frontDoor;
      }
    }
    for (const agent of Object.values(agents)) agent.destroy();
  };
  const loops = Promise.all([byCurl(), byCurl(), keeping(), keeping()]);
  return {
    stop: async () => {
      going = false;
      await loops;
      return { failures, answered };
    },
  };
}

/** SIGTERM to each gateway in turn; the next one only when the one before serves again. */
export async function restartInTurn(
  cluster: Cluster,
  gateways: readonly { id: string; serves(): Promise<boolean> }[],
) {
  for (const { id, serves } of gateways) {
    const before = cluster.pid(id);
    process.kill(before, 'SIGTERM');
    await until(`${id} has ended`, () => !isAlive(before));
    await cluster.restarted(id, before);
    await until(`${id} serves again`, serves);
  }
}
