/** What servers elsewhere said of tries: content, a part beside the event that records them. JSON in one order. */
import { decodeText, parsed, refuse } from '../fields.ts';

/** `host`: who was asked; '': nobody could be. `text`: the answer, or why there was none. */
export type Said = { readonly host: string; readonly text: string };

export const SAID_BYTES_MAX = 512 * 1024;
export const SAID_TEXT_CHARACTERS_MAX = 1000;
const HOST_CHARACTERS_MAX = 255;

export function encodeSaid(list: readonly Said[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(list.map(({ host, text }) => ({ host, text }))));
}

/** Undefined: it was erased, or is no such list. */
export function decodeSaid(bytes: Uint8Array | undefined): readonly Said[] | undefined {
  const read = parsed(() => checkedSaid(bytes));
  return 'data' in read ? read.data : undefined;
}

/** Requires `parsed` around it. */
export function checkedSaid(bytes: Uint8Array | undefined): readonly Said[] {
  const list = json(decodeText(bytes));
  if (!Array.isArray(list) || !list.every(isSaid)) {
    refuse(
      'Malformed',
      `What servers said must be a list of {host, text}, of at most ${HOST_CHARACTERS_MAX} and ${SAID_TEXT_CHARACTERS_MAX} characters.`,
      { field: 'said', limit: SAID_TEXT_CHARACTERS_MAX },
    );
  }
  return list;
}

function isSaid(one: unknown): one is Said {
  const { host, text } = (one ?? {}) as Partial<Record<keyof Said, unknown>>;
  return (
    typeof host === 'string' &&
    typeof text === 'string' &&
    host.length <= HOST_CHARACTERS_MAX &&
    text.length <= SAID_TEXT_CHARACTERS_MAX
  );
}

function json(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
