/**
 * An operator's recovery over the wire: asks a master what the store holds and every node what it holds,
 * and carries out a plan (recovery-plan.ts) through a master.
 */
import { Fault } from '../faults.ts';
import { canonical } from '../replication/configuration.ts';
import { decodeConfiguration } from '../wire/peer-codec.ts';
import { nodeId } from '../words.ts';
import type { MasterLink } from './config-client.ts';
import { dialMaster, type MasterAddress } from './dial-master.ts';
import type { Change, Copy, Evidence, NodeReport } from './recovery-plan.ts';

export type RecoveryPlaces = {
  readonly masters: readonly MasterAddress[];
  readonly nodes: readonly MasterAddress[];
  readonly secret: string;
};

const ASKER = 'recovery';
const NODE_MS = 5000;
/** An ambiguous change is asked again: it answers 'stored' if it already is. */
const TRIES_MAX = 5;

/** Rejects with Fault Unavailable if no master answers, or its store does not. */
export async function gatherEvidence(places: RecoveryPlaces): Promise<Evidence> {
  // Nodes first: they hold nothing that was not stored before, so a store that is behind them has lost something.
  const answers = await Promise.all(places.nodes.map((node) => reportOf(node, places.secret)));
  const stored = await atMaster(places, async (master) => {
    const { results } = await master.ask('config.all', []);
    return (results[0] as unknown[]).map(decodeConfiguration);
  });
  return {
    stored,
    reports: answers.filter((answer) => answer !== undefined),
    silent: places.nodes.filter((_, i) => answers[i] === undefined).map(({ id }) => nodeId(id)),
  };
}

/** Throws Fault Unavailable, saying why, unless the change is stored. */
export async function carryOut(places: RecoveryPlaces, { next, current }: Change): Promise<void> {
  for (let tries = 1; ; tries++) {
    const answer = await atMaster(places, async (master) => {
      const args = [canonical(next), current ? canonical(current) : null];
      return (await master.ask('config.replace', args)).results;
    });
    if (answer[0] === 'stored') return;
    if (answer[0] === 'ambiguous' && tries < TRIES_MAX) continue;
    const why = answer[0] === 'refused' ? 'the config store has changed meanwhile: run it again' : answer[1];
    throw new Fault('Unavailable', `tablet ${next.tablet}: ${String(why)}`);
  }
}

/** Undefined: it does not answer. */
async function reportOf(node: MasterAddress, secret: string): Promise<NodeReport | undefined> {
  let link: MasterLink | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    link = await dialMaster(ASKER, node, secret);
    timer = setTimeout(() => link?.close(), NODE_MS);
    const [map, tablets] = await Promise.all([link.ask('map', []), link.ask('tablets', [])]);
    return {
      node: nodeId(node.id),
      configurations: (map.results[0] as unknown[]).map(decodeConfiguration),
      copies: tablets.results[0] as Copy[],
    };
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    link?.close();
  }
}

async function atMaster<T>(
  { masters, secret }: RecoveryPlaces,
  work: (master: MasterLink) => Promise<T>,
): Promise<T> {
  let failure: unknown;
  for (const master of masters) {
    let link: MasterLink | undefined;
    try {
      link = await dialMaster(ASKER, master, secret);
      return await work(link);
    } catch (error) {
      failure = error;
    } finally {
      link?.close();
    }
  }
  throw new Fault('Unavailable', `no master can do it: ${String(failure)}`, { cause: failure });
}
