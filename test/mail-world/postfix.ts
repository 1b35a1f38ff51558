/**
 * Postfix, as the mail server of `remote.test` on a loopback port: an instance of its own in a throw-away folder. It
 * must be started as root. Whatever it takes for itself lies in one Maildir; it relays where it is told to.
 */
import { spawn, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Postfix = {
  readonly port: number;
  /** Whole messages, as they lie in the mailbox. */
  messages(): string[];
  /** What is done with a recipient (access(5)): `550 5.1.1 no such user`, `450 4.7.1 greylisted`; '': it is taken. */
  rule(recipient: string, action: string): void;
  log(): string;
  stop(): Promise<void>;
};

const SERVICES = `
postlog   unix-dgram n  -       n       -       1       postlogd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
proxymap  unix  -       -       n       -       -       proxymap
error     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
virtual   unix  -       n       n       -       -       virtual
anvil     unix  -       -       n       -       1       anvil
smtp      unix  -       -       n       -       -       smtp
`;

export type PostfixOptions = {
  readonly certificate?: { readonly key: string; readonly cert: string };
  /** Mail for this domain is taken from anybody and brought to that port, tried again after seconds. */
  readonly relays?: { readonly domain: string; readonly port: number };
};

export async function startPostfix({ certificate, relays }: PostfixOptions = {}): Promise<Postfix> {
  const folder = mkdtempSync(join(tmpdir(), 'penncloud-postfix-'));
  const port = await freePort();
  const uid = Number(execFileSync('id', ['-u', 'postfix']).toString());
  const owned = (name: string): string => {
    const path = join(folder, name);
    mkdirSync(path);
    chownSync(path, uid, uid);
    return path;
  };
  chmodSync(folder, 0o755);
  const [data, mail] = [owned('data'), owned('mail')];
  mkdirSync(join(folder, 'spool'));
  const rules = new Map<string, string>();
  const policy = await startPolicy(rules);
  const tls = certificate === undefined ? '' : tlsLines(folder, certificate);
  writeFileSync(
    join(folder, 'main.cf'),
    `compatibility_level = 3.6
queue_directory = ${join(folder, 'spool')}
data_directory = ${data}
maillog_file = ${join(folder, 'log')}
maillog_file_prefixes = ${folder}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.remote.test
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = remote.test
virtual_mailbox_base = ${mail}
virtual_mailbox_maps = static:all/
virtual_minimum_uid = 1
virtual_uid_maps = static:${uid}
virtual_gid_maps = static:${uid}
smtpd_peername_lookup = no
smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:${policy.port}, reject_unauth_destination
smtputf8_enable = yes
${relays === undefined ? '' : relayLines(relays)}${tls}`,
  );
  writeFileSync(join(folder, 'master.cf'), `127.0.0.1:${port} inet n - n - - smtpd\n${SERVICES}`);
  const log = (): string => {
    try {
      return readFileSync(join(folder, 'log'), 'utf8');
    } catch {
      return '';
    }
  };
  execFileSync('postfix', ['-c', folder, 'post-install', 'create-missing'], { stdio: 'ignore' });
  const master = spawn('/usr/lib/postfix/sbin/master', ['-c', folder, '-d'], { stdio: 'ignore' });
  const ended = once(master, 'exit');
  while (!(await listens(port))) {
    if (master.exitCode !== null) throw new Error(`Postfix ended:\n${log()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    port,
    rule(recipient, action) {
      if (action === '') rules.delete(recipient);
      else rules.set(recipient, action);
    },
    messages() {
      try {
        const box = join(mail, 'all', 'new');
        return readdirSync(box).map((name) => readFileSync(join(box, name), 'latin1'));
      } catch {
        return [];
      }
    },
    log,
    async stop() {
      master.kill('SIGTERM');
      await ended;
      await policy.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What greylisting is done with: Postfix asks about each recipient (SMTPD_POLICY_README). */
async function startPolicy(rules: ReadonlyMap<string, string>) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let asked = '';
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (piece: Buffer) => {
      asked += piece.toString();
      for (let end = asked.indexOf('\n\n'); end >= 0; end = asked.indexOf('\n\n')) {
        const recipient = /^recipient=(.*)$/m.exec(asked.slice(0, end))?.[1] ?? '';
        asked = asked.slice(end + 2);
        socket.write(`action=${rules.get(recipient) ?? 'DUNNO'}\n\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function tlsLines(folder: string, { key, cert }: { key: string; cert: string }): string {
  writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 });
  writeFileSync(join(folder, 'cert.pem'), cert);
  return `smtpd_tls_security_level = may
smtpd_tls_key_file = ${join(folder, 'key.pem')}
smtpd_tls_cert_file = ${join(folder, 'cert.pem')}
smtpd_tls_received_header = yes
`;
}

/**
 * Its queue is looked through less often than a message that was put off comes due, and nobody is told of what waits
 * (flush): a message that its own delivery still holds open then would be passed over for good.
 */
function relayLines({ domain, port }: NonNullable<PostfixOptions['relays']>): string {
  return `relay_domains = ${domain}
transport_maps = inline:{ { ${domain} = smtp:[127.0.0.1]:${port} } }
smtp_tls_security_level = encrypt
smtp_tls_loglevel = 1
fast_flush_domains =
queue_run_delay = 1s
minimal_backoff_time = 2s
maximal_backoff_time = 2s
`;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
