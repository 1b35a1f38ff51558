/** The queues of outbound mail (decision 0029): who may queue, who may work, what becomes of each recipient. */
import { describe, expect, it } from 'vitest';
import { checkedEnvelope, encodeEnvelope, type Envelope } from '../../../domain/outbound/envelope.ts';
import { parsed } from '../../../domain/fields.ts';
import { OUTBOUND_STREAMS, outboundStream } from '../../../domain/streams.ts';
import { ALICE, BOB, id } from '../given.ts';
import { START } from '../in-memory-shell.ts';
import { codeOf, eventsOf, HOUR, replyOf } from '../mailbox.ts';
import { ADDRESSES, ENVELOPE, ONE, Queue } from '../outbound-queue.ts';

describe('a queue', () => {
  it('is one of sixteen, the same one for an item for ever', () => {
    expect(new Set(OUTBOUND_STREAMS).size).toBe(16);
    expect(outboundStream(id(1))).toBe('~outbound/0');
    const used = new Set(Array.from({ length: 400 }, (_, n) => outboundStream(id(n * 977))));
    expect([...used].sort()).toEqual([...OUTBOUND_STREAMS]);
  });

  it('takes a message from the entry of its account alone, and an id once', () => {
    const queue = new Queue();
    expect(codeOf(queue.queue(ENVELOPE, { askedBy: BOB }))).toBe('Malformed');
    expect(eventsOf(queue.queue())).toEqual(['outbound.MessageQueued']);
    expect(eventsOf(queue.queue())).toEqual([]);
    expect(queue.states()).toEqual(['waiting', 'waiting']);
    expect(new TextDecoder().decode(queue.raw())).toContain('At noon?');
  });

  it('takes no message that nobody’s entry asks for', () => {
    const queue = new Queue();
    const { parts, data, stream, type } = {
      type: 'outbound.QueueMessage',
      stream: queue.stream,
      parts: ['x', encodeEnvelope(ENVELOPE)],
      data: { id: id(1), account: 'alice', origin: 'sent', messageId: id(1), recipients: 2 },
    };
    expect(codeOf(queue.shell.execute({ type, data, stream, parts }))).toBe('Malformed');
  });

  it.each([
    ['another message’s id', { id: id(2) }],
    ['the id of a forward', { id: `${id(1)}.f.alice` }],
    ['a wrong number of recipients', { recipients: 3 }],
    ['a field it does not know', { extra: true }],
  ])('refuses %s', (_what, data) => {
    expect(codeOf(new Queue().queue(ENVELOPE, { data }))).toBe('Malformed');
  });

  it('refuses an item of another queue', () => {
    const other = OUTBOUND_STREAMS.find((stream) => stream !== outboundStream(id(1)))!;
    expect(codeOf(new Queue().queue(ENVELOPE, { stream: other, askedBy: ALICE }))).toBe('Malformed');
  });
});

describe('an envelope', () => {
  const read = (envelope: Envelope) => 'data' in parsed(() => checkedEnvelope(encodeEnvelope(envelope)));

  it('carries addresses and header lines', () => {
    expect(read(ENVELOPE)).toBe(true);
    expect(read({ from: '', to: ['"j d"@far.example', 'jörg@bücher.example'], prepend: '' })).toBe(true);
    expect(
      read({ ...ENVELOPE, prepend: 'Delivered-To: alice@penncloud.test\r\nX-Forwarded-To: a@b.c\r\n' }),
    ).toBe(true);
  });

  it.each([
    ['no recipient', { to: [] }],
    ['too many', { to: Array.from({ length: 101 }, (_, n) => `a${n}@far.example`) }],
    ['a command in an address', { to: ['a@far.example>\r\nDATA'] }],
    ['an end of the brackets', { to: ['a@far.example> SIZE=1'] }],
    ['a lone surrogate', { to: ['\ud800@far.example'] }],
    ['a sender that is none', { from: 'alice' }],
    ['a header without its end', { prepend: 'X: y' }],
    ['the end of the header', { prepend: 'X: y\r\n\r\nbody' }],
    ['a bare CR', { prepend: 'X: y\rZ: a\r\n' }],
  ])('is none with %s', (_what, wrong) => {
    expect(read({ ...ENVELOPE, ...wrong })).toBe(false);
  });
});

