/** Which content coding a client is sent (RFC 9110 §12.5.3), and the coding itself. */
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

export type Coding = 'br' | 'gzip' | 'identity';

const PREFERRED = ['br', 'gzip'] as const;
const inBrotli = promisify(brotliCompress);
const inGzip = promisify(gzip);

/** `accepted`: the line Accept-Encoding. What a client likes as much as another goes by our own taste. */
export function chooseCoding(accepted: string | string[] | undefined): Coding {
  const weights = new Map<string, number>();
  for (const entry of String(accepted ?? '').split(',')) {
    const [name = '', ...parameters] = entry.split(';').map((piece) => piece.trim().toLowerCase());
    const weight = parameters.find((parameter) => /^q=[01](\.\d{0,3})?$/.test(parameter));
    if (name !== '') weights.set(name, weight === undefined ? 1 : Number(weight.slice(2)));
  }
  const weightOf = (name: string): number => weights.get(name) ?? weights.get('*') ?? 0;
  const [best = 'identity'] = PREFERRED.filter((name) => weightOf(name) > 0).sort(
    (a, b) => weightOf(b) - weightOf(a),
  );
  return best;
}

/** `quality`: of Brotli, 1 to 11. */
export async function encode(bytes: Uint8Array, coding: Coding, quality: number): Promise<Uint8Array> {
  if (coding === 'identity') return bytes;
  if (coding === 'gzip') return inGzip(bytes);
  return inBrotli(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: quality,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
}
