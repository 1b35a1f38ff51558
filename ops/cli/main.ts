/**
 * The command line. This file is its grammar; each command's work is in a module of its own, loaded only
 * when it is asked for, so that a quick command stays quick.
 */
import { Command, Option } from 'commander';
import { exitOf, positiveNumber, wholeNumber } from './outcome.ts';

const LIMIT = wholeNumber('--limit', 1, 100_000);

const program = new Command('penncloud')
  .description('Webmail, a file drive and an admin console on a replicated, event-sourced store of its own.')
  .exitOverride()
  .showHelpAfterError('(add --help for what there is)');

program
  .command('up')
  .description('run a local cluster until Ctrl-C')
  .option('--config-store <which>', 'embedded or etcd (PENNCLOUD_CONFIG_STORE)')
  .action(async ({ configStore }) => {
    if (configStore !== undefined) process.env['PENNCLOUD_CONFIG_STORE'] = configStore;
    const { up } = await import('../cluster/up.ts');
    process.exitCode = await up();
  });

program
  .command('status')
  .description('processes, tablets and alarms of the running cluster')
  .option('--json', 'as JSON')
  .action(async (options) => (await import('./status.ts')).status(options));

program
  .command('config')
  .description('every setting, its value and where it came from')
  .option('--json', 'as JSON')
  .action(async (options) => (await import('./config.ts')).config(options));

const node = program.command('node').description('processes of the running cluster');
node
  .command('list')
  .description('what each says of itself')
  .option('--json', 'as JSON')
  .action(async (options) => (await import('./node.ts')).list(options));
node
  .command('drain')
  .description('hand over what others can do; a restart takes it back')
  .argument('<id>')
  .action(async (id) => (await import('./node.ts')).drain(id));
node
  .command('disable')
  .description('drain and stop; a restart starts it again')
  .argument('<id>')
  .action(async (id) => (await import('./node.ts')).disable(id));
node
  .command('restart')
  .description('drain, stop and start again')
  .argument('<id>')
  .action(async (id) => (await import('./node.ts')).restart(id));

const kv = program.command('kv').description('cells of the table');
kv.command('put')
  .description('store a value')
  .argument('<row>')
  .argument('<column>')
  .argument('[value]', 'the value; - reads it from standard input')
  .option('--file <path>', 'take the value from a file')
  .action(async (row, column, value, { file }) => (await import('./kv.ts')).put(row, column, value, file));
kv.command('get')
  .description("write a cell's bytes to standard output")
  .argument('<row>')
  .argument('<column>')
  .action(async (row, column) => (await import('./kv.ts')).get(row, column));
kv.command('cput')
  .description('store NEW if the value is OLD')
  .argument('<row>')
  .argument('<column>')
  .argument('[values...]', 'OLD and NEW; NEW alone with --absent; - as NEW reads standard input')
  .option('--absent', 'in place of OLD: the cell must not exist')
  .option('--file <path>', 'take NEW from a file')
  .action(async (row, column, values, { absent, file }) =>
    (await import('./kv.ts')).compareAndPut({ row, column, values, absent: absent ?? false, file }),
  );
kv.command('delete')
  .description('remove a cell')
  .argument('<row>')
  .argument('<column>')
  .action(async (row, column) => (await import('./kv.ts')).remove(row, column));
kv.command('scan')
  .description('list cells in row order')
  .option('--from <row>', 'the first row')
  .option('--to <row>', 'the row to stop before')
  .option('--limit <n>', 'at most so many cells', LIMIT, 100)
  .option('--json', 'as JSON')
  .action(async (options) => (await import('./kv.ts')).scan(options));

const log = program.command('log').description("entries of a tablet's log");
log
  .command('show')
  .description('list entries, oldest first')
  .requiredOption('--tablet <id>', 'which tablet')
  .option('--from <seq>', 'the first entry', wholeNumber('--from', 1, Number.MAX_SAFE_INTEGER), 1)
  .option('--limit <n>', 'at most so many entries', LIMIT, 100)
  .option('--json', 'as JSON')
  .action(async (options) => (await import('./log.ts')).show(options));
log
  .command('tail')
  .description('follow new entries until Ctrl-C')
  .option('--tablet <id>', 'one tablet; otherwise all')
  .option('--json', 'one JSON object a line')
  .action(async (options) => (await import('./log.ts')).tail(options));

program
  .command('replay')
  .description('replay logs into fresh cells')
  .option('--tablet <id>', 'one tablet; otherwise all')
  .option('--to <seq|time>', 'up to an entry, or up to an ISO time')
  .option('--verify', "read every replica's own files and compare with its live cells")
  .option('--json', 'as JSON')
  .action(async (options) => (await import('./replay.ts')).replay(options));

program
  .command('recover')
  .description('put back configurations that the config store has lost, from what all nodes hold')
  .option(
    '--force <tablet=node...>',
    'go on from this copy, though it may lack entries (starts a new lineage)',
  )
  .option('--yes', 'do it; otherwise it is only shown')
  .option('--json', 'as JSON')
  .action(async (options) => (await import('./recover.ts')).recover(options));

