/**
 * Trace fields (RFC 5321 §4.4): who handed the message to us, when, and under which name it is kept.
 * They are put in front of the message; its own bytes stay as they are.
 */
import { isIPv6 } from 'node:net';

/** RFC 5321 §6.3 proposes counting Received fields; 50 is what Postfix allows. */
export const HOPS_MAX = 50;

export type Handover = {
  /** The envelope's sender; empty for a bounce. */
  readonly returnPath: string;
  /** What the client called itself in EHLO. */
  readonly clientName: string;
  readonly clientAddress: string;
  readonly hostname: string;
  /** SMTP, ESMTP, ESMTPS, or UTF8SMTP … (RFC 3848, RFC 6531 §4.3) */
  readonly protocol: string;
  readonly messageId: string;
  /** Named only if there is one: recipients must not learn of each other (RFC 5321 §7.2). */
  readonly recipients: readonly string[];
  /** ms since 1970 */
  readonly time: number;
};

/** `verdict`: of where the message comes from, a whole field or '' (RFC 8601 §4: above the Received that it belongs to). */
export function traceFields(handover: Handover, verdict = ''): Buffer {
  const { returnPath, clientName, clientAddress, hostname, protocol, messageId, recipients, time } = handover;
  const literal = isIPv6(clientAddress) ? `[IPv6:${clientAddress}]` : `[${clientAddress}]`;
  const only = recipients.length === 1 ? `\r\n\tfor <${recipients[0] ?? ''}>` : '';
  const date = new Date(time).toUTCString().replace(/GMT$/, '+0000');
  return Buffer.from(
    `Return-Path: <${returnPath}>\r\n${verdict}` +
      `Received: from ${domainToken(clientName)} (${literal})\r\n` +
      `\tby ${domainToken(hostname)} with ${protocol} id ${messageId}${only};\r\n` +
      `\t${date}\r\n`,
  );
}

/**
 * For what one of our own users hands in: that is known by the log-in, and where they sit is nobody's business. So the
 * field, whose grammar wants a name there, says from us, by us.
 */
export function submittedField({
  hostname,
  protocol,
  messageId,
  time,
}: Pick<Handover, 'hostname' | 'protocol' | 'messageId' | 'time'>): Buffer {
  const name = domainToken(hostname);
  const date = new Date(time).toUTCString().replace(/GMT$/, '+0000');
  return Buffer.from(`Received: from ${name} by ${name} with ${protocol} id ${messageId};\r\n\t${date}\r\n`);
}

/** What a stranger calls itself must not be able to write the rest of the field. */
function domainToken(name: string): string {
  return /^[\w.:[\]-]{1,255}$/.test(name) ? name : 'unknown';
}
