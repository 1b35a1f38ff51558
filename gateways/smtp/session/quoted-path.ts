/**
 * A path of MAIL or RCPT whose local part is a quoted string (RFC 5321 §4.1.2): `<"a@b"@example.com>`, `<"a b"@…>`.
 * smtp-server cuts commands at spaces and addresses at `@`, and takes it for a mistake. So it is shown the same command
 * with a plain local part, judges domain and parameters, and the quoted one is put back.
 *
 * What it stands for is asked elsewhere: a domain begins behind the last `@` (message/addresses.ts), and no account
 * here has a name that needs quotes.
 */
const STAND_IN = 'quoted';
/** §4.5.3.1.1: octets of a local part. */
const OCTETS_MAX = 64;
/** Between the colon and the string, a source route (§4.1.2, which is dropped, §3.6.1). */
const QUOTED_PATH =
  /^((?:MAIL FROM|RCPT TO)\s*:\s*<(?:@[^\s"<>:]+:)?)("(?:[ !#-[\]-~\u0080-\uffff]|\\[ -~])*")(@[^\s"<>]*>(?:\s.*)?)$/i;

export type QuotedPath = {
  /** With the stand-in. */
  readonly command: string;
  /** The address, if the command with the stand-in has been read as `address`. */
  restored(address: string): string;
};

/** Undefined: no quoted string that is one, and short enough. */
export function quotedPath(command: string): QuotedPath | undefined {
  const [, before, localPart, behind] = QUOTED_PATH.exec(command) ?? [];
  if (before === undefined || localPart === undefined || behind === undefined) return undefined;
  if (Buffer.byteLength(localPart) > OCTETS_MAX) return undefined;
  return {
    command: `${before}${STAND_IN}${behind}`,
    restored: (address) => localPart + address.slice(address.lastIndexOf('@')),
  };
}
