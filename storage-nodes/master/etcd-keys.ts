/** Keys and values as etcd's gateway wants them, and the few answers that are read. */
import type { Json } from './etcd-gateway.ts';

export type KeyValue = { readonly key: string; readonly value: string; readonly modRevision: number };

export function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** The end of the range of all keys that start with `prefix`, which ends in an ASCII character. */
export function prefixEnd(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** `kvs` of a range, or of an event. Numbers at 0 and empty values are left out by the gateway. */
export function keyValue(kv: Json): KeyValue {
  const text = (name: string): string => Buffer.from(String(kv[name] ?? ''), 'base64').toString('utf8');
  return { key: text('key'), value: text('value'), modRevision: Number(kv['mod_revision'] ?? 0) };
}

export function keyValuesOf(range: Json | undefined): KeyValue[] {
  return ((range?.['kvs'] ?? []) as Json[]).map(keyValue);
}

/** The store's revision when it answered. */
export function revisionOf(answer: Json): number {
  return Number((answer['header'] as Json | undefined)?.['revision'] ?? 0);
}
