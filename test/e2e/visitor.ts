/**
 * A browser without a window: keeps cookies, reads forms from the pages it was shown, and sends them as a
 * browser would. Talks to a gateway inside this process.
 */
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';

export type Answer = LightMyRequestResponse;

/** A part of a multipart form. */
export type FormFile = { readonly name: string; readonly bytes: Buffer; readonly type?: string };

export class Visitor {
  readonly cookies = new Map<string, string>();
  #app: FastifyInstance;

  constructor(app: FastifyInstance) {
    this.#app = app;
  }

  /** The same person, sent to another gateway. */
  moveTo(app: FastifyInstance): void {
    this.#app = app;
  }

  get(url: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.request({ method: 'GET', url, headers });
  }

  /** Opens the page, fills in the form that leads to `action`, and sends it. */
  async submit(page: string, action: string, fields: Record<string, string> = {}): Promise<Answer> {
    return this.post(action, { ...formOn(await this.get(page), action), ...fields });
  }

  post(url: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Answer> {
    return this.request({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      payload: new URLSearchParams(fields).toString(),
    });
  }

  upload(fields: Record<string, string>, files: readonly FormFile[]): Promise<Answer> {
    const boundary = '----visitor5f3a';
    const pieces: Buffer[] = [];
    for (const [name, value] of Object.entries(fields)) {
      pieces.push(
        Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`),
      );
    }
    for (const { name, bytes, type = 'application/octet-stream' } of files) {
      const disposition = `content-disposition: form-data; name="file"; filename="${name}"`;
      pieces.push(
        Buffer.from(`--${boundary}\r\n${disposition}\r\ncontent-type: ${type}\r\n\r\n`),
        bytes,
        Buffer.from('\r\n'),
      );
    }
    pieces.push(Buffer.from(`--${boundary}--\r\n`));
    return this.request({
      method: 'POST',
      url: '/drive/upload',
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
      payload: Buffer.concat(pieces),
    });
  }

  async signUp(username: string, password: string, displayName = ''): Promise<Answer> {
    return this.submit('/signup', '/signup', { username, password, displayName });
  }

  async logIn(username: string, password: string): Promise<Answer> {
    return this.submit('/', '/login', { username, password });
  }

  async request(options: InjectOptions): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const host = 'cloud.example.org:8001';
    const headers = { host, ...(cookie !== '' && { cookie }), ...options.headers };
    const answer = await this.#app.inject({ ...options, headers });
    for (const { name, value } of answer.cookies) {
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }
}

/** The hidden and preset fields of the form with this action. */
export function formOn(page: Pick<Answer, 'body'>, action: string): Record<string, string> {
  const forms = page.body.split('<form').slice(1);
  const form = forms.find((one) => one.slice(0, one.indexOf('>')).includes(`action="${action}"`));
  if (form === undefined)
    throw new Error(`The page has no form that leads to ${action}:\n${page.body.slice(0, 2000)}`);
  const fields: Record<string, string> = {};
  for (const [input] of form.slice(0, form.indexOf('</form>')).matchAll(/<input\b[^>]*>/g)) {
    const name = /\bname="([^"]*)"/.exec(input)?.[1];
    if (name !== undefined && !input.includes('type="file"'))
      fields[name] = unescaped(/\bvalue="([^"]*)"/.exec(input)?.[1] ?? '');
  }
  for (const [, name, options] of form.matchAll(/<select\b[^>]*name="([^"]*)"[^>]*>(.*?)<\/select>/gs)) {
    const chosen =
      /<option value="([^"]*)"[^>]* selected/.exec(options!) ?? /<option value="([^"]*)"/.exec(options!);
    fields[name!] = unescaped(chosen?.[1] ?? '');
  }
  const text = /<textarea\b[^>]*name="([^"]*)"[^>]*>\n?([^<]*)<\/textarea>/.exec(form);
  if (text !== null) fields[text[1]!] = unescaped(text[2]!);
  return fields;
}

/** What the page says went wrong. */
export function alertOn(page: Pick<Answer, 'body'>): string | undefined {
  const found = /role="alert">([^<]*)</.exec(page.body)?.[1];
  return found === undefined ? undefined : unescaped(found);
}

export function linksOn(page: Pick<Answer, 'body'>, pattern: RegExp): string[] {
  return [...page.body.matchAll(/<a\b[^>]*href="([^"]*)"/g)]
    .map(([, href]) => unescaped(href!))
    .filter((href) => pattern.test(href));
}

function unescaped(text: string): string {
  return text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&#x27;/g, "'")
    .replace(/&#x3D;/g, '=')
    .replace(/&#x60;/g, '`')
    .replace(/&amp;/g, '&');
}
