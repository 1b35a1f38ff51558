/**
 * A key and a self-signed certificate of this process, so that STARTTLS can be offered before anyone
 * has configured a certificate. Servers that encrypt opportunistically (RFC 7435) accept it: it keeps
 * readers on the line out, it proves nothing about who we are. The key never leaves the process and
 * ends with it.
 */
import { generate } from 'selfsigned';

export type KeyAndCertificate = { readonly key: string; readonly cert: string };

const DAY_MS = 24 * 3600 * 1000;
const VALID_DAYS = 3650;

/** PEM, ECDSA on P-256. `time`: ms since 1970; valid from the day before it for ten years. */
export async function ownCertificate(hostname: string, time: number): Promise<KeyAndCertificate> {
  const made = await generate([{ name: 'commonName', value: hostname }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(time - DAY_MS),
    notAfterDate: new Date(time + VALID_DAYS * DAY_MS),
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: hostname }] }],
  });
  return { key: made.private, cert: made.cert };
}
