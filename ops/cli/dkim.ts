/** `penncloud dkim …`: keys that mail to other systems is signed with, and what to publish in DNS for them. */
import {
  keyRecord,
  makeSigningKey,
  signingKeys,
  type SigningKey,
} from '../../gateways/smtp/outbound/signing-keys.ts';
import { readSettings } from '../processes/settings.ts';
import { signingKeyFolder } from '../processes/signing-key-folder.ts';
import { BadInput, Failed } from './outcome.ts';
import { printJson } from './print.ts';

type Record = { readonly name: string; readonly type: 'TXT'; readonly value: string; readonly why: string };

export async function create(options: { domain?: string; selector?: string; json?: boolean }): Promise<void> {
  const { folder, domain } = placeOf(options.domain);
  const selector = options.selector ?? `pc${new Date().toISOString().slice(0, 10).replaceAll('-', '')}`;
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(selector))
    throw new BadInput(
      '--selector must be 1 to 63 small letters, digits and dashes, a label of a name in DNS.',
    );
  const older = await signingKeys(folder, domain);
  if (older.some((key) => key.selector === selector))
    throw new Failed(`${domain} has a key ${selector} already: name another one with --selector.`);
  const last = older.at(-1)?.selector;
  if (last !== undefined && last > selector)
    throw new BadInput(`--selector must come after ${last} in order: the last one signs.`);
  const key = await makeSigningKey(folder, domain, selector);
  if (!options.json)
    console.log(`A key for ${domain} is made; it signs within seconds. Publish its record first thing.\n`);
  tell(domain, [key], options.json);
}

export async function show(options: { domain?: string; json?: boolean }): Promise<void> {
  const { folder, domain } = placeOf(options.domain);
  const keys = await signingKeys(folder, domain);
  if (keys.length === 0)
    throw new Failed(`${domain} has no key: make one with \`penncloud dkim create --domain ${domain}\`.`);
  tell(domain, keys, options.json);
}

function placeOf(given: string | undefined): { folder: string; domain: string } {
  const { dataFolder, domains } = readSettings();
  const domain = given?.toLowerCase() ?? domains[0]!;
  if (!domains.includes(domain))
    throw new BadInput(`--domain must be one that is served here (PENNCLOUD_DOMAIN): ${domains.join(', ')}.`);
  return { folder: signingKeyFolder(dataFolder), domain };
}

function tell(domain: string, keys: readonly SigningKey[], json: boolean | undefined): void {
  const records = [...keys.map(recordOf), ...suggestions(domain)];
  if (json) return printJson(records);
  for (const { name, type, value, why } of records)
    console.log(`; ${why}\n${name}. IN ${type} ${quoted(value)}\n`);
}

function recordOf(key: SigningKey): Record {
  const { name, text } = keyRecord(key);
  return { name, type: 'TXT', value: text, why: 'the key that signatures are checked with (DKIM)' };
}

function suggestions(domain: string): Record[] {
  return [
    {
      name: domain,
      type: 'TXT',
      value: 'v=spf1 mx ~all',
      why: 'who may send for the domain (SPF): its mail servers; add the address that mail leaves from if it is another, and end with -all once all is well',
    },
    {
      name: `_dmarc.${domain}`,
      type: 'TXT',
      value: `v=DMARC1; p=none; rua=mailto:postmaster@${domain}`,
      why: 'what receivers do with what fails both (DMARC); p=quarantine, then p=reject, once the reports look right',
    },
    {
      name: `_mta-sts.${domain}`,
      type: 'TXT',
      value: `v=STSv1; id=${new Date().toISOString().slice(0, 10).replaceAll('-', '')}`,
      why: `that others must use TLS (MTA-STS); serve https://mta-sts.${domain}/.well-known/mta-sts.txt with: version: STSv1, mode: testing, mx: <your MX>, max_age: 86400`,
    },
  ];
}

/** RFC 1035 §3.3.14: strings of at most 255 bytes. */
function quoted(value: string): string {
  return (value.match(/.{1,250}/g) ?? []).map((piece) => `"${piece}"`).join(' ');
}
