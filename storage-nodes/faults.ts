/**
 * Faults: operational failures. Each says whether the same request may be sent again, always with
 * its cause. (Rejections are the domain's; defects crash the process.)
 */
export type FaultCode =
  | 'NotPrimary' //       ask another node; `hint` may name the primary
  | 'NotServing' //       the tablet has no primary that may answer now
  | 'StaleEpoch' //       the sender was replaced
  | 'Unavailable' //      nobody reachable before the deadline: the outcome is unknown
  | 'OutcomeUnknown' //   the command's expiry has passed, or its primary lost its place: it may or may not have happened
  | 'Overloaded' //       too much in flight; try again
  | 'WrongRange' //       the tablet does not own that row; fetch the map again
  | 'Damaged' //          bytes on this node fail their checksum; another replica may have them
  | 'DiskFull'
  | 'DiskFailed' //       a failed write or fsync: the node stops serving
  | 'Malformed' //        a request that breaks the protocol
  | 'Closed';

const RETRIABLE: ReadonlySet<FaultCode> = new Set([
  'NotPrimary',
  'NotServing',
  'StaleEpoch',
  'Overloaded',
  'WrongRange',
  'DiskFull',
  'Closed',
  'Damaged',
]);

export class Fault extends Error {
  readonly code: FaultCode;
  readonly retry: boolean;
  readonly hint: string | undefined;
  constructor(code: FaultCode, message: string, more: { cause?: unknown; hint?: string } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'Fault';
    this.code = code;
    this.retry = RETRIABLE.has(code);
    this.hint = more.hint;
  }
}

/** A broken invariant: the node must not go on. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Defect: ${message}`);
}
