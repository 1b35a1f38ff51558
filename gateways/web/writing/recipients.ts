/**
 * To whom: what was typed into To, Cc and Bcc becomes accounts here and addresses elsewhere. Everything that
 * is wrong is named at once, with what would be right, so that nothing has to be sent to learn the next fault.
 * Whether an account exists is told for the addresses that someone names, one by one, as any mail server does;
 * accounts are never listed.
 */
import { RECIPIENTS_MAX } from '../../../domain/mail/fields.ts';
import { accountStream } from '../../../domain/streams.ts';
import { profileCell } from '../../../projections/keys.ts';
import { isServed, parseAddressList, recipientAccount, type Address } from '../../message/addresses.ts';
import type { Pages } from '../../pages/pages.ts';
import { NoPostmaster, POSTMASTER, type Postmaster } from '../../postmaster/postmaster.ts';
import type { Typed } from '../../drafts/draft-content.ts';

export type Recipients = {
  readonly to: readonly Address[];
  readonly cc: readonly Address[];
  readonly bcc: readonly Address[];
  /** Names of accounts here, each once. */
  readonly accounts: readonly string[];
  /** Addresses elsewhere, each once. */
  readonly outside: readonly string[];
  /** A sentence for each thing that is wrong; none: the message can go out. */
  readonly faults: readonly string[];
};

const LABELS = { to: 'To', cc: 'Cc', bcc: 'Bcc' } as const;
const SHOWN_MAX = 5;

export async function readRecipients(
  pages: Pages,
  typed: Pick<Typed, keyof typeof LABELS>,
): Promise<Recipients> {
  const lists = {
    to: parseAddressList(typed.to),
    cc: parseAddressList(typed.cc),
    bcc: parseAddressList(typed.bcc),
  };
  const all = [...lists.to.ok, ...lists.cc.ok, ...lists.bcc.ok];
  const faults = (['to', 'cc', 'bcc'] as const).flatMap((name) => malformed(LABELS[name], lists[name].bad));
  if (all.length === 0 && faults.length === 0) faults.push('To is missing: write at least one address.');
  if (all.length > RECIPIENTS_MAX) {
    faults.push(`There are too many recipients: at most ${RECIPIENTS_MAX}, these are ${all.length}.`);
  }
  const found = faults.length > 0 ? NOBODY : await sorted(pages, all);
  if (found.missing.length > 0) {
    faults.push(`There is nobody at ${listed(found.missing)}: check the address. Nothing was sent.`);
  }
  return {
    to: lists.to.ok,
    cc: lists.cc.ok,
    bcc: lists.bcc.ok,
    accounts: found.accounts,
    outside: found.outside,
    faults,
  };
}

/** What is wrong with the addresses of one field, while it is typed; the last one may be unfinished. */
export async function faultsOf(pages: Pages, list: string): Promise<string[]> {
  const { ok, bad } = parseAddressList(list);
  const { missing } = await sorted(pages, ok.slice(0, RECIPIENTS_MAX));
  return [
    ...bad.slice(0, SHOWN_MAX).map((one) => `“${one}” is not a mail address: write it as name@domain.`),
    ...missing.slice(0, SHOWN_MAX).map((one) => `There is nobody at ${one}.`),
  ];
}

/** Whether this address is an account's here. */
export async function isAccountHere(pages: Pages, address: string): Promise<boolean> {
  const { missing, accounts } = await sorted(pages, [{ name: '', address }]);
  return missing.length === 0 && accounts.length === 1;
}

type Sorted = {
  readonly accounts: readonly string[];
  readonly outside: readonly string[];
  readonly missing: readonly string[];
};
const NOBODY: Sorted = { accounts: [], outside: [], missing: [] };

async function sorted({ deps }: Pages, addresses: readonly Address[]): Promise<Sorted> {
  const { store, domains, postmaster } = deps;
  const accounts = new Map<string, string>();
  const outside = new Map<string, string>();
  const missing: string[] = [];
  for (const { address } of addresses) {
    const account = recipientAccount(address, domains);
    if (account !== undefined) accounts.set(account, address);
    else if (isServed(address, domains)) missing.push(address);
    else outside.set(address.toLowerCase(), address);
  }
  const known = await Promise.all(
    [...accounts].map(async ([account, address]) => {
      if (account === POSTMASTER) return { address, reader: await readerOf(postmaster) };
      const owner = accountStream(account);
      const answer = await store.read(owner, [{ get: profileCell(owner) }]);
      return { address, reader: answer.results[0]?.[0] === undefined ? undefined : account };
    }),
  );
  return {
    accounts: [...new Set(known.flatMap(({ reader }) => reader ?? []))],
    outside: [...outside.values()],
    missing: [
      ...missing,
      ...known.filter(({ reader }) => reader === undefined).map(({ address }) => address),
    ],
  };
}

/** Undefined: nobody does yet. */
async function readerOf(postmaster: Postmaster): Promise<string | undefined> {
  return postmaster.account().catch((error: unknown) => {
    if (error instanceof NoPostmaster) return undefined;
    throw error;
  });
}

function malformed(label: string, bad: readonly string[]): string[] {
  if (bad.length === 0) return [];
  const [are, them] = bad.length === 1 ? ['is not a mail address', 'it'] : ['are not mail addresses', 'them'];
  return [
    `${label} holds ${listed(bad.map((one) => `“${one}”`))}, which ${are}: write ${them} as name@domain.`,
  ];
}

function listed(all: readonly string[]): string {
  const more = all.length - SHOWN_MAX;
  return all.slice(0, SHOWN_MAX).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
