/**
 * Rejections: the expected ways in which a command can be refused. Each has a stable code that
 * gateways alone translate into HTTP, SMTP or CLI words. A rejection changes nothing.
 */
export type RejectionCode =
  | 'Malformed' //           a field is missing, of the wrong shape, or outside its limit
  | 'UnknownCommand'
  | 'NameTaken' //           sign-up: an account has this name; drive: the folder has this name
  | 'NoSuchAccount'
  | 'WrongPassword'
  | 'SessionEnded' //        unknown, expired or revoked session
  | 'NoSuchMessage'
  | 'NoSuchFolder'
  | 'NoSuchFile'
  | 'ValueMismatch' //       CPUT: the current value is another one
  | 'LinkSpent' //           a one-time link that was used or has expired
  | 'ChangedSince' //        what was to be changed or undone is not any more what it was
  | 'CodeNeeded' //          two-step log-in is on, and no code came along
  | 'WrongCode' //           a code of the second step, or a recovery code, that was used or never was one
  | 'Stale' //               a setting was changed since it was read
  | 'NoSuchIdentity'
  | 'NoSuchContact' //       nor such a group
  | 'ClaimedByAnother' //    another worker's lease of a queue lasts still
  | 'ClaimLost' //           the queue has changed hands since its worker claimed it
  | 'NoSuchItem' //          nothing with this id waits in the queue
  | 'TooMany' //             a list is full
  | 'TooLarge';

export type Rejection = {
  readonly code: RejectionCode;
  /** A sentence for the person who sent the command; names the field and the limit. */
  readonly message: string;
  readonly field?: string;
  readonly limit?: number | string;
  /** Facts the caller may show, e.g. the current digest after a ValueMismatch. */
  readonly details?: Readonly<Record<string, string | number | null>>;
};

export function rejection(
  code: RejectionCode,
  message: string,
  more: Omit<Rejection, 'code' | 'message'> = {},
): Rejection {
  return { code, message, ...more };
}
