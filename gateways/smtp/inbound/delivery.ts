/**
 * A message that has arrived whole becomes commands, one per recipient's account. Only when the store
 * has resolved every one of them (that is: committed on all in-sync replicas) does the client hear 250.
 *
 * Always holds: 250 means kept, for every recipient. Anything less is no 250. If some recipients'
 * commands succeeded before another failed, the client's next try is known by the message's id and gives it to
 * the others alone (session/repeats.ts). Within one try each command has one id, so that the store's own retries act once.
 */
import { encodeSummary } from '../../../domain/mail/message/summary.ts';
import { accountStream } from '../../../domain/streams.ts';
import { Rejected, type StoreClient } from '../../../storage-nodes/client/client.ts';
import { recipientAccount } from '../../message/addresses.ts';
import { accountsAddressed, answerableMessage } from '../../message/answerable.ts';
import { digestOf } from '../../message/digest.ts';
import { readHeaderBlock, type HeaderBlock } from '../../message/header-block.ts';
import { isNamed, verdictField } from '../../message/verdict.ts';
import { withoutFields } from '../../message/without-fields.ts';
import type { Authentication, Judged } from './authentication.ts';
import { commandId } from '../session/command-id.ts';
import { SmtpReply, tooLarge, tryAgain } from '../session/smtp-reply.ts';
import { checkLines } from '../session/message-data.ts';
import { HOPS_MAX, traceFields, type Handover } from '../session/trace.ts';

export type Arrived = {
  readonly pieces: readonly Buffer[];
  /** Account names, each once. */
  readonly accounts: readonly string[];
  /** Whether an account gets it as the postmaster: gone, it is somebody else, who is found at the next try. */
  isPostmaster(account: string): boolean;
  readonly handover: Handover;
  /** The message's id if it came in the hour before (session/repeats.ts). */
  readonly earlier: string | undefined;
  readonly sessionId: string;
  readonly domains: readonly string[];
  readonly messageBytesMax: number;
  /** Asks where it comes from; absent: nobody is asked. */
  readonly authentication: Authentication | undefined;
};

/** A failover is over sooner; the client waits ten minutes for this answer (RFC 5321 §4.5.3.2.6). */
const DEADLINE_MS = 60_000;
const COMMAND_LIFE_MS = 10 * 60_000;

/** Each command carries the whole message, so a hundred recipients are not served all at once. */
const COMMANDS_AT_ONCE = 4;

/** More than there are hops. */
const FORWARDERS_MAX = 50;

/** Throws SmtpReply; any other error is a fault of the store: 451. */
export async function deliver(store: StoreClient, arrived: Arrived): Promise<void> {
  const { accounts, isPostmaster, handover, sessionId, domains, messageBytesMax, earlier } = arrived;
  const { messageId } = handover;
  const received = Buffer.concat(arrived.pieces);
  checkLines(received);
  const receivedHeader = readHeaderBlock(received);
  checkHops(receivedHeader);
  const judged = await judge(arrived, received, receivedHeader);
  const { hostname } = handover;
  const verdict = judged === undefined ? '' : verdictField(hostname, judged.verdict);
  const trace = traceFields(handover, verdict);
  const raw = Buffer.concat([trace, withoutForgedVerdicts(received, receivedHeader, hostname)]);
  const header = readHeaderBlock(raw);
  const { summary, words, ids } = await digestOf(raw, header);
  const parts = [raw, encodeSummary(summary), words];
  const answerable = answerableMessage(header, handover.returnPath, domains);
  const addressed = accountsAddressed(summary, domains);
  const forwardedBy = forwarders(header, domains);
  const before = {
    ...(handover.returnPath === '' && { nullSender: true }),
    ...(forwardedBy.length > 0 && { deliveredTo: forwardedBy }),
  };
  const failures: unknown[] = [];
  const waiting = [...accounts];
  const work = async () => {
    for (let account = waiting.shift(); account !== undefined; account = waiting.shift()) {
      const answered = addressed.has(account) ? answerable : undefined;
      const command = {
        id: commandId(),
        expiresAt: handover.time + COMMAND_LIFE_MS,
        stream: accountStream(account),
        type: 'mail.ReceiveMessage',
        data: {
          ...{ messageId, via: 'smtp', ids, ...before, ...(answered && { answer: answered.answer }) },
          ...(earlier !== undefined && { earlier }),
          ...(judged?.disposition === 'quarantine' && { verdict: 'quarantine' }),
        },
        parts: answered === undefined ? parts : [...parts, answered.part],
        actor: 'smtp',
        session: sessionId,
        action: 'received a message by SMTP',
      };
      await store
        .execute(command, { deadlineMs: DEADLINE_MS })
        .catch((error: unknown) =>
          failures.push(isGone(error) && isPostmaster(account) ? tryAgain() : error),
        );
    }
  };
  await Promise.all(Array.from({ length: COMMANDS_AT_ONCE }, work));
  // A fault first: whatever else was refused, the client must come back for the recipient that was not reached.
  const fault = failures.find((failure) => !(failure instanceof Rejected));
  if (fault !== undefined) throw fault;
  for (const failure of failures) if (failure instanceof Rejected) throw refusal(failure, messageBytesMax);
}

