/**
 * Encoded words (RFC 2047): `=?charset?B|Q?text?=` in a header, decoded with the platform's own
 * TextDecoder. Never throws: what cannot be decoded stays as it was written. UTF-7 is not a charset
 * here (TextDecoder refuses it), so it cannot smuggle markup.
 */
const ENCODED_WORD = /=\?([\w.:+-]{1,40})(?:\*[\w-]{0,20})?\?([bq])\?([^?\s]*)\?=/gi;

/** Decodes every encoded word of an unfolded header value. */
export function decodeWords(value: string): string {
  if (!value.includes('=?')) return value;
  let decoded = '';
  let at = 0;
  let run: { charset: string; pieces: Buffer[] } | undefined;
  const endRun = () => {
    if (run) decoded += decodeCharset(Buffer.concat(run.pieces), run.charset);
    run = undefined;
  };
  for (const word of value.matchAll(ENCODED_WORD)) {
    const [whole, charset = '', encoding = '', text = ''] = word;
    const between = value.slice(at, word.index);
    // Space between two encoded words is no content (RFC 2047 §6.2), and a character may be split over
    // two words by senders that cut at a fixed length: words of one charset are decoded together, but
    // for the charsets with shift states, where each word starts anew and joining makes errors.
    const adjoins = at > 0 && /^\s*$/.test(between);
    const continues = adjoins && run?.charset === charset.toLowerCase() && !/^iso-2022/i.test(charset);
    if (!continues) endRun();
    if (!adjoins) decoded += between;
    run ??= { charset: charset.toLowerCase(), pieces: [] };
    run.pieces.push(encoding.toLowerCase() === 'b' ? Buffer.from(text, 'base64') : quotedBytes(text));
    at = word.index + whole.length;
  }
  endRun();
  return decoded + value.slice(at);
}

/** Bytes as text in the charset named; one that is unknown is read as UTF-8, else as windows-1252. */
export function decodeCharset(bytes: Uint8Array, charset: string): string {
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return decodeUnlabelled(bytes);
  }
}

/** Bytes whose charset nobody stated: UTF-8 if they are valid UTF-8 (RFC 6532), else windows-1252. */
export function decodeUnlabelled(bytes: Uint8Array): string {
  try {
    return STRICT_UTF8.decode(bytes);
  } catch {
    return WINDOWS_1252.decode(bytes);
  }
}

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true });
const WINDOWS_1252 = new TextDecoder('windows-1252');

/** The Q encoding, RFC 2047 §4.2. */
function quotedBytes(text: string): Buffer {
  const bytes = text
    .replaceAll('_', ' ')
    .replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1');
}
