/** `penncloud user …`: accounts, made and mended by the operator. */
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline/promises';
import { accountStream } from '../../domain/streams.ts';
import { PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, Passwords } from '../../gateways/passwords/passwords.ts';
import { accountStreams } from '../../gateways/postmaster/account-streams.ts';
import {
  readAccountCredentials,
  readAccountProfile,
  type AccountProfile,
} from '../../projections/account.ts';
import { credentialsCell, profileCell, secondFactorCell } from '../../projections/keys.ts';
import { readSecondFactor } from '../../projections/second-factor.ts';
import type { CellKey } from '../../projections/projection.ts';
import type { StoreClient } from '../../storage-nodes/client/client.ts';
import { operatorCommand, withStore } from './connection.ts';
import { BadInput, Failed } from './outcome.ts';
import { printJson, printTable } from './print.ts';
import { readValue } from './value-source.ts';

type PasswordOptions = { readonly passwordStdin?: boolean };

export async function add(name: string, options: PasswordOptions & { admin?: boolean }): Promise<void> {
  await withStore(async (store) => {
    const { password, generated } = await choosePassword(options);
    const passwordHash = await new Passwords().hash(password);
    const command = {
      stream: accountStream(name),
      type: 'account.SignUp',
      data: { name, admin: options.admin ?? false },
      parts: [Buffer.from(passwordHash), Buffer.from(name)],
      action: 'Add a user',
    };
    await store.execute(operatorCommand(command));
    console.log(`${options.admin ? 'Administrator' : 'User'} ${name} is added.`);
    if (generated) console.log(`Password (shown only now): ${password}`);
  });
}

export async function passwd(
  name: string,
  options: PasswordOptions & { withoutSecondStep?: boolean },
): Promise<void> {
  await withStore(async (store) => {
    const stream = accountStream(name);
    const cell = await readCell(store, stream, credentialsCell(stream));
    if (!cell) throw new Failed(`There is no user ${JSON.stringify(name)}.`);
    const { password, generated } = await choosePassword(options);
    const passwordHash = await new Passwords().hash(password);
    const command = {
      stream,
      type: 'account.ChangePassword',
      // Whoever asks the operator for a new password has lost it, or fears that somebody has it.
      data: { passwordVersion: readAccountCredentials(cell).passwordVersion, keeps: '' },
      parts: [Buffer.from(passwordHash)],
      action: 'Change the password',
    };
    await store.execute(operatorCommand(command));
    console.log(`The password of ${name} is changed, and every session is ended.`);
    if (options.withoutSecondStep) await turnOffSecondFactor(store, stream, name);
    if (generated) console.log(`Password (shown only now): ${password}`);
  });
}

export async function list(options: { json?: boolean }): Promise<void> {
  await withStore(async (store) => {
    const accounts: Account[] = [];
    for await (const stream of accountStreams(store)) {
      const account = await readAccount(store, stream);
      if (account) accounts.push(account);
    }
    accounts.sort((a, b) => (a.name < b.name ? -1 : 1));
    if (options.json) return printJson(accounts);
    printTable(
      ['NAME', 'ADMIN', 'TWO STEPS', 'SINCE', 'DISPLAY NAME'],
      accounts.map((account) => [
        account.name,
        account.admin ? 'yes' : '',
        account.hasSecondFactor ? 'on' : '',
        new Date(account.createdAt).toISOString(),
        account.displayName,
      ]),
    );
  });
}

/** What the operator sees of an account: no signature, no session. */
type Account = Pick<AccountProfile, 'name' | 'displayName' | 'admin' | 'createdAt'> & {
  readonly hasSecondFactor: boolean;
};

/** Undefined for one that was deleted. */
async function readAccount(store: StoreClient, stream: string): Promise<Account | undefined> {
  const [profile, factor] = await Promise.all(
    [profileCell(stream), secondFactorCell(stream)].map((cell) => readCell(store, stream, cell)),
  );
  if (!profile) return undefined;
  const { name, displayName, admin, createdAt } = readAccountProfile(profile);
  const hasSecondFactor = factor !== undefined && readSecondFactor(factor).on;
  return { name, displayName, admin, createdAt, hasSecondFactor };
}

/** For someone who has lost both the phone and the recovery codes. */
async function turnOffSecondFactor(store: StoreClient, stream: string, name: string): Promise<void> {
  const [factor, credentials] = await Promise.all(
    [secondFactorCell(stream), credentialsCell(stream)].map((cell) => readCell(store, stream, cell)),
  );
  if (!factor || !credentials || !readSecondFactor(factor).on) {
    console.log(`Two-step log-in of ${name} was off already.`);
    return;
  }
  const command = {
    stream,
    type: 'account.TurnOffSecondFactor',
    data: {
      factorVersion: readSecondFactor(factor).version,
      passwordVersion: readAccountCredentials(credentials).passwordVersion,
    },
    parts: [],
    action: 'Turn off two-step log-in',
  };
  await store.execute(operatorCommand(command));
  console.log(`Two-step log-in of ${name} is off.`);
}

async function readCell(store: StoreClient, stream: string, cell: CellKey): Promise<Buffer | undefined> {
  const { results } = await store.read(stream, [{ get: cell }]);
  return results[0]?.[0] && store.bytes(results[0][0]);
}

async function choosePassword(options: PasswordOptions): Promise<{ password: string; generated: boolean }> {
  if (options.passwordStdin) {
    const text = (await readValue({ argument: '-', file: undefined }, PASSWORD_BYTES_MAX + 2)).toString(
      'utf8',
    );
    return { password: checked(text.replace(/\r?\n$/, '')), generated: false };
  }
  if (!process.stdin.isTTY) return { password: randomBytes(12).toString('base64url'), generated: true };
  return { password: checked(await ask('Password: ')), generated: false };
}

function checked(password: string): string {
  if ([...password].length < PASSWORD_CHARS_MIN) {
    throw new BadInput(`Password must have at least ${PASSWORD_CHARS_MIN} characters.`);
  }
  if (Buffer.byteLength(password) > PASSWORD_BYTES_MAX) {
    throw new BadInput(`Password must have at most ${PASSWORD_BYTES_MAX} bytes.`);
  }
  return password;
}

/** Asks on the terminal without showing what is typed. */
async function ask(question: string): Promise<string> {
  process.stderr.write(question);
  const terminal = createInterface({ input: process.stdin, terminal: true });
  try {
    return await terminal.question('');
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
