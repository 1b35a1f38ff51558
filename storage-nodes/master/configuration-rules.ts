/**
 * What must hold of a configuration, and between it and its predecessor. Every adapter of the config store
 * checks it before storing, so that a confused master or node can't write a state that loses data:
 *
 *   primary ∈ inSync ⊆ replicas, version = previous + 1, epoch ∈ {previous, previous + 1}
 *   another primary => epoch = previous + 1, and it was in the predecessor's inSync, or the lineage grew
 *   lineage ∈ {previous, previous + 1}, the range stays
 */
import type { Configuration } from '../replication/configuration.ts';
import { compareRows } from '../words.ts';

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
