/** One byte range of a file (RFC 9110 §14.2). Several ranges at once are answered with the whole file, as it allows. */
export type ByteRange = { readonly offset: number; readonly length: number };

/** 'whole': no range, or one that may be ignored. 'unsatisfiable': 416. */
export function byteRange(header: string | undefined, size: number): ByteRange | 'whole' | 'unsatisfiable' {
  const found = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  if (found === null || (found[1] === '' && found[2] === '')) return 'whole';
  const [, first = '', last = ''] = found;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { offset: size - length, length };
  }
  const offset = Number(first);
  if (last !== '' && Number(last) < offset) return 'whole';
  if (offset >= size) return 'unsatisfiable';
  return { offset, length: (last === '' ? size : Math.min(Number(last) + 1, size)) - offset };
}

/** The line Content-Range of a piece. */
export function contentRange({ offset, length }: ByteRange, size: number): string {
  return `bytes ${offset}-${offset + length - 1}/${size}`;
}
