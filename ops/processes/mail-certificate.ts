/**
 * The certificate that the mail ports show: the operator's, if there is one; else one of our own, made once and kept in
 * the process's folder, so that a mail client that was told to trust it finds it again after a restart.
 */
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownCertificate, type KeyAndCertificate } from '../../gateways/smtp/session/own-certificate.ts';
import { certificateFiles, certificateIn } from './certificate.ts';
import type { Settings } from './settings.ts';

/** Made anew so long before it ends. */
const LEFT_MS_MIN = 30 * 24 * 3600 * 1000;

/** Throws SettingsError. `now`: ms since 1970. */
export async function mailCertificate(
  settings: Pick<Settings, 'tlsCertFile' | 'tlsKeyFile' | 'domains'>,
  folder: string,
  now: number,
): Promise<KeyAndCertificate> {
  const configured = certificateIn(certificateFiles(settings));
  if (configured !== undefined) return configured;
  const { domains } = settings;
  const file = join(folder, 'own-certificate.json');
  const kept = keptIn(file, domains[0]!, now);
  if (kept !== undefined) return kept;
  const made = await ownCertificate(domains[0]!, now);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(file, JSON.stringify(made), { mode: 0o600 });
  return made;
}

/** Undefined if there is none that still serves. */
function keptIn(file: string, hostname: string, now: number): KeyAndCertificate | undefined {
  try {
    const { key, cert } = JSON.parse(readFileSync(file, 'utf8')) as KeyAndCertificate;
    const certificate = new X509Certificate(cert);
    const serves =
      certificate.checkHost(hostname) !== undefined && Date.parse(certificate.validTo) > now + LEFT_MS_MIN;
    return serves ? { key, cert } : undefined;
  } catch {
    // Not there, or cut off by a crash while it was written: another one is made.
    return undefined;
  }
}
