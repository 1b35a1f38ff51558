/** `penncloud dkim …`: keys that mail to other systems is signed with, and what to publish in DNS for them. */
import { Resolver } from 'node:dns/promises';
import type { Algorithm } from '../../gateways/smtp/outbound/signing/dkim-fields.ts';
import { publicationOf, type Publication } from '../../gateways/smtp/outbound/signing/published-keys.ts';
import {
  activate,
  keyRecord,
  makeSigningKey,
  signingKeys,
  type SigningKey,
} from '../../gateways/smtp/outbound/signing/signing-keys.ts';
import { readSettings } from '../processes/settings.ts';
import { signingKeyFolder } from '../processes/signing-key-folder.ts';
import { BadInput, Failed } from './outcome.ts';
import { printJson } from './print.ts';

type Record = {
  readonly name: string;
  readonly type: 'TXT';
  readonly value: string;
  readonly why: string;
  /** Of a key: whether it signs, and what DNS says. */
  readonly isActive?: boolean;
  readonly published?: Publication;
};

const LOOKED_UP_MS = 5_000;
const DNS_SAYS: { readonly [said in Publication]: string } = {
  published: 'published',
  missing: 'not published yet',
  different: 'DNS has another record of this name',
  unknown: 'whether it is published could not be looked up',
};

export async function create(options: {
  domain?: string;
  selector?: string;
  algorithm: Algorithm;
  json?: boolean;
}): Promise<void> {
  const { folder, domain, resolver } = placeOf(options.domain);
  const { algorithm } = options;
  const today = new Date().toISOString().slice(0, 10).replaceAll('-', '');
  const selector = options.selector ?? `pc${today}${algorithm === 'rsa' ? '' : '-ed25519'}`;
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(selector))
    throw new BadInput(
      '--selector must be 1 to 63 small letters, digits and dashes, a label of a name in DNS.',
    );
  const older = await signingKeys(folder, domain);
  if (older.some((key) => key.selector === selector))
    throw new Failed(`${domain} has a key ${selector} already: name another one with --selector.`);
  const last = older.findLast((key) => key.algorithm === algorithm)?.selector;
  if (last !== undefined && last > selector)
    throw new BadInput(`--selector must come after ${last} in order: the last one of its kind signs.`);
  const key = await makeSigningKey(folder, domain, selector, algorithm);
  if (!options.json)
    console.log(
      `A key for ${domain} is made. It signs once its record is seen in DNS, within a minute or two of that; ` +
        `\`penncloud dkim activate ${selector} --domain ${domain}\` makes it sign at once.\n`,
    );
  await tell(domain, [key], resolver, options.json);
}

export async function show(options: { domain?: string; json?: boolean }): Promise<void> {
  const { folder, domain, resolver } = placeOf(options.domain);
  const keys = await signingKeys(folder, domain);
  if (keys.length === 0)
    throw new Failed(`${domain} has no key: make one with \`penncloud dkim create --domain ${domain}\`.`);
  await tell(domain, keys, resolver, options.json);
}

export async function activateKey(selector: string, options: { domain?: string }): Promise<void> {
  const { folder, domain } = placeOf(options.domain);
  const keys = await signingKeys(folder, domain);
  const key = keys.find((one) => one.selector === selector);
  if (key === undefined)
    throw new Failed(
      `${domain} has no key ${selector.slice(0, 63)}; it has ${keys.map((one) => one.selector).join(', ') || 'none'}.`,
    );
  await activate(folder, key);
  console.log(`The key ${selector} of ${domain} signs within seconds.`);
}

function placeOf(given: string | undefined): { folder: string; domain: string; resolver: Resolver } {
  const { dataFolder, domains, dnsResolvers } = readSettings();
  const domain = given?.toLowerCase() ?? domains[0]!;
  if (!domains.includes(domain))
    throw new BadInput(`--domain must be one that is served here (PENNCLOUD_DOMAIN): ${domains.join(', ')}.`);
  const resolver = new Resolver({ timeout: LOOKED_UP_MS, tries: 1 });
  if (dnsResolvers.length > 0) resolver.setServers(dnsResolvers);
  return { folder: signingKeyFolder(dataFolder), domain, resolver };
}

async function tell(
  domain: string,
  keys: readonly SigningKey[],
  resolver: Resolver,
  json: boolean | undefined,
): Promise<void> {
  const ofKeys = await Promise.all(keys.map((key) => recordOf(key, resolver)));
  const records = [...ofKeys, ...suggestions(domain)];
  if (json) return printJson(records);
  for (const { name, type, value, why } of records)
    console.log(`; ${why}\n${name}. IN ${type} ${quoted(value)}\n`);
}

async function recordOf(key: SigningKey, resolver: Resolver): Promise<Record> {
  const { name, text } = keyRecord(key);
  const { isActive } = key;
  const published = await publicationOf(key, resolver);
  const state = `${isActive ? 'active' : 'not active'}; ${DNS_SAYS[published]}`;
  const why = `the key that signatures are checked with (DKIM): ${state}`;
  return { name, type: 'TXT', value: text, why, isActive, published };
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
