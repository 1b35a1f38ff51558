/**
 * What `penncloud recover` would do, tablet by tablet, from what the config store holds and what the nodes
 * say that they hold. Pure.
 *
 *   sound    the store is not behind any node
 *   restore  it is: put back the newest configuration that nodes hold (rule 9). Every node that this
 *            configuration names must have answered: then none of them acts on a newer one
 *   force    go on from a copy that the operator chose, in a new lineage (rule 10): a successor with
 *            the next lineage, epoch and version higher than any known, the copy its primary and only
 *            in-sync member
 *   blocked  neither can be done: why, and which copies could be forced, with what would be lost
 *
 * A configuration in a new lineage outranks all of the old one, whatever their versions; copies that hold
 * more than the forced one's log are given up by the core and fetched anew (rule 6).
 */
import { canonical, type Configuration } from '../replication/configuration.ts';
import { epoch, version, type NodeId, type TabletId } from '../words.ts';
import { compareAge } from './configuration-rules.ts';
import { configurationHash } from './configuration-hash.ts';

export type Copy = {
  readonly tablet: string;
  readonly role: string;
  readonly serving: boolean;
  /** Quarantined because an fsync failed once; all of its bytes read well. */
  readonly isSuspect: boolean;
  /** Its log reaches to here, in this epoch. */
  readonly last: number;
};

export type NodeReport = {
  readonly node: NodeId;
  readonly configurations: readonly Configuration[];
  readonly copies: readonly Copy[];
};

export type Evidence = {
  readonly stored: readonly Configuration[];
  readonly reports: readonly NodeReport[];
  /** Nodes that did not answer. */
  readonly silent: readonly NodeId[];
};

/** A copy that could be forced, and what would be lost with that. */
export type Choice = {
  readonly node: NodeId;
  readonly last: number;
  /** An fsync failed there: only for want of a better one. */
  readonly isSuspect: boolean;
  readonly mayLose: readonly string[];
};

export type Change = {
  readonly next: Configuration;
  /** What the store holds now. */
  readonly current: Configuration | undefined;
};

export type Step = { readonly tablet: TabletId } & (
  | { readonly kind: 'sound' }
  | ({ readonly kind: 'restore' } & Change)
  | ({ readonly kind: 'force'; readonly choice: Choice } & Change)
  | { readonly kind: 'blocked'; readonly why: string; readonly choices: readonly Choice[] }
);

/** `forced`: by tablet, the node whose copy the operator chose. One step per tablet, in order of their names. */
export function planRecovery(evidence: Evidence, forced: ReadonlyMap<string, NodeId>): Step[] {
  const held = evidence.reports.flatMap(({ configurations }) => configurations);
  const tablets = new Set<string>([...evidence.stored, ...held].map(({ tablet }) => tablet));
  for (const tablet of forced.keys()) tablets.add(tablet);
  return [...tablets].sort().map((tablet) => stepFor(tablet as TabletId, evidence, forced.get(tablet)));
}

function stepFor(tablet: TabletId, evidence: Evidence, forced: NodeId | undefined): Step {
  const current = evidence.stored.find((configuration) => configuration.tablet === tablet);
  const newest = newestHeld(tablet, evidence);
  const known = [
    ...evidence.stored,
    ...evidence.reports.flatMap(({ configurations }) => configurations),
  ].filter((one) => one.tablet === tablet);
  const isServed = evidence.reports.some(({ copies }) =>
    copies.some((c) => c.tablet === tablet && c.serving),
  );
  const base = newest[0] && !(current && compareAge(current, newest[0]) > 0) ? newest[0] : current;
  if (!base) return { tablet, kind: 'blocked', why: 'nobody knows this tablet', choices: [] };

  const choices = choicesFor(tablet, base, evidence);
  const blocked = (why: string): Step => ({ tablet, kind: 'blocked', why, choices });
  if (forced !== undefined) {
    const choice = choices.find(({ node }) => node === forced);
    if (isServed) return blocked(`it is being served: there is nothing to force`);
    if (!choice) return blocked(`${forced} has no copy that can be forced`);
    return { tablet, kind: 'force', choice, current, next: inNewLineage(base, forced, [...known, base]) };
  }
  const isBehind = base !== current && !(current && newest.every((one) => isEqual(one, current)));
  if (!isBehind) {
    const isUsable = (node: NodeId): boolean =>
      choices.some((choice) => choice.node === node && !choice.isSuspect);
    if (isServed || base.inSync.some(isUsable)) return { tablet, kind: 'sound' };
    return blocked(`no in-sync copy (${base.inSync.join(', ')}) can be used: the tablet waits for it`);
  }
  if (newest.length > 1) return blocked(`nodes hold different configurations of version ${base.version}`);
  const missing = namedBy(base).filter((node) => evidence.silent.includes(node));
  if (missing.length > 0)
    return blocked(
      `${missing.join(', ')} may hold a newer configuration and does not answer: start it first`,
    );
  return { tablet, kind: 'restore', next: base, current };
}

/** One, or several different ones of the same age; none if no node holds any. */
function newestHeld(tablet: TabletId, { reports }: Evidence): Configuration[] {
  const held = reports.flatMap(({ configurations }) => configurations.filter((c) => c.tablet === tablet));
  const oldestFirst = held.sort(compareAge);
  const newest = oldestFirst.at(-1);
  if (!newest) return [];
  const distinct = new Map(
    oldestFirst.filter((c) => compareAge(c, newest) === 0).map((c) => [canonical(c), c]),
  );
  return [...distinct.values()];
}

/** Copies that can be forced, the one with the longest log first. */
function choicesFor(tablet: TabletId, base: Configuration, { reports, silent }: Evidence): Choice[] {
  const copies = reports.flatMap(({ node, copies }) =>
    copies
      .filter((c) => c.tablet === tablet && (c.role !== 'quarantined' || c.isSuspect))
      .map(({ last, isSuspect }) => ({ node, last, isSuspect })),
  );
  return copies
    .map(({ node, last, isSuspect }) => ({
      node,
      last,
      isSuspect,
      mayLose: [
        ...(isSuspect ? [`what the disk of ${node} did not keep when an fsync failed`] : []),
        ...copies
          .filter((other) => other.last > last)
          .map((other) => `entries ${last + 1} to ${other.last}, which ${other.node} has`),
        ...base.inSync
          .filter((member) => member !== node && silent.includes(member))
          .map((member) => `whatever ${member} has behind entry ${last}`),
        ...base.inSync
          .filter((member) => !silent.includes(member) && !copies.some((copy) => copy.node === member))
          .map((member) => `whatever the damaged copy on ${member} had behind entry ${last}`),
      ],
    }))
    .sort((a, b) => b.last - a.last);
}

/** Version and epoch are higher than any that is known, in whatever lineage: a log's epochs only grow. */
function inNewLineage(base: Configuration, node: NodeId, known: readonly Configuration[]): Configuration {
  return {
    ...base,
    version: version(Math.max(...known.map((one) => one.version)) + 1),
    epoch: epoch(Math.max(...known.map((one) => one.epoch)) + 1),
    lineage: base.lineage + 1,
    primary: node,
    inSync: [node],
    replicas: base.replicas.includes(node) ? base.replicas : [...base.replicas, node],
    predecessor: configurationHash(base),
  };
}

function namedBy({ primary, inSync, replicas }: Configuration): NodeId[] {
  return [...new Set([primary, ...inSync, ...replicas])];
}

function isEqual(a: Configuration, b: Configuration): boolean {
  return canonical(a) === canonical(b);
}
