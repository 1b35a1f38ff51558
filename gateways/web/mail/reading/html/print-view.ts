/**
 * A message as it is printed: in front who, when, what, in lines that the mail's own styles can neither hide nor
 * restyle; behind them its body, still to be sanitised.
 */
import type { Address } from '../../../../message/addresses.ts';
import type { ReadableMessage } from '../../../../message/read-message.ts';
import { timeInWords } from '../../../../pages/wording.ts';
import { UNMOVED } from './html-mail.ts';

export type Printable = {
  /** HTML of ours, foreign words escaped. */
  readonly front: string;
  /** Unsanitised. */
  readonly body: string;
};

/** `at`: ms since 1970. */
export function printable({ headers, html, text, attachments }: ReadableMessage, at: number): Printable {
  const lines = [
    ['From', people([headers.from])],
    ['To', people(headers.to)],
    ['Cc', people(headers.cc)],
    ['Date', timeInWords(at)?.words ?? ''],
    ['Attached', attachments.map(({ name }) => name).join(', ')],
  ].flatMap(([name, value]) => (value ? [`<p style="${LINE}">${name}: ${escaped(value)}</p>`] : []));
  const title = escaped(headers.subject || '(no subject)');
  return {
    front: `<h1 style="${TITLE}">${title}</h1>${lines.join('')}<p style="${LINE};border-bottom:1px solid #999!important">&nbsp;</p>`,
    body: html ?? `<div style="white-space:pre-wrap">${escaped(text ?? '')}</div>`,
  };
}

const LINE = `${UNMOVED};padding:0 16px!important;overflow-wrap:anywhere`;
const TITLE = `${LINE};padding-top:16px!important;padding-bottom:8px!important;font-size:20px!important;font-weight:bold!important`;

function people(addresses: readonly Address[]): string {
  return addresses
    .map(({ name, address }) => (name === '' ? address : `${name} <${address}>`))
    .filter((person) => person !== '')
    .join(', ');
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