describe('the lease of a queue', () => {
  it('is one worker’s until it ends, in log time', () => {
    const queue = new Queue();
    expect(replyOf(queue.claim('one'))).toEqual({ token: 1, until: START + 60_000 });
    expect(codeOf(queue.claim('two'))).toBe('ClaimedByAnother');
    expect(replyOf(queue.claim('one', 60_000, { time: START + 1000 }))).toEqual({
      token: 1,
      until: START + 61_000,
    });
    expect(replyOf(queue.claim('two', 5000, { time: START + 61_000 }))).toEqual({
      token: 2,
      until: START + 66_000,
    });
    expect(queue.lease()).toEqual({ worker: 'two', token: 2, until: START + 66_000 });
  });

  it('is given up, and the next one’s token is another', () => {
    const queue = new Queue();
    queue.claim('one');
    expect(eventsOf(queue.do('ReleaseQueue', ONE))).toEqual(['outbound.QueueReleased']);
    expect(eventsOf(queue.do('ReleaseQueue', ONE))).toEqual([]);
    expect(replyOf(queue.claim('one'))).toMatchObject({ token: 2 });
  });

  it('is given up by its holder alone', () => {
    const queue = new Queue();
    queue.claim('one');
    expect(eventsOf(queue.do('ReleaseQueue', { worker: 'two', token: 1 }))).toEqual([]);
    expect(codeOf(queue.claim('two'))).toBe('ClaimedByAnother');
  });

  it.each([999, 600_001, 1.5])('does not last %d ms', (ms) => {
    expect(codeOf(new Queue().claim('one', ms))).toBe('Malformed');
  });

  it('lets nobody report without one, and who has been replaced only what a server took', () => {
    const queue = new Queue();
    queue.queue();
    expect(codeOf(queue.report([{ outcome: 'delivered' }]))).toBe('ClaimLost');
    queue.claim('one');
    expect(codeOf(queue.report([{ outcome: 'delivered' }], { worker: 'two', token: 1 }))).toBe('ClaimLost');
    queue.claim('two', 60_000, { time: START + HOUR });
    expect(codeOf(queue.report([{ outcome: 'failed' }]))).toBe('ClaimLost');
    expect(codeOf(queue.report([{ outcome: 'deferred', retryAt: START + HOUR }]))).toBe('ClaimLost');
    expect(codeOf(queue.report([{ outcome: 'delivered' }], { worker: 'one', token: 2 }))).toBe('ClaimLost');
    expect(queue.states()).toEqual(['waiting', 'waiting']);
    queue.told();
    queue.report([{ outcome: 'delivered' }, { to: 1, outcome: 'failed', notice: 'not theirs to send' }]);
    expect(queue.states()).toEqual(['delivered', 'waiting']);
    expect(queue.told()).toMatchObject([
      { command: 'mail.RecordDelivery', data: { changes: [{ to: 0, state: 'delivered' }] } },
    ]);
    // Once more: nothing of it is news.
    expect(codeOf(queue.report([{ outcome: 'delivered' }]))).toBe('ClaimLost');
    // The one that has the queue may have sent it meanwhile, too.
    const both = [{ outcome: 'delivered' as const }, { to: 1, outcome: 'delivered' as const }];
    expect(eventsOf(queue.report(both, { worker: 'two', token: 2 }))).toHaveLength(1);
    expect(queue.item()).toBeUndefined();
  });
});

