/**
 * Postfix, as the mail server of `remote.test` on a loopback port: an instance of its own in a throw-away folder. It
 * must be started as root. Whatever it takes for itself lies in one Maildir; it relays where it is told to.
 */
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostfix as startMailSystem } from '../../ops/bench/systems/postfix.ts';
import { freePorts } from '../../ops/bench/systems/program.ts';

export type Postfix = {
  readonly port: number;
  /** Whole messages, as they lie in the mailbox. */
  messages(): string[];
  /** What is done with a recipient (access(5)): `550 5.1.1 no such user`, `450 4.7.1 greylisted`; '': it is taken. */
  rule(recipient: string, action: string): void;
  log(): string;
  stop(): Promise<void>;
};

export type PostfixOptions = {
  readonly certificate?: { readonly key: string; readonly cert: string };
  /** Mail for this domain is taken from anybody and brought to that port, tried again after seconds. */
  readonly relays?: { readonly domain: string; readonly port: number };
};

export async function startPostfix({ certificate, relays }: PostfixOptions = {}): Promise<Postfix> {
  const folder = mkdtempSync(join(tmpdir(), 'penncloud-postfix-'));
  const [port = 0] = await freePorts(1);
  const uid = Number(execFileSync('id', ['-u', 'postfix']).toString());
  const mail = join(folder, 'mail');
  mkdirSync(mail);
  chownSync(mail, uid, uid);
  const rules = new Map<string, string>();
  const policy = await startPolicy(rules);
  const main = [
    'myhostname = mx.remote.test',
    'mynetworks =',
    'local_recipient_maps =',
    'virtual_mailbox_domains = remote.test',
    `virtual_mailbox_base = ${mail}`,
    'virtual_mailbox_maps = static:all/',
    'virtual_minimum_uid = 1',
    `virtual_uid_maps = static:${uid}`,
    `virtual_gid_maps = static:${uid}`,
    'smtpd_peername_lookup = no',
    'smtpd_relay_restrictions = reject_unauth_destination',
    `smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:${policy.port}, reject_unauth_destination`,
    'smtputf8_enable = yes',
    ...(relays === undefined ? [] : relayLines(relays)),
    ...(certificate === undefined ? [] : tlsLines(folder, certificate)),
  ];
  const running = await startMailSystem(folder, { port, main }).catch(async (error: unknown) => {
    await policy.stop();
    throw error;
  });
  return {
    port,
    rule(recipient, action) {
      if (action === '') rules.delete(recipient);
      else rules.set(recipient, action);
    },
    messages: () => inFolder(join(mail, 'all', 'new')),
    log: () => readFileSync(join(folder, 'mail.log'), 'utf8'),
    async stop() {
      await running.stop();
      await policy.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** None before the first message. */
function inFolder(box: string): string[] {
  try {
    return readdirSync(box).map((name) => readFileSync(join(box, name), 'latin1'));
  } catch {
    return [];
  }
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

function tlsLines(folder: string, { key, cert }: { key: string; cert: string }): string[] {
  writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 });
  writeFileSync(join(folder, 'cert.pem'), cert);
  return [
    'smtpd_tls_security_level = may',
    `smtpd_tls_key_file = ${join(folder, 'key.pem')}`,
    `smtpd_tls_cert_file = ${join(folder, 'cert.pem')}`,
    'smtpd_tls_received_header = yes',
  ];
}

/**
 * Its queue is looked through less often than a message that was put off comes due, and nobody is told of what waits
 * (flush): a message that its own delivery still holds open then would be passed over for good.
 */
function relayLines({ domain, port }: NonNullable<PostfixOptions['relays']>): string[] {
  return [
    `relay_domains = ${domain}`,
    `transport_maps = inline:{ { ${domain} = smtp:[127.0.0.1]:${port} } }`,
    'smtp_tls_security_level = encrypt',
    'smtp_tls_loglevel = 1',
    'fast_flush_domains =',
    'queue_run_delay = 1s',
    'minimal_backoff_time = 2s',
    'maximal_backoff_time = 2s',
  ];
}
