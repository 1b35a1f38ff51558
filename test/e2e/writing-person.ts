/** How the writing of a message is told in tests: the form's keys, files beside it, and what arrived. */
import type { InjectOptions } from 'fastify';
import { formOn, type Answer, type FormFile, type Visitor } from './visitor.ts';

export const COMPOSE = '/mail/compose';

/** The fields of the page at this address, with `fields` over them. */
export async function formAt(
  visitor: Visitor,
  page = COMPOSE,
  fields: Record<string, string> = {},
): Promise<Record<string, string>> {
  return { ...formOn(await visitor.get(page), COMPOSE), ...fields };
}

/** Opens the page, fills the form in and presses a button: a plain form, as without the script. */
export async function write(
  visitor: Visitor,
  fields: Record<string, string>,
  page = COMPOSE,
): Promise<Answer> {
  return visitor.post(COMPOSE, await formAt(visitor, page, fields));
}

/** The same with files, in the order of the page: fields, files, the button. */
export function writeWith(
  visitor: Visitor,
  { action = 'attach', ...fields }: Record<string, string>,
  files: readonly FormFile[],
): Promise<Answer> {
  return visitor.request(multipart(COMPOSE, [...Object.entries(fields)], files, action));
}

export function multipart(
  url: string,
  fields: readonly (readonly [string, string])[],
  files: readonly FormFile[],
  action: string,
): InjectOptions {
  const boundary = '----writer77a1';
  const text = (name: string, value: string) =>
    Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`);
  const file = ({ name, bytes, type = 'application/octet-stream' }: FormFile) => [
    Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\ncontent-type: ${type}\r\n\r\n`,
    ),
    bytes,
    Buffer.from('\r\n'),
  ];
  return {
    method: 'POST',
    url,
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    payload: Buffer.concat([
      ...fields.map(([name, value]) => text(name, value)),
      ...files.flatMap(file),
      text('action', action),
      Buffer.from(`--${boundary}--\r\n`),
    ]),
  };
}

/** Where the form led. */
export function ledTo(answer: Answer): URL {
  const { location } = answer.headers;
  if (answer.statusCode !== 303 || location === undefined) {
    throw new Error(`not accepted (${answer.statusCode}): ${/role="alert">([^<]*)/.exec(answer.body)?.[1]}`);
  }
  return new URL(location, 'http://here');
}

/** The page of the draft that a form was saved as. */
export function draftPage(answer: Answer): string {
  return `${COMPOSE}?draft=${ledTo(answer).searchParams.get('draft')}`;
}