describe('a worker’s report', () => {
  const working = () => {
    const queue = new Queue();
    queue.queue();
    queue.claim();
    queue.told();
    return queue;
  };

  it('tells the sender of each recipient, in one lane of the item', () => {
    const queue = working();
    queue.report([
      { to: 0, outcome: 'delivered', code: 250 },
      { to: 1, outcome: 'deferred', code: 451, retryAt: START + HOUR },
    ]);
    const [reaction] = queue.shell.pending();
    expect(reaction?.reaction).toMatchObject({
      stream: ALICE,
      command: 'mail.RecordDelivery',
      lane: `delivery/${id(1)}`,
      data: {
        messageId: id(1),
        origin: 'sent',
        changes: [
          { to: 0, state: 'delivered', tries: 1, retryAt: null, code: 250 },
          { to: 1, state: 'waiting', tries: 1, retryAt: START + HOUR, code: 451 },
        ],
      },
    });
    expect(queue.states()).toEqual(['delivered', 'waiting']);
  });

  it('counts once, however often it comes', () => {
    const queue = working();
    const tries = [{ outcome: 'delivered', code: 250 }] as const;
    expect(eventsOf(queue.report(tries))).toHaveLength(1);
    expect(eventsOf(queue.report(tries))).toEqual([]);
    expect(eventsOf(queue.report([{ outcome: 'failed', code: 550 }]))).toEqual([]);
  });

  it('of a delivery is true also of what was held, cancelled or given up; any other outcome is left out then', () => {
    for (const action of ['hold', 'cancel']) {
      const queue = working();
      queue.change(action);
      expect(eventsOf(queue.report([{ outcome: 'failed', code: 550 }]))).toEqual([]);
      expect(eventsOf(queue.report([{ outcome: 'deferred', retryAt: START }]))).toEqual([]);
      queue.told();
      expect(eventsOf(queue.report([{ outcome: 'delivered', code: 250 }]))).toHaveLength(1);
      expect(queue.told()).toMatchObject([{ data: { changes: [{ to: 0, state: 'delivered' }] } }]);
    }
    const queue = working();
    queue.report([{ outcome: 'failed', code: 550 }]);
    expect(eventsOf(queue.report([{ outcome: 'delivered', code: 250 }]))).toHaveLength(1);
  });

  it('brings the notice of a failure to the account’s inbox, once', () => {
    const queue = working();
    const failed = [
      { outcome: 'failed', code: 550, notice: 'From: mailer-daemon@penncloud.test\r\n\r\nNo.\r\n' },
    ] as const;
    queue.report(failed);
    queue.report(failed);
    expect(queue.told().map(({ stream, command }) => [stream, command])).toEqual([
      [ALICE, 'mail.RecordDelivery'],
      [ALICE, 'mail.ReceiveMessage'],
    ]);
    expect(queue.mailbox.lines('inbox')).toHaveLength(1);
  });

  it('tells which messages a notice names, so that it joins their conversation', () => {
    const queue = working();
    const names = ['n'.repeat(22)];
    queue.report([{ outcome: 'failed', code: 550, notice: 'From: x\r\n\r\nNo.\r\n', names }]);
    expect(queue.told()[1]).toMatchObject({ command: 'mail.ReceiveMessage', data: { ids: names } });
  });

  it('bounces nothing to nobody', () => {
    const queue = new Queue();
    queue.queue({ ...ENVELOPE, from: '' });
    queue.claim();
    queue.report([{ outcome: 'failed', code: 550, notice: 'From: x\r\n\r\nNo.\r\n' }]);
    expect(queue.told().map(({ command }) => command)).toEqual(['mail.RecordDelivery']);
  });

  it('of an item that is not there is nothing', () => {
    const queue = new Queue();
    queue.claim();
    expect(eventsOf(queue.report([{ outcome: 'delivered' }]))).toEqual([]);
    queue.queue({ ...ENVELOPE, to: ADDRESSES.slice(0, 1) });
    expect(eventsOf(queue.report([{ to: 7, outcome: 'delivered' }]))).toEqual([]);
  });

  it('leaves no state of an item that is done', () => {
    const queue = working();
    queue.report([
      { to: 0, outcome: 'delivered' },
      { to: 1, outcome: 'failed', code: 550 },
    ]);
    expect(queue.shell.slice(queue.stream, `item/${id(1)}`)).toBeUndefined();
    expect([queue.item(), queue.raw(), queue.due()]).toEqual([undefined, undefined, []]);
  });
});

describe('an operator', () => {
  const waiting = () => {
    const queue = new Queue();
    queue.queue();
    queue.claim();
    queue.report([{ to: 0, outcome: 'deferred', code: 451, retryAt: START + HOUR }]);
    queue.told();
    return queue;
  };

  it('holds what waits, and lets it go on at once', () => {
    const queue = waiting();
    queue.change('hold');
    expect(queue.states()).toEqual(['held', 'held']);
    expect(queue.told()).toMatchObject([{ data: { changes: [{ state: 'held' }, { state: 'held' }] } }]);
    expect(eventsOf(queue.change('hold'))).toEqual([]);
    queue.change('release');
    expect(queue.item()?.recipients.map(({ retryAt }) => retryAt)).toEqual([START, START]);
  });

  it('has it tried now', () => {
    const queue = waiting();
    queue.change('retry');
    expect(queue.due()).toEqual([`${String(START).padStart(14, '0')}-${id(1)}`]);
  });

  it('cancels it for good', () => {
    const queue = waiting();
    queue.change('cancel');
    expect(queue.told()).toMatchObject([
      { data: { changes: [{ state: 'cancelled' }, { state: 'cancelled' }] } },
    ]);
    expect([queue.item(), queue.raw(), queue.due(), queue.held()]).toEqual([undefined, undefined, [], []]);
    expect(codeOf(queue.change('release'))).toBe('NoSuchItem');
    expect(eventsOf(queue.queue())).toEqual([]);
  });

  it('changes nothing that is done, and leaves alone what is', () => {
    expect(codeOf(new Queue().change('hold'))).toBe('NoSuchItem');
    const queue = waiting();
    queue.report([{ to: 1, outcome: 'delivered' }]);
    queue.change('cancel');
    expect(queue.shell.slice(queue.stream, `item/${id(1)}`)).toMatchObject({
      recipients: [{ state: 'cancelled' }, { state: 'delivered' }],
    });
  });
});
