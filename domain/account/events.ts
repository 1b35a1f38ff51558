/** What has happened to an account: that it exists, its password, its sessions. Stream: the account's. */

/** Parts: 0 the password's hash (PHC text), 1 the display name. Password version 1. */
export type SignedUp = {
  readonly type: 'account.SignedUp';
  readonly version: 1;
  readonly data: { readonly name: string; readonly admin: boolean };
};

/** Part 0: the browser's own description of itself (user agent). */
export type SessionOpened = {
  readonly type: 'account.SessionOpened';
  readonly version: 1;
  readonly data: { readonly sessionHash: string; readonly expiresAt: number };
};

export type SessionClosed = {
  readonly type: 'account.SessionClosed';
  readonly version: 1;
  readonly data: { readonly sessionHash: string };
};

/** Part 0: the new password's hash. `passwordVersion` is the new one. */
export type PasswordChanged = {
  readonly type: 'account.PasswordChanged';
  readonly version: 1;
  readonly data: { readonly passwordVersion: number };
};

export type AccountEvent = SignedUp | SessionOpened | SessionClosed | PasswordChanged;
