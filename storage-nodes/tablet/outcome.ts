/** What becomes of a command at the primary, before anything of it is committed. */
import type { Rejection } from '../../domain/errors.ts';
import { Fault } from '../faults.ts';
import type { Seq } from '../words.ts';

export type Outcome =
  /** Entry `seq` answers this command: it was decided now, or is the first answer to the same id. */
  | { readonly kind: 'entry'; readonly seq: Seq; readonly time: number; readonly reply: unknown }
  | { readonly kind: 'earlier'; readonly seq: Seq }
  /** Nothing to log. Valid once everything up to `seen` is committed. */
  | { readonly kind: 'nothing'; readonly seen: Seq; readonly reply: unknown; readonly time: number }
  | { readonly kind: 'rejected'; readonly seen: Seq; readonly rejection: Rejection };

/** The caller asks again, with the same command id, whoever is primary then. */
export function replaced(): Fault {
  return new Fault('NotServing', 'this node is no longer the primary; ask again with the same command id');
}
