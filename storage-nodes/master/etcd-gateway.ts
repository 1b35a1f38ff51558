/**
 * etcd's gRPC-JSON gateway (/v3/…, etcd 3.4) as one function to call and one to stream. Keys and values
 * travel as base64, 64-bit numbers as text.
 *
 * A call goes to the member that answered last; where that fails, or doesn't answer in time, to the next,
 * until the deadline. So a call may reach several members: callers send only what may be done twice. How
 * it fails says whether anything may have been done:
 *
 *   EtcdRefused      a member understood and refused it (gRPC code and message): nothing was done
 *   EtcdUnavailable  nobody answered; `sent` tells whether anybody may have received it
 *
 * It uses node's own HTTP client, whose connections take a certificate authority and a client
 * certificate, and tell a connection that was refused from one that was lost.
 */
import * as http from 'node:http';
import * as https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

export type EtcdOptions = {
  /** `http://host:port` or `https://host:port` of each member. */
  readonly endpoints: readonly string[];
  readonly credentials?: { readonly user: string; readonly password: string };
  /** PEM. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
};

export type Json = { readonly [name: string]: unknown };

/** gRPC status codes that are the cluster's trouble, not the request's (google.golang.org/grpc/codes). */
const [UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED] = [
  2, 4, 8, 13, 14, 16,
];
const TROUBLE: ReadonlySet<number> = new Set([
  UNKNOWN,
  DEADLINE_EXCEEDED,
  RESOURCE_EXHAUSTED,
  INTERNAL,
  UNAVAILABLE,
]);

/** A member that does not answer within this is left for the next. */
const ATTEMPT_MS = 600;
/** Between two rounds over all members. */
const ROUND_PAUSE_MS = 50;
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

export class EtcdRefused extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export class EtcdUnavailable extends Error {
  /** Somebody may have received it, and may still carry it out. */
  readonly sent: boolean;
  constructor(reason: string, sent: boolean) {
    super(`etcd is not reachable: ${reason}`);
    this.sent = sent;
  }
}

export class EtcdGateway {
  readonly #options: EtcdOptions;
  readonly #agents: { readonly http: http.Agent; readonly https: https.Agent };
  #preferred = 0;
  #token: string | undefined;
  #closed = false;

  constructor(options: EtcdOptions) {
    this.#options = options;
    this.#agents = {
      http: new http.Agent({ keepAlive: true }),
      https: new https.Agent({ keepAlive: true, ...options.tls }),
    };
  }

  close(): void {
    this.#closed = true;
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  async call(path: string, body: Json, deadlineMs: number): Promise<Json> {
    const { endpoints } = this.#options;
    const deadline = performance.now() + deadlineMs;
    let sent = false;
    for (let attempt = 0; ; attempt++) {
      const leftMs = deadline - performance.now();
      try {
        return await this.#callOne(path, body, Math.max(1, Math.min(ATTEMPT_MS, leftMs)));
      } catch (error) {
        if (error instanceof EtcdRefused && !TROUBLE.has(error.code)) throw error;
        sent ||= !(error instanceof EtcdUnavailable) || error.sent;
        this.#preferred++;
        const reason = (error as Error).message;
        if (this.#closed || performance.now() >= deadline) throw new EtcdUnavailable(reason, sent);
      }
      if ((attempt + 1) % endpoints.length === 0) await sleep(ROUND_PAUSE_MS);
    }
  }

  /**
   * Calls `onMessage` with each result until the stream ends, which resolves, or breaks, which rejects.
   * `signal` ends it.
   */
  async stream(
    path: string,
    body: Json,
    signal: AbortSignal,
    onMessage: (result: Json) => void,
  ): Promise<void> {
    const response = await this.#send(path, body, signal);
    let rest = '';
    response.setEncoding('utf8');
    for await (const piece of response as AsyncIterable<string>) {
      const lines = (rest + piece).split('\n');
      rest = lines.pop()!;
      for (const line of lines.filter((line) => line.trim() !== '')) {
        const message = JSON.parse(line) as Json;
        if (message['error']) throw refusal(message['error'] as Json);
        onMessage(message['result'] as Json);
      }
    }
  }

  /** The next call or stream goes to another member. */
  leaveMember(): void {
    this.#preferred++;
  }

  async #callOne(path: string, body: Json, ms: number): Promise<Json> {
    try {
      return await this.#exchange(path, body, ms);
    } catch (error) {
      if (!(error instanceof EtcdRefused) || error.code !== UNAUTHENTICATED || this.#token === undefined)
        throw error;
    }
    // Tokens run out (`--auth-token-ttl`).
    this.#token = undefined;
    return this.#exchange(path, body, ms);
  }

  async #exchange(path: string, body: Json, ms: number): Promise<Json> {
    const response = await this.#send(path, body, AbortSignal.timeout(ms));
    return parse(response.statusCode, await textOf(response));
  }

  /** Resolves with the response's head. */
  async #send(path: string, body: Json, signal: AbortSignal): Promise<http.IncomingMessage> {
    const { credentials } = this.#options;
    if (credentials && this.#token === undefined && path !== '/v3/auth/authenticate')
      await this.#authenticate(credentials);
    const endpoint = this.#options.endpoints[this.#preferred % this.#options.endpoints.length]!;
    const url = new URL(path, endpoint);
    const isTls = url.protocol === 'https:';
    const payload = JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const request = (isTls ? https : http).request(
        url,
        {
          method: 'POST',
          agent: isTls ? this.#agents.https : this.#agents.http,
          signal,
          headers: {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(payload),
            ...(this.#token !== undefined && { authorization: this.#token }),
          },
        },
        resolve,
      );
      request.on('error', (error: NodeJS.ErrnoException) =>
        reject(new EtcdUnavailable(`${endpoint}: ${error.message || error.code}`, wasSent(error))),
      );
      request.end(payload);
    });
  }

  async #authenticate({ user, password }: { user: string; password: string }): Promise<void> {
    try {
      const { token } = await this.#exchange('/v3/auth/authenticate', { name: user, password }, ATTEMPT_MS);
      this.#token = String(token);
    } catch (error) {
      if (error instanceof EtcdRefused) throw error;
      throw new EtcdUnavailable((error as Error).message, false);
    }
  }
}

function wasSent(error: NodeJS.ErrnoException): boolean {
  return !['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN'].includes(
    error.code ?? '',
  );
}

async function textOf(response: http.IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of response as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > ANSWER_BYTES_MAX) throw new Error(`an answer beyond ${ANSWER_BYTES_MAX} bytes`);
      pieces.push(piece);
    }
  } catch (error) {
    throw new EtcdUnavailable((error as Error).message, true);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function parse(status: number | undefined, text: string): Json {
  let answer: Json;
  try {
    answer = JSON.parse(text) as Json;
  } catch {
    throw new EtcdUnavailable(`status ${status}, and no JSON: ${text.slice(0, 100)}`, true);
  }
  if (status !== 200) throw refusal(answer);
  return answer;
}

function refusal(error: Json): EtcdRefused {
  const code = Number(error['code'] ?? error['grpc_code'] ?? UNKNOWN);
  return new EtcdRefused(code, `etcd: ${String(error['message'] ?? error['error'])}`);
}
