/** What workers and the console read of a queue. */
import { describe, expect, it } from 'vitest';
import { OUTBOUND_STREAMS } from '../../../domain/streams.ts';
import { parseRow } from '../../../projections/keys.ts';
import {
  dueRow,
  heldRow,
  itemStateCell,
  leaseCell,
  parseDueOrder,
} from '../../../projections/outbound-keys.ts';
import { id } from '../given.ts';
import { START } from '../in-memory-shell.ts';
import { HOUR } from '../mailbox.ts';
import { ENVELOPE, Queue } from '../outbound-queue.ts';

describe('what is due', () => {
  it('stands at the earliest time of its recipients', () => {
    const queue = new Queue();
    queue.queue();
    queue.claim();
    const dueAt = () => queue.due().map((column) => parseDueOrder(column)?.at);
    expect(dueAt()).toEqual([START]);
    queue.report([{ to: 0, outcome: 'deferred', retryAt: START + HOUR }]);
    expect(dueAt()).toEqual([START]);
    queue.report([{ to: 1, outcome: 'deferred', retryAt: START + 2 * HOUR }]);
    expect(dueAt()).toEqual([START + HOUR]);
    queue.report([{ to: 0, outcome: 'failed', code: 550 }]);
    expect(dueAt()).toEqual([START + 2 * HOUR]);
    expect(parseDueOrder(queue.due()[0]!)?.itemId).toBe(id(1));
  });

  it('is not what is held: that has a row of its own', () => {
    const queue = new Queue(1, 'forward');
    queue.queue();
    queue.change('hold');
    expect([queue.due(), queue.held()]).toEqual([[], [`0${START}-${id(1)}.f.alice`]]);
    queue.change('release');
    expect([queue.due().length, queue.held()]).toEqual([1, []]);
  });
});

describe('an item', () => {
  it('says what its servers said, and keeps it while nobody else is asked', () => {
    const queue = new Queue();
    queue.queue({ ...ENVELOPE, prepend: 'X: y\r\n' });
    queue.claim();
    queue.report([{ to: 1, outcome: 'deferred', code: 451, retryAt: START + HOUR, text: 'Later' }]);
    queue.change('hold');
    expect(queue.item()).toEqual({
      id: id(1),
      account: 'alice',
      origin: 'sent',
      messageId: id(1),
      queuedAt: START,
      size: queue.raw()?.length,
      from: ENVELOPE.from,
      prepend: 'X: y\r\n',
      recipients: [
        {
          to: ENVELOPE.to[0],
          state: 'held',
          tries: 0,
          retryAt: null,
          code: null,
          host: '',
          text: '',
          isDelayTold: false,
        },
        {
          to: ENVELOPE.to[1],
          state: 'held',
          tries: 1,
          retryAt: null,
          code: 451,
          host: 'mx1.far.example',
          text: 'Later',
          isDelayTold: false,
        },
      ],
    });
  });

  it('whose envelope was erased is nowhere', () => {
    const queue = new Queue();
    const data = {
      id: id(1),
      account: 'alice',
      origin: 'sent',
      messageId: id(1),
      recipients: 2,
      bounces: true,
    };
    const event = { type: 'outbound.MessageQueued', version: 1, data };
    queue.shell.append({
      stream: queue.stream,
      time: START,
      events: [event],
      parts: [{ erased: 9 }, { erased: 9 }],
    });
    expect([queue.item(), queue.due()]).toEqual([undefined, []]);
    queue.claim();
    queue.report([{ outcome: 'delivered' }]);
    expect(queue.item()).toBeUndefined();
  });
});

describe('the rows of a queue', () => {
  it('are read as they were built, and no others', () => {
    for (const queue of OUTBOUND_STREAMS) {
      expect(parseRow(dueRow(queue))).toEqual({ kind: 'due mail', queue });
      expect(parseRow(heldRow(queue))).toEqual({ kind: 'held mail', queue });
      expect(parseRow(leaseCell(queue).row)).toEqual({ kind: 'queue lease', queue });
      const itemId = `${id(1)}.f.a.b`;
      expect(parseRow(itemStateCell(queue, itemId).row)).toEqual({ kind: 'queued mail', queue, itemId });
    }
    for (const row of [
      '~outbound/0',
      '~outbound/0/x',
      '~outbound/g/due',
      '~outbound/0/item/',
      '~outbound/0/due/x',
    ])
      expect(parseRow(row)).toBeUndefined();
  });
});
