/**
 * What must hold when all is over and nobody writes any more. Each check gives the reasons against the
 * cluster, none if it passed:
 *
 *   the history is linearizable
 *   each acknowledged write is in its tablet's log at the place its caller was told
 *   no command is in the log twice
 *   every copy agrees with its own log, and the logs with each other
 */
import type { StoreClient } from '../../storage-nodes/client/client.ts';
import { checkLinearizable, type KvOperation } from './linearizability.ts';
import type { AcknowledgedWrite } from './load.ts';

const LOG_ENTRIES_A_READ = 1000;
const REASONS_MAX = 20;

/** The tablet, the node, and what does not agree. */
export interface Disagreement {
  readonly tablet: string;
  readonly node: string;
  readonly problem: string;
}

export function linearizabilityReasons(history: readonly KvOperation[]): readonly string[] {
  const verdict = checkLinearizable(history);
  if (verdict.linearizable) return [];
  return [`Cell (${verdict.row}, ${verdict.column}) is not linearizable.\n${verdict.story}`];
}

export async function logReasons(
  store: StoreClient,
  acknowledged: readonly AcknowledgedWrite[],
): Promise<readonly string[]> {
  const reasons: string[] = [];
  const places = new Map<string, string>();
  const tablets = await store.tablets();
  for (const { id } of tablets) {
    for await (const { seq, commandId } of entriesOf(store, id)) {
      const known = places.get(commandId);
      const place = `${id} at ${seq}`;
      if (known !== undefined && commandId !== '')
        reasons.push(`command ${commandId} is in the log twice: ${known}, ${place}`);
      places.set(commandId, place);
    }
  }
  for (const { commandId, tablet, seq, story } of acknowledged) {
    const place = places.get(commandId);
    if (place === `${tablet} at ${seq}`) continue;
    reasons.push(
      `acknowledged, ${story}: to be in ${tablet} at ${seq}, and is ${place ? `in ${place}` : 'lost'}`,
    );
  }
  const more = reasons.length - REASONS_MAX;
  return more > 0 ? [...reasons.slice(0, REASONS_MAX), `… and ${more} more like these`] : reasons;
}

async function* entriesOf(
  store: StoreClient,
  tablet: string,
): AsyncIterable<{ readonly seq: number; readonly commandId: string }> {
  for (let from = 1; ;) {
    const entries = await store.readLog(tablet, from, LOG_ENTRIES_A_READ);
    yield* entries;
    const last = entries.at(-1);
    if (!last) return;
    from = last.seq + 1;
  }
}

export function copyReasons(
  copies: readonly (Disagreement & { readonly agrees: boolean })[],
): readonly string[] {
  const wrong = copies.filter(({ agrees }) => !agrees);
  return wrong.map(
    ({ tablet, node, problem }) => `the copy of ${tablet} on ${node} does not agree: ${problem}`,
  );
}
