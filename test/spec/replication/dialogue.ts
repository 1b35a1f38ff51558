/**
 * One copy of a tablet, talked to by hand: a specification says what it hears and reads what it says,
 * one line per output. Disk and config store answer only when the specification makes them. Entry 3 of
 * epoch 2 is written `3@2`; a configuration `v3 e2 a [a b] of a b c`, or `l1 v3 e2 …` of lineage 1.
 */
import type { LogRecord } from '../../../storage-nodes/log/entry.ts';
import type { Configuration } from '../../../storage-nodes/replication/configuration.ts';
import type {
  CellsOrder,
  EpochEnd,
  Input,
  MessageBody,
  Output,
} from '../../../storage-nodes/replication/messages.ts';
import { Replica } from '../../../storage-nodes/replication/replica.ts';
import type { Imported } from '../../../storage-nodes/replication/snapshot.ts';
import { DEFAULT_TIMING } from '../../../storage-nodes/replication/state.ts';
import type { Epoch, NodeId, Seq, TabletId, Version } from '../../../storage-nodes/words.ts';

export const TIMING = DEFAULT_TIMING;

/** Records from text such as `1@1 2@1 3@2`. */
export function records(text: string): LogRecord[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const [seq, epoch] = word.split('@').map(Number) as [Seq, Epoch];
      return { seq, epoch, head: new Uint8Array([seq, epoch]), parts: [] };
    });
}

/** A configuration from text such as `v3 e2 a [a b] of a b c`; without `of`, the replicas are a, b and c. */
export function configuration(text: string): Configuration {
  const match = /^(?:l(\d+) )?v(\d+) e(\d+) (\w+) \[([\w ]+)\](?: of ([\w ]+))?$/.exec(text);
  if (!match) throw new Error(`not a configuration: ${text}`);
  return {
    tablet: 't1' as TabletId,
    version: Number(match[2]) as Version,
    epoch: Number(match[3]) as Epoch,
    lineage: Number(match[1] ?? 0),
    primary: match[4] as NodeId,
    inSync: match[5]!.split(' ') as NodeId[],
    replicas: (match[6] ?? 'a b c').split(' ') as NodeId[],
    range: { from: '', to: null },
    predecessor: `#${Number(match[2]) - 1}`,
  };
}

export class Copy {
  now = 1000;
  readonly replica: Replica;
  #epoch = 0;
  #version = 0;

  constructor(
    self: string,
    recovered: {
      configuration?: string;
      log?: string;
      committed?: number;
      cutTail?: boolean;
      damage?: string;
      suspect?: string;
      imported?: Imported;
    } = {},
  ) {
    const log = records(recovered.log ?? '');
    const committed = recovered.committed ?? 0;
    const known = recovered.configuration ? configuration(recovered.configuration) : undefined;
    if (known) this.in(known.epoch, known.version);
    this.replica = new Replica({
      self: self as NodeId,
      timing: TIMING,
      hash: (c) => `#${c.version}`,
      cellForm: 1,
      now: this.now,
      recovered: {
        configuration: known,
        committed: committed as Seq,
        ends: endsOf(log.slice(0, committed)),
        prepared: log.slice(committed),
        cutTail: recovered.cutTail ?? false,
        damage: recovered.damage,
        suspect: recovered.suspect,
        imported: recovered.imported,
      },
    });
  }

  /** What others say from here on is of this epoch and version. */
  in(epoch: number, version: number): this {
    this.#epoch = epoch;
    this.#version = version;
    return this;
  }

  step(input: Input): string[] {
    return this.replica.step(input, this.now).map(say);
  }

  /** Time passes; the copy looks at its clock every 50 ms. Beacons are not repeated here. */
  waits(ms: number): string[] {
    const said: string[] = [];
    for (const until = this.now + ms; this.now < until;) {
      this.now = Math.min(until, this.now + 50);
      said.push(...this.step({ kind: 'tick' }));
    }
    return said.filter((line) => !line.includes(': beacon '));
  }

  hears(from: string, body: MessageBody): string[] {
    const message = {
      tablet: 't1' as TabletId,
      epoch: this.#epoch as Epoch,
      version: this.#version as Version,
      body,
    };
    return this.step({ kind: 'message', from: from as NodeId, message });
  }

  hearsAck(from: string, match: number): string[] {
    return this.hears(from, { type: 'ack', match: match as Seq });
  }

  /** `after` is the entry that the records follow, such as `0@0`. */
  hearsAppend(from: string, after: string, entries: string, commit: number): string[] {
    const [prevSeq, prevEpoch] = after.split('@').map(Number) as [Seq, Epoch];
    return this.hears(from, {
      type: 'append',
      prevSeq,
      prevEpoch,
      records: records(entries),
      commit: commit as Seq,
    });
  }

  proposes(entries: string): string[] {
    return this.step({ kind: 'propose', records: records(entries) });
  }

  /** The disk reports everything up to this entry durable. */
  stored(entry: string): string[] {
    const { seq, epoch } = records(entry)[0]!;
    return this.step({ kind: 'stored', seq, epoch });
  }

