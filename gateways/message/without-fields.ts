/**
 * A message without some of its header fields: every other byte stays as it came. It looks at the whole header
 * block, however long, because what is taken out must not be left in.
 */
const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;

/** What a field's name may be long, to be compared. */
const NAME_BYTES_MAX = 200;

/** `unwanted` gets a field's name in lower case, and its value as it is written, folds included. */
export function withoutFields(raw: Buffer, unwanted: (name: string, value: () => string) => boolean): Buffer {
  const kept: Buffer[] = [];
  let keptTo = 0;
  let fieldAt = -1;
  const close = (end: number): void => {
    if (fieldAt < 0) return;
    const name = nameAt(raw, fieldAt, end);
    if (name !== '' && unwanted(name, () => raw.toString('latin1', raw.indexOf(COLON, fieldAt) + 1, end))) {
      kept.push(raw.subarray(keptTo, fieldAt));
      keptTo = end;
    }
  };
  for (let at = 0; at < raw.length;) {
    const lf = raw.indexOf(LF, at);
    const next = lf < 0 ? raw.length : lf + 1;
    const isEmpty = raw[at] === LF || (raw[at] === CR && raw[at + 1] === LF);
    const isFolded = raw[at] === 0x20 || raw[at] === 0x09;
    if (!isFolded || isEmpty) {
      close(at);
      fieldAt = at;
    }
    if (isEmpty) {
      fieldAt = -1;
      break;
    }
    at = next;
    if (at >= raw.length) close(at);
  }
  return kept.length === 0 ? raw : Buffer.concat([...kept, raw.subarray(keptTo)]);
}

/** '' if no field begins here. */
function nameAt(raw: Buffer, from: number, end: number): string {
  const colon = raw.subarray(from, Math.min(end, from + NAME_BYTES_MAX)).indexOf(COLON);
  return colon < 1
    ? ''
    : raw
        .toString('latin1', from, from + colon)
        .trimEnd()
        .toLowerCase();
}