function isGone(error: unknown): boolean {
  return error instanceof Rejected && error.rejection.code === 'NoSuchAccount';
}

function refusal(rejected: Rejected, messageBytesMax: number): SmtpReply {
  const { code, message } = rejected.rejection;
  if (code === 'NoSuchAccount')
    return new SmtpReply(550, '5.1.1', 'A recipient has no account here any more');
  if (code === 'TooLarge') return tooLarge(messageBytesMax);
  return code === 'Malformed' ? new SmtpReply(554, '5.6.0', message) : tryAgain();
}

/** Accounts here that have forwarded it already, as their copies say: they do not send it out again. */
function forwarders(header: HeaderBlock, domains: readonly string[]): string[] {
  const addresses = [...header.all('delivered-to'), ...header.all('x-forwarded-for')];
  const accounts = addresses.flatMap((value) => recipientAccount(value.trim(), domains) ?? []);
  return [...new Set(accounts)].slice(0, FORWARDERS_MAX);
}

/** Throws SmtpReply if the domain that it names as its sender's refuses it (RFC 7489 §6.3). */
async function judge(
  { authentication, handover }: Arrived,
  raw: Buffer,
  header: HeaderBlock,
): Promise<Judged | undefined> {
  const { clientAddress: address, clientName: name, returnPath: sender } = handover;
  const judged = await authentication?.judge(raw, header, { address, name, sender });
  if (judged?.disposition === 'later')
    throw new SmtpReply(
      451,
      '4.7.1',
      'Where the message comes from could not be checked in time, try again later',
    );
  if (judged?.disposition !== 'reject') return judged;
  const { domain } = judged.verdict.dmarc;
  throw new SmtpReply(550, '5.7.1', `${domain} asks to refuse mail that it did not send (DMARC), as this`);
}

/** Nobody but us says what we found (RFC 8601 §5). */
function withoutForgedVerdicts(raw: Buffer, header: HeaderBlock, hostname: string): Buffer {
  const isForged = (name: string, value: () => string): boolean =>
    name === 'authentication-results' && isNamed(value(), hostname);
  // A longer block than that is not read to its end, but taken out of to its end.
  const suspect = header.first('authentication-results') !== undefined || header.bodyAt === raw.length;
  return suspect ? withoutFields(raw, isForged) : raw;
}

function checkHops(header: HeaderBlock): void {
  const hops = header.all('received').length;
  if (hops <= HOPS_MAX) return;
  throw new SmtpReply(
    554,
    '5.4.6',
    `The message has passed ${hops} servers, the limit is ${HOPS_MAX}: it is in a loop`,
  );
}
