/**
 * What is wrong with a command and smtp-server lets pass:
 *
 *   control characters, NUL among them                             501 5.5.2   RFC 5321 §4.1.2
 *   bytes above 127 in MAIL without SMTPUTF8                       550 5.6.7   RFC 6531 §3.5
 *   the same in RCPT                                               553 5.6.7
 *   the same in HELO and EHLO                                      501 5.5.4   RFC 6531 §3.7.1
 *   bytes that are no UTF-8                                        501 5.5.2   RFC 6531 §3.3
 *   a parameter that was not offered                               555 5.5.4   RFC 5321 §4.1.1.11
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { SmtpReply } from './smtp-reply.ts';

const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;
/** A path whose local part is a quoted string may hold anything in it. */
const PATH_COMMAND =
  /^(MAIL FROM|RCPT TO):\s*<(?:(?:@[^\s"<>]+:)?"(?:[^"\\]|\\.)*"@[^<>\s]*|[^<>\s]*)>(?:\s+(.*))?$/i;
const MAIL_OFFERED: ReadonlySet<string> = new Set(['SIZE', 'BODY', 'SMTPUTF8']);
const NONE: ReadonlySet<string> = new Set();

export type Offered = {
  /** The transaction was begun with SMTPUTF8. */
  readonly isSmtpUtf8: boolean;
  /** AUTH is offered, and so is the parameter of MAIL (RFC 4954 §5). */
  readonly authenticates: boolean;
};

/** `command`: a line without its end. Undefined: nothing. */
export function faultOf(command: Buffer, { isSmtpUtf8, authenticates }: Offered): SmtpReply | undefined {
  const line = command.toString();
  if (CONTROL.test(line)) return new SmtpReply(501, '5.5.2', 'A command must not have control characters');
  const [, verb = '', parameters = ''] = PATH_COMMAND.exec(line) ?? [];
  const isMail = /^mail/i.test(verb);
  const keywords = parameters
    .split(/\s+/)
    .filter((one) => one !== '')
    .map((one) => one.replace(/=.*$/s, '').toUpperCase());
  if (!isAscii(command)) {
    const fault = beyondAscii(command, line, isSmtpUtf8 || (isMail && keywords.includes('SMTPUTF8')));
    if (fault) return fault;
  }
  if (verb === '') return undefined;
  const offered = isMail ? MAIL_OFFERED : NONE;
  const unknown = keywords.find((one) => !offered.has(one) && !(one === 'AUTH' && isMail && authenticates));
  if (unknown === undefined) return undefined;
  return new SmtpReply(555, '5.5.4', `The parameter ${unknown.slice(0, 40)} is not offered here`);
}

function beyondAscii(command: Buffer, line: string, isSmtpUtf8: boolean): SmtpReply | undefined {
  const verb = line.slice(0, 4).toUpperCase();
  if (verb === 'EHLO' || verb === 'HELO')
    return new SmtpReply(501, '5.5.4', 'A name must be given in ASCII, as an A-label (RFC 6531 3.7.1)');
  if (verb !== 'MAIL' && verb !== 'RCPT') return undefined;
  if (!isUtf8(command)) return new SmtpReply(501, '5.5.2', 'The address is not in UTF-8');
  if (isSmtpUtf8) return undefined;
  const text = 'An address beyond ASCII needs the parameter SMTPUTF8 at MAIL (RFC 6531)';
  return verb === 'MAIL' ? new SmtpReply(550, '5.6.7', text) : new SmtpReply(553, '5.6.7', text);
}
