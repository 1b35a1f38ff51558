/**
 * `penncloud recover`: compares the config store with what all nodes hold, and puts back what the store has
 * lost (rule 9). `--force` goes on from a copy that may lack entries, in a new lineage (rule 10). Without
 * `--yes` it only shows what it would do.
 */
import { carryOut, gatherEvidence, type RecoveryPlaces } from '../../storage-nodes/master/recovery.ts';
import { planRecovery, type Choice, type Step } from '../../storage-nodes/master/recovery-plan.ts';
import { nodeId, type NodeId } from '../../storage-nodes/words.ts';
import { addressesOf } from '../processes/topology.ts';
import { findCluster } from './connection.ts';
import { BadInput, Failed } from './outcome.ts';
import { printJson, printTable } from './print.ts';

export type RecoverOptions = {
  readonly force?: readonly string[];
  readonly yes?: boolean;
  readonly json?: boolean;
};

export async function recover(options: RecoverOptions): Promise<void> {
  const { plans, cluster } = findCluster();
  const places: RecoveryPlaces = {
    masters: addressesOf('master', plans),
    nodes: addressesOf('storage-node', plans),
    secret: cluster.secret,
  };
  const forced = parseForced(
    options.force ?? [],
    places.nodes.map(({ id }) => id),
  );
  const evidence = await gatherEvidence(places);
  const steps = planRecovery(evidence, forced);
  const todo = steps.filter((step) => step.kind === 'restore' || step.kind === 'force');
  const blocked = steps.filter((step) => step.kind === 'blocked');
  if (options.yes) for (const step of todo) await carryOut(places, step);

  if (options.json) {
    printJson({ done: options.yes ?? false, silent: evidence.silent, steps: steps.map(asJson) });
  } else {
    printSteps(steps, evidence.silent);
    console.log(closingWords(todo.length, blocked.length, options.yes ?? false));
  }
  if (blocked.length > 0)
    throw new Failed(`${blocked.length} of ${steps.length} tablets cannot be recovered so.`);
}

/** `t03=node-2`, any number of them. */
function parseForced(force: readonly string[], nodes: readonly string[]): Map<string, NodeId> {
  const forced = new Map<string, NodeId>();
  for (const word of force) {
    const [tablet, node, ...more] = word.split('=');
    if (!tablet || !node || more.length > 0 || !nodes.includes(node) || forced.has(tablet)) {
      throw new BadInput(
        `--force takes a tablet and the node whose copy is to go on, once per tablet, such as t03=node-2, not ${JSON.stringify(word)}; nodes are ${nodes.join(', ')}.`,
      );
    }
    forced.set(tablet, nodeId(node));
  }
  return forced;
}

function printSteps(steps: readonly Step[], silent: readonly string[]): void {
  if (silent.length > 0) console.log(`Not reached: ${silent.join(', ')}\n`);
  const rows = steps.map((step) => [step.tablet, step.kind, inWords(step)]);
  printTable(['TABLET', 'WHAT', ''], rows);
  for (const step of steps) {
    if (step.kind === 'force') console.log(`\n${step.tablet}: ${lossInWords(step.choice)}`);
    if (step.kind !== 'blocked' || step.choices.length === 0) continue;
    console.log(`\n${step.tablet} could go on from a copy as it is:`);
    for (const choice of step.choices)
      console.log(`  --force ${step.tablet}=${choice.node}   ${lossInWords(choice)}`);
  }
  console.log();
}

function inWords(step: Step): string {
  switch (step.kind) {
    case 'sound':
      return 'nothing to do';
    case 'restore':
      return `the store has ${step.current ? `version ${step.current.version}` : 'none'}: put back version ${step.next.version} of lineage ${step.next.lineage}, which nodes hold`;
    case 'force':
      return `go on from the copy on ${step.choice.node}, in lineage ${step.next.lineage}`;
    case 'blocked':
      return step.why;
  }
}

function lossInWords({ last, mayLose }: Choice): string {
  const loss = mayLose.length === 0 ? 'nothing is known to be lost' : `may lose ${mayLose.join('; ')}`;
  return `(has ${last} entries) ${loss}`;
}

function closingWords(todo: number, blocked: number, done: boolean): string {
  if (todo === 0) return blocked === 0 ? 'Nothing to recover.' : 'Nothing was changed.';
  return done ? `Recovered ${todo} tablets.` : `Nothing was changed: add --yes to do it (${todo} tablets).`;
}

function asJson(step: Step): object {
  const { tablet, kind } = step;
  switch (step.kind) {
    case 'sound':
      return { tablet, kind };
    case 'restore':
      return { tablet, kind, from: step.current?.version ?? null, to: step.next.version };
    case 'force':
      return { tablet, kind, lineage: step.next.lineage, ...step.choice };
    case 'blocked':
      return { tablet, kind, why: step.why, choices: step.choices };
  }
}
