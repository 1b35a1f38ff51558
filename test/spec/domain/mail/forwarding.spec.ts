/** Rules that forward to addresses at other systems: what leaves, as whom, how often, and when not. */
import { describe, expect, it } from 'vitest';
import { decodeEnvelope } from '../../../../domain/outbound/envelope.ts';
import { encodeWords, NO_WORDS } from '../../../../domain/mail/message/words.ts';
import { COPIES_A_DAY_MAX } from '../../../../domain/mail/rules/forwarding.ts';
import type { RuleActions } from '../../../../domain/mail/rules/rules.ts';
import type { Json } from '../../../../domain/decider.ts';
import { outboundStream } from '../../../../domain/streams.ts';
import { metaCell } from '../../../../projections/keys.ts';
import { readMessageMeta } from '../../../../projections/message.ts';
import { BOB, id, RAW, summary } from '../../given.ts';
import { codeOf, HOUR, Mailbox, rule } from '../../mailbox.ts';

const AS = 'alice@penncloud.test';
const WORDS = encodeWords({ ...NO_WORDS, body: ['lunch'] });
const OUT: RuleActions = { outside: ['x@far.example'], as: AS };

function forwarding(actions: RuleActions = OUT) {
  const mailbox = new Mailbox();
  mailbox.setRules([rule(70, { field: 'body', word: 'lunch' }, actions)]);
  const receive = (number: number, more: { readonly [field: string]: Json } = {}, time?: number) =>
    mailbox.do(
      'ReceiveMessage',
      { messageId: id(number), via: 'smtp', ids: [], ...more },
      [RAW, summary(), WORDS],
      {
        ...(time !== undefined && { time }),
      },
    );
  const queued = () =>
    mailbox.shell
      .pending()
      .filter(({ reaction }) => reaction.command === 'outbound.QueueMessage')
      .map(({ seq, reaction }) => {
        const part = mailbox.shell.log[seq - 1]?.parts[reaction.parts[1]!];
        const read = decodeEnvelope(part as Uint8Array);
        return {
          data: reaction.data,
          stream: reaction.stream,
          envelope: 'data' in read ? read.data : undefined,
        };
      });
  const meta = (number: number) => readMessageMeta(mailbox.shell.bytes(metaCell(mailbox.owner, id(number)))!);
  return { mailbox, receive, queued, meta };
}

describe('a rule that forwards to an address elsewhere', () => {
  it('sends a copy by the entry of the arrival, as the account that forwards, with a word of who asked for it', () => {
    const { receive, queued, meta, mailbox } = forwarding();
    receive(1);
    const itemId = `${id(1)}.f.alice`;
    expect(queued()).toEqual([
      {
        stream: outboundStream(itemId),
        data: { id: itemId, account: 'alice', origin: 'forward', messageId: id(1), recipients: 1 },
        envelope: {
          from: AS,
          to: ['x@far.example'],
          prepend: `Delivered-To: ${AS}\r\nX-Forwarded-For: ${AS}\r\nX-Forwarded-To: x@far.example\r\n`,
        },
      },
    ]);
    mailbox.shell.settleAll();
    expect(meta(1).outside).toMatchObject([{ origin: 'forward', to: 'x@far.example', state: 'waiting' }]);
    expect(mailbox.folderOf(id(1))).toBe('inbox');
  });

  it('does so once, however often the message comes', () => {
    const { receive, queued, mailbox } = forwarding();
    receive(1);
    mailbox.shell.settleAll();
    receive(1);
    expect(queued()).toEqual([]);
  });

  it('keeps the null sender of what has none, so that nothing is bounced in circles', () => {
    const { receive, queued } = forwarding();
    receive(1, { nullSender: true });
    expect(queued()[0]?.envelope?.from).toBe('');
  });

  it('does not tell several addresses of one another', () => {
    const { receive, queued } = forwarding({ outside: ['x@far.example', 'y@far.example'], as: AS });
    receive(1);
    expect(queued()[0]?.envelope?.to).toHaveLength(2);
    expect(queued()[0]?.envelope?.prepend).not.toContain('X-Forwarded-To');
  });

  it('forwards also what it throws away', () => {
    const { receive, queued, mailbox } = forwarding({ ...OUT, folder: 'trash' });
    receive(1);
    expect([queued().length, mailbox.folderOf(id(1))]).toEqual([1, 'trash']);
  });

  it('does not forward again what came back', () => {
    const { receive, queued, meta } = forwarding();
    receive(1, { deliveredTo: ['bob', 'alice'] });
    expect(queued()).toEqual([]);
    expect(meta(1)).toMatchObject({ notForwarded: 'loop' });
    receive(2, { deliveredTo: ['bob'] });
    expect(queued()).toHaveLength(1);
  });

  it('tells the accounts here that it goes on to who had it before', () => {
    const { receive, mailbox } = forwarding({ forward: ['bob'] });
    receive(1, { deliveredTo: ['bob'], nullSender: true });
    const [reaction] = mailbox.shell.pending();
    expect(reaction?.reaction).toMatchObject({
      stream: BOB,
      data: { messageId: id(1), deliveredTo: ['bob'], nullSender: true },
    });
  });

  it(`lets ${COPIES_A_DAY_MAX} copies leave in 24 hours, and keeps what comes beyond`, () => {
    const five = Array.from({ length: 5 }, (_, n) => `x${n}@far.example`);
    const { receive, queued, meta, mailbox } = forwarding({ outside: five, as: AS });
    const start = mailbox.shell.time;
    for (let n = 1; n <= 100; n++) receive(n, {}, start + n * 60_000);
    expect(queued()).toHaveLength(100);
    receive(101, {}, start + 2 * HOUR);
    expect(queued()).toHaveLength(100);
    expect(meta(101)).toMatchObject({ notForwarded: 'limit' });
    expect(mailbox.folderOf(id(101))).toBe('inbox');
    receive(102, {}, start + 27 * HOUR);
    expect(queued()).toHaveLength(101);
  });

  it.each([
    ['without the own address', { outside: ['x@far.example'] }],
    ['with an own address alone', { starred: true, as: AS }],
    ['with no address', { outside: [], as: AS }],
    ['with what is none', { outside: ['x@far.example>\r\nDATA'], as: AS }],
    ['with too many', { outside: Array.from({ length: 6 }, (_, n) => `x${n}@far.example`), as: AS }],
  ])('is refused %s', (_what, actions) => {
    const outcome = new Mailbox().setRules([
      rule(70, { field: 'body', word: 'lunch' }, actions as RuleActions),
    ]);
    expect(codeOf(outcome)).toBe('Malformed');
  });

  it('counts among the addresses that all rules together forward to', () => {
    const rules = Array.from({ length: 5 }, (_, n) =>
      rule(
        70 + n,
        { field: 'body', word: 'lunch' },
        {
          outside: Array.from({ length: 5 }, (_one, m) => `x${n}${m}@far.example`),
          as: AS,
        },
      ),
    );
    expect(codeOf(new Mailbox().setRules(rules))).toBe('TooMany');
  });
});
