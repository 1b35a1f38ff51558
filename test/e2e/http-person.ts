/**
 * Somebody with a browser but no window, over real HTTP: keeps cookies, fills in the forms that pages
 * show, streams files up and down. One person may use several gateways.
 */
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import type { Readable } from 'node:stream';
import { formOn } from './visitor.ts';

export type Page = { readonly status: number; readonly location: string | undefined; readonly body: string };

export class HttpPerson {
  readonly #cookies = new Map<string, string>();

  async get(url: string): Promise<Page> {
    return this.#page(await fetch(url, { headers: this.#headers(), redirect: 'manual' }));
  }

  /** Fills in the form on `pageUrl` that leads to `action`, and sends it. */
  async submit(pageUrl: string, action: string, fields: Record<string, string>): Promise<Page> {
    const form = formOn(await this.get(pageUrl), action);
    const url = new URL(action, pageUrl);
    const body = new URLSearchParams({ ...form, ...fields });
    return this.#page(
      await fetch(url, { method: 'POST', body, headers: this.#headers(), redirect: 'manual' }),
    );
  }

  logIn(gateway: string, name: string, password: string): Promise<Page> {
    return this.submit(`${gateway}/`, '/login', { username: name, password });
  }

  /** Sends a file of any length through the upload form. Resolves with the answer's status. */
  async upload(gateway: string, name: string, length: number, bytes: Readable): Promise<number> {
    const form = formOn(await this.get(`${gateway}/drive`), '/drive/upload');
    const boundary = '----penncloud-test-boundary';
    const fields = Object.entries(form).map(
      ([field, value]) =>
        `--${boundary}\r\ncontent-disposition: form-data; name="${field}"\r\n\r\n${value}\r\n`,
    );
    const head = Buffer.from(
      `${fields.join('')}--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\n` +
        'content-type: application/octet-stream\r\n\r\n',
    );
    const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
    return new Promise((resolve, reject) => {
      const out = request(
        `${gateway}/drive/upload`,
        {
          method: 'POST',
          headers: {
            ...this.#headers(),
            'content-type': `multipart/form-data; boundary=${boundary}`,
            'content-length': head.length + length + tail.length,
          },
        },
        (answer) => {
          answer.resume();
          answer.on('end', () => resolve(answer.statusCode!));
        },
      );
      out.on('error', reject);
      bytes.on('error', reject);
      out.write(head);
      bytes.on('end', () => out.end(tail));
      bytes.pipe(out, { end: false });
    });
  }

  /** Reads a body to its end without keeping it. */
  async digest(url: string): Promise<{ status: number; sha256: string; length: number }> {
    const answer = await fetch(url, { headers: this.#headers() });
    const hash = createHash('sha256');
    let length = 0;
    for await (const piece of answer.body!) {
      hash.update(piece);
      length += piece.length;
    }
    return { status: answer.status, sha256: hash.digest('hex'), length };
  }

  #headers(): Record<string, string> {
    return { cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
  }

  async #page(answer: Response): Promise<Page> {
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      if (value === '') this.#cookies.delete(name!);
      else this.#cookies.set(name!, value!);
    }
    return {
      status: answer.status,
      location: answer.headers.get('location') ?? undefined,
      body: await answer.text(),
    };
  }
}