program
  .command('chaos')
  .description('break a cluster of its own under load, and judge what callers saw')
  .requiredOption('--minutes <n>', 'how long, such as 5 or 0.5', positiveNumber('--minutes', 24 * 60))
  .option('--seed <n>', 'repeats the faults of a run', wholeNumber('--seed', 0, 2 ** 31 - 1))
  .option('--callers <n>', 'how many ask at once', wholeNumber('--callers', 1, 256), 12)
  .option('--only <text>', 'only faults with this in their name')
  .addOption(
    new Option('--config-store <kind>', 'where configurations are kept')
      .choices(['embedded', 'etcd'])
      .default('embedded'),
  )
  .option('--json', 'as JSON')
  .action(async (options) => (await import('./chaos.ts')).chaos(options));

const user = program.command('user').description('accounts');
user
  .command('add')
  .description('add an account; without a terminal, a password is made up and printed once')
  .argument('<name>')
  .option('--admin', 'may open the console')
  .option('--password-stdin', 'read the password from standard input')
  .action(async (name, options) => (await import('./user.ts')).add(name, options));
user
  .command('passwd')
  .description("change an account's password, and end its sessions")
  .argument('<name>')
  .option('--password-stdin', 'read the password from standard input')
  .option('--without-second-step', 'turn off two-step log-in as well, for a lost phone')
  .action(async (name, options) => (await import('./user.ts')).passwd(name, options));
user
  .command('list')
  .description('list accounts')
  .option('--json', 'as JSON')
  .action(async (options) => (await import('./user.ts')).list(options));

const mail = program.command('import').description('mail out of mailbox files; run again, it goes on');
for (const [kind, what, paths] of [
  ['mbox', 'mbox files (Thunderbird, Google Takeout, mutt)', '<file...>'],
  ['maildir', 'Maildir folders (Dovecot, Courier)', '<folder...>'],
  ['eml', 'single messages, or folders of *.eml', '<path...>'],
] as const) {
  mail
    .command(kind)
    .description(what)
    .argument('<account>')
    .argument(paths)
    .option('--folder <path>', 'where all of it goes, such as archive or Work/Clients; made if missing')
    .option('--json', 'the outcome as JSON')
    .action(async (account, sources, options) =>
      (await import('./import.ts')).importMail(kind, account, sources, options),
    );
}

program
  .command('export')
  .description("an account's mail")
  .command('mbox')
  .description('as one mbox file, oldest first; to standard output, or to a new file')
  .argument('<account>')
  .argument('[file]')
  .option('--folder <path>', 'only this folder, such as inbox or Work/Clients')
  .action(async (account, file, options) => (await import('./export.ts')).exportMbox(account, file, options));

const dkim = program.command('dkim').description('keys that mail to other systems is signed with');
dkim
  .command('create')
  .description('make a key, and print what to publish in DNS')
  .option('--domain <name>', 'one of the domains served (the first)')
  .option('--selector <name>', 'the key’s name in DNS (of today)')
  .addOption(
    new Option(
      '--algorithm <kind>',
      'rsa, which everybody verifies, or ed25519 for a second signature beside it',
    )
      .choices(['rsa', 'ed25519'])
      .default('rsa'),
  )
  .option('--json', 'as JSON')
  .action(async (options) => (await import('./dkim.ts')).create(options));
dkim
  .command('show')
  .description('what to publish in DNS for the keys there are, and whether it is')
  .option('--domain <name>', 'one of the domains served (the first)')
  .option('--json', 'as JSON')
  .action(async (options) => (await import('./dkim.ts')).show(options));
dkim
  .command('activate')
  .description('sign with a key from now on, whether or not its record is seen in DNS')
  .argument('<selector>')
  .option('--domain <name>', 'one of the domains served (the first)')
  .action(async (selector, options) => (await import('./dkim.ts')).activateKey(selector, options));

program
  .command('bench')
  .description('measure this store and its peers (etcd, Redis, JetStream) side by side on this machine')
  .option('--quick', 'one round of short windows, within 4 minutes')
  .option('--json', 'one JSON object')
  .option('--systems <names>', 'some of penncloud,etcd,redis,jetstream')
  .option('--work <kinds>', 'some of put,get,mixed')
  .option('--callers <numbers>', 'how many at a time, for example 1,64')
  .option('--value-bytes <numbers>', 'lengths of values, for example 100,1048576')
  .option('--seconds <s>', 'how long each window is')
  .option('--rounds <n>', 'how often each window is measured', wholeNumber('--rounds', 1, 100))
  .option('--profile <folder>', "write the storage nodes' processor profiles there")
  .option('--folder <path>', 'where the throw-away data goes; it should lie on a disk')
  .action(async (options) => (await import('./bench.ts')).bench(options));

// A reader that has seen enough (`… | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

try {
  await program.parseAsync();
} catch (error) {
  const { code, message } = exitOf(error);
  if (message !== undefined) console.error(message);
  process.exitCode = code;
}
// What a command leaves open (a connection still being tried) must not keep the terminal.
process.stdout.write('', () => process.exit());
