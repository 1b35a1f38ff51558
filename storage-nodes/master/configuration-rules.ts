/**
 * What must hold of a configuration, and between it and its predecessor. Every adapter of the config store
 * checks it before storing, so that a confused master or node can't write a state that loses data:
 *
 *   primary ∈ inSync ⊆ replicas, version = previous + 1, epoch ∈ {previous, previous + 1}
 *   another primary => epoch = previous + 1, and it was in the predecessor's inSync, or the lineage grew
 *   lineage ∈ {previous, previous + 1}, the range stays
 */
import { Fault } from '../faults.ts';
import { canonical, type Configuration } from '../replication/configuration.ts';
import { compareRows } from '../words.ts';
import type { CompareAndSet } from './config-store.ts';
import { configurationHash } from './configuration-hash.ts';

/**
 * What a compare-and-set comes to while `current` is stored: an answer, or 'write'. Throws Fault
 * Malformed if `next` follows `current` and breaks a rule.
 */
export function judge(next: Configuration, current: Configuration | undefined): CompareAndSet | 'write' {
  if (current && canonical(next) === canonical(current)) return { outcome: 'stored' };
  if (next.predecessor !== (current ? configurationHash(current) : ''))
    return { outcome: 'refused', current };
  return written(next, brokenRule(next, current));
}

/** The same for an operator's recovery: `next` need not follow, but must stand on its own. */
export function judgeReplacement(
  next: Configuration,
  expected: Configuration | undefined,
  current: Configuration | undefined,
): CompareAndSet | 'write' {
  if (current && canonical(next) === canonical(current)) return { outcome: 'stored' };
  if ((expected && canonical(expected)) !== (current && canonical(current)))
    return { outcome: 'refused', current };
  return written(next, brokenByItself(next));
}

function written(next: Configuration, broken: string | undefined): 'write' {
  if (broken === undefined) return 'write';
  throw new Fault('Malformed', `configuration ${next.version} of tablet ${next.tablet}: ${broken}`);
}

/**
 * The order in which configurations of one tablet were made: negative if `a` came before `b`, 0 if
 * neither did (then they are the same, or one of them comes from a store that went back).
 */
export function compareAge(a: Configuration, b: Configuration): number {
  return a.lineage - b.lineage || a.version - b.version;
}

/** A sentence that names the field, or undefined if all is well. `current` undefined: the tablet's first. */
export function brokenRule(next: Configuration, current: Configuration | undefined): string | undefined {
  return (
    brokenByItself(next) ?? (current === undefined ? brokenAsFirst(next) : brokenAsSuccessor(next, current))
  );
}

function brokenByItself(next: Configuration): string | undefined {
  const { primary, inSync, replicas, range } = next;
  for (const [field, number] of [
    ['version', next.version],
    ['epoch', next.epoch],
    ['lineage', next.lineage],
  ] as const) {
    if (!Number.isSafeInteger(number) || number < 0)
      return `${field}: must be a whole number from 0, is ${number}`;
  }
  if (typeof next.tablet !== 'string' || next.tablet === '') return 'tablet: must have a name';
  for (const [field, nodes] of [
    ['inSync', inSync],
    ['replicas', replicas],
  ] as const) {
    if (nodes.some((node) => typeof node !== 'string' || node === ''))
      return `${field}: a node without a name`;
    if (new Set(nodes).size !== nodes.length) return `${field}: names a node twice`;
  }
  if (!inSync.includes(primary)) return `primary: ${primary} must be in inSync (${inSync.join(', ')})`;
  const stranger = inSync.find((node) => !replicas.includes(node));
  if (stranger !== undefined) return `inSync: ${stranger} must be in replicas (${replicas.join(', ')})`;
  if (typeof range.from !== 'string' || (range.to !== null && typeof range.to !== 'string')) {
    return 'range: must be from a row to a row or to null';
  }
  if (range.to !== null && compareRows(range.from, range.to) >= 0) return 'range: is empty';
  return undefined;
}

function brokenAsFirst(next: Configuration): string | undefined {
  if (next.version !== 1) return `version: the first is 1, not ${next.version}`;
  if (next.epoch !== 1) return `epoch: the first is 1, not ${next.epoch}`;
  return undefined;
}

function brokenAsSuccessor(next: Configuration, current: Configuration): string | undefined {
  if (next.version !== current.version + 1)
    return `version: must be ${current.version + 1}, is ${next.version}`;
  if (next.epoch !== current.epoch && next.epoch !== current.epoch + 1) {
    return `epoch: must be ${current.epoch} or ${current.epoch + 1}, is ${next.epoch}`;
  }
  if (next.lineage !== current.lineage && next.lineage !== current.lineage + 1) {
    return `lineage: must be ${current.lineage} or ${current.lineage + 1}, is ${next.lineage}`;
  }
  if (next.range.from !== current.range.from || next.range.to !== current.range.to)
    return 'range: must stay as it is';
  if (next.primary === current.primary) return undefined;
  if (next.epoch !== current.epoch + 1) return `epoch: another primary needs epoch ${current.epoch + 1}`;
  if (next.lineage === current.lineage && !current.inSync.includes(next.primary)) {
    return `primary: ${next.primary} was not in the predecessor's inSync (${current.inSync.join(', ')})`;
  }
  return undefined;
}
