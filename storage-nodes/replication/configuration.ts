/**
 * A configuration says who holds a tablet and who may write it (PacificA §2.3; rule 1). It is
 * immutable: its successor is created in the config store by compare-and-set from exactly this one.
 */
import type { Epoch, NodeId, RowRange, TabletId, Version } from '../words.ts';

export type Configuration = {
  readonly tablet: TabletId;
  readonly version: Version;
  readonly epoch: Epoch;
  /** Changes only when an operator forces recovery (rule 10). */
  readonly lineage: number;
  readonly primary: NodeId;
  /** Members whose disks every committed entry is on; contains the primary. */
  readonly inSync: readonly NodeId[];
  /** Where copies are wanted (placement). Those outside `inSync` are learners. */
  readonly replicas: readonly NodeId[];
  readonly range: RowRange;
  /** Hex sha256 of the predecessor's canonical form; '' for the first. */
  readonly predecessor: string;
};

/** The one text form that is hashed, stored and sent. */
export function canonical(c: Configuration): string {
  return JSON.stringify([
    c.tablet,
    c.version,
    c.epoch,
    c.lineage,
    c.primary,
    c.inSync,
    c.replicas,
    c.range.from,
    c.range.to,
    c.predecessor,
  ]);
}

export function isSame(a: Configuration | undefined, b: Configuration): boolean {
  return a !== undefined && a.version === b.version && canonical(a) === canonical(b);
}

/** A higher lineage is newer whatever its version: an operator made it (rule 10). */
export function isNewer(a: Configuration, than: Configuration): boolean {
  return a.lineage !== than.lineage ? a.lineage > than.lineage : a.version > than.version;
}

/** Throws on text that `canonical` cannot have written. */
export function parseConfiguration(text: string): Configuration {
  const f = JSON.parse(text) as unknown[];
  if (!Array.isArray(f) || f.length !== 10 || !Array.isArray(f[5]) || !Array.isArray(f[6])) {
    throw new Error('not a configuration: expected an array of 10 fields');
  }
  return {
    tablet: f[0] as TabletId,
    version: f[1] as Version,
    epoch: f[2] as Epoch,
    lineage: f[3] as number,
    primary: f[4] as NodeId,
    inSync: f[5] as NodeId[],
    replicas: f[6] as NodeId[],
    range: { from: f[7] as string, to: f[8] as string | null },
    predecessor: f[9] as string,
  };
}
