/**
 * The text of a message that is nothing but text: no parts, no encoding, nothing attached. Much of what people and
 * programs send is, and needs no parser: its text is what stands behind the header.
 *
 * Always holds: where it answers, mailparser would have given the same text (the real messages and a property test say
 * so). Wherever the header leaves a doubt, it does not answer.
 */
import type { HeaderBlock } from './header-block.ts';

/** Above that the parser's slices are better: they let other work have its turn. */
const BYTES_MAX = 256 * 1024;
const HEADER_BYTES_MAX = 32 * 1024;

const TEXT_TYPE = /^text\/plain(?:[ \t]*;[ \t]*charset=(?:"(?:us-ascii|utf-8)"|us-ascii|utf-8))?[ \t]*;?$/i;
const PLAIN_ENCODING = /^(?:7bit|8bit)$/i;
const CONTENT = /content-/gi;

/** `header`: of the same message. undefined: it takes the parser to say; '': there is no text. */
export function plainTextOf(raw: Buffer, header: HeaderBlock): string | undefined {
  const { bodyAt } = header;
  if (raw.length > BYTES_MAX || bodyAt > HEADER_BYTES_MAX || raw[bodyAt - 1] !== 0x0a) return undefined;
  const types = header.all('content-type');
  const encodings = header.all('content-transfer-encoding');
  if (types.length > 1 || encodings.length > 1) return undefined;
  if (!types.every((type) => TEXT_TYPE.test(type))) return undefined;
  if (!encodings.every((encoding) => PLAIN_ENCODING.test(encoding))) return undefined;
  // Whatever else has to do with content, in a field of any name or value or in a line that is no field.
  const mentions = raw.toString('latin1', 0, bodyAt).match(CONTENT)?.length ?? 0;
  if (mentions > types.length + encodings.length) return undefined;
  return raw.toString('utf8', bodyAt).replace(/\r?\n/g, '\n');
}
