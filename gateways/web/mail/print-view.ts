/**
 * A message as it is printed: who, when, what, and then its body, as one piece of HTML. All of it goes through the
 * sanitiser together, so that nothing is put together afterwards.
 *
 * The mail's own style sheets reach the lines in front of it, so these say how they look in a way that no
 * sheet overrides.
 */
import type { Address } from '../../message/addresses.ts';
import type { ReadableMessage } from '../../message/read-message.ts';
import { timeInWords } from '../../pages/wording.ts';

/** Unsanitised. `at`: ms since 1970. */
export function printable({ headers, html, text, attachments }: ReadableMessage, at: number): string {
  const lines = [
    ['From', people([headers.from])],
    ['To', people(headers.to)],
    ['Cc', people(headers.cc)],
    ['Date', timeInWords(at)?.words ?? ''],
    ['Attached', attachments.map(({ name }) => name).join(', ')],
  ].flatMap(([name, value]) => (value ? [`<b ${PLAIN}>${name}:</b> ${escaped(value)}<br>`] : []));
  const title = escaped(headers.subject || '(no subject)');
  const body = html ?? `<div style="white-space:pre-wrap">${escaped(text ?? '')}</div>`;
  return `<div style="${PAPER}"><h1 style="${INK};font-size:20px!important">${title}</h1><p style="${INK}">${lines.join('')}</p></div><hr>${body}`;
}

const INK =
  'display:block!important;color:#000!important;background:#fff!important;opacity:1!important;width:auto!important;height:auto!important;margin:0 0 12px!important;font-size:14px!important;text-indent:0!important;text-transform:none!important';
const PAPER = `${INK};padding:16px!important;margin:0!important`;
const PLAIN = 'style="display:inline!important;color:#000!important;font-size:14px!important"';

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