  /** The store pushes a configuration, and the disk saves it. */
  learns(text: string): string[] {
    const next = configuration(text);
    return [
      ...this.step({ kind: 'configuration', configuration: next }),
      ...this.step({ kind: 'configurationSaved', configuration: next }),
    ];
  }

  /** The store accepted what was asked, and the disk saved it. */
  wins(text: string): string[] {
    const next = configuration(text);
    this.in(next.epoch, next.version);
    return [
      ...this.step({ kind: 'compareAndSetDone', next, outcome: 'stored' }),
      ...this.step({ kind: 'configurationSaved', configuration: next }),
    ];
  }
}

/** `a`, serving epoch 2 with an opening entry, all of [a b c] (or as given) in sync. */
export function servingPrimary(inSync = 'a b c'): Copy {
  const copy = new Copy('a', { configuration: `v2 e1 a [${inSync}]` });
  copy.waits(50);
  copy.wins(`v3 e2 a [${inSync}]`);
  copy.proposes('1@2');
  copy.stored('1@2');
  for (const member of inSync.split(' ')) if (member !== 'a') copy.hearsAck(member, 1);
  if (!copy.replica.view.serving) throw new Error('the primary does not serve');
  return copy;
}

function endsOf(log: readonly LogRecord[]): EpochEnd[] {
  const last = new Map<Epoch, Seq>();
  for (const { seq, epoch } of log) last.set(epoch, seq);
  return [...last].map(([epoch, end]) => ({ epoch, end }));
}

function say(output: Output): string {
  switch (output.kind) {
    case 'append':
      return `append ${list(output.records)}`;
    case 'truncate':
      return `truncate from ${output.from}`;
    case 'commit':
      return `commit ${output.upTo}`;
    case 'send': {
      const { epoch, version, body } = output.message;
      return `to ${output.to} in e${epoch} v${version}: ${sayBody(body)}`;
    }
    case 'saveConfiguration':
      return `save ${sayConfiguration(output.configuration)}`;
    case 'compareAndSet':
      return `ask for ${sayConfiguration(output.next)}`;
    case 'readLog':
      return `read for ${output.peer} from ${output.from}`;
    case 'openEpoch':
      return `open e${output.epoch} at ${output.seq}`;
    case 'serving':
      if (output.successor !== undefined) return `hand over e${output.epoch} to ${output.successor}`;
      return `${output.serving ? 'serve' : 'stop serving'} e${output.epoch}`;
    case 'role':
      return `be ${output.role} in v${output.configuration.version}`;
    case 'alarm':
      return `alarm: ${output.text}`;
    case 'tailRestored':
      return 'the tail is restored';
    case 'wipe':
      return `wipe: ${output.reason}`;
    case 'cells':
      return sayOrder(output.order);
  }
}

function sayOrder(order: CellsOrder): string {
  switch (order.kind) {
    case 'read':
      return `read cells ${order.snapshot}/${order.chunk} for ${order.peer}`;
    case 'close':
      return `close cells ${order.snapshot}`;
    case 'begin':
      return 'begin an import';
    case 'import':
      return `import ${order.snapshot}/${order.chunk}${order.isLast ? ', the last' : ''}`;
    case 'adopt':
      return `adopt ${order.snapshot} as of ${order.at}`;
    case 'abandon':
      return 'abandon the import';
  }
}

function sayBody(body: MessageBody): string {
  switch (body.type) {
    case 'append': {
      const after = `after ${body.prevSeq}@${body.prevEpoch}`;
      const what = body.records.length > 0 ? `append ${list(body.records)} ${after}` : `probe ${after}`;
      return `${what}, commit ${body.commit}`;
    }
    case 'ack':
      return `ack ${body.match}`;
    case 'nack':
      return `nack, ends ${body.ends.map(({ epoch, end }) => `${end}@${epoch}`).join(' ')}`;
    case 'beacon':
    case 'beaconAck':
      return `${body.type} ${body.sentAt}`;
    case 'configure':
      return `configure ${sayConfiguration(body.configuration)}`;
    case 'queryReply':
      return `queryReply ${body.last.end}@${body.last.epoch}${body.isCut ? ', cut' : ''}`;
    case 'offer':
      return `offer ${sayConfiguration(body.configuration)}`;
    case 'offerAnswer':
      return body.accepts ? 'accept' : 'decline';
    case 'snapshotAsk':
    case 'snapshotChunk':
      return `${body.type} ${body.snapshot}/${body.chunk}`;
    case 'snapshotGone':
      return `snapshotGone ${body.snapshot}`;
    case 'withdraw':
    case 'withdrawn':
    case 'askConfiguration':
    case 'query':
    case 'full':
    case 'leave':
      return body.type;
  }
}

function sayConfiguration(c: Configuration): string {
  const lineage = c.lineage > 0 ? `l${c.lineage} ` : '';
  return `${lineage}v${c.version} e${c.epoch} ${c.primary} [${c.inSync.join(' ')}]`;
}

function list(of: readonly LogRecord[]): string {
  return of.map(({ seq, epoch }) => `${seq}@${epoch}`).join(' ');
}
