/**
 * Bytes that nobody of this cluster would send: real frames of every kind, bent. A seed is a sequence.
 *
 *   bent fields    a value anywhere in the message replaced, dropped, doubled or put elsewhere
 *   bent head      MessagePack that lies: depth, counts, lengths, keys, types
 *   bent bytes     bits flipped, cut off, lengthened, a length field that lies, nothing but chance
 */
import { canonical } from '../../../storage-nodes/replication/configuration.ts';
import type { Purpose } from '../../../storage-nodes/wire/connection.ts';
import { encodeFrame } from '../../../storage-nodes/wire/frame.ts';
import { epoch, nodeId, tabletId, version } from '../../../storage-nodes/words.ts';
import { Random } from '../../simulation/engine/random.ts';

export type Sample = {
  readonly purpose: Purpose;
  readonly fields: readonly unknown[];
  readonly blobs: readonly Uint8Array[];
};

const configuration = canonical({
  tablet: tabletId('t-01'),
  version: version(0),
  epoch: epoch(0),
  lineage: 0,
  primary: nodeId('node-2'),
  inSync: [nodeId('node-2'), nodeId('node-3')],
  replicas: [nodeId('node-1'), nodeId('node-2'), nodeId('node-3')],
  range: { from: '', to: 'n' },
  predecessor: '',
});
/** One that is refused whatever becomes of it: nothing a frame holds may change the store. */
const command = [
  'id-1',
  9e12,
  'row',
  'kv.Nothing',
  { column: 'c' },
  'actor',
  '',
  'Do nothing',
  ['t-02', 7, 1],
];
const bytes = (text: string): Buffer => Buffer.from(text);

/** A sound message of each kind; those between nodes are of an epoch that has passed. */
export const SAMPLES: readonly Sample[] = [
  ...(
    [
      ['append', 't-01', 0, 0, 0, 0, 0, [[1, 0, [0, null]], [2, 0, []]]], // prettier-ignore
      ['append', 't-01', 0, 0, 4, 0, 4, [[5, 0, [7]]]],
      ['ack', 't-01', 0, 0, 5],
      ['nack', 't-01', 0, 0, [[0, 3], [0, 5]]], // prettier-ignore
      ['withdraw', 't-01', 0, 0, 12.5],
      ['withdrawn', 't-01', 0, 0, 12.5],
    ] as const
  ).map((fields, i) => ({
    purpose: 'entries' as const,
    fields,
    blobs: i === 0 ? [bytes('head 1'), bytes('part'), bytes('head 2')] : i === 1 ? [bytes('head 5')] : [],
  })),
  ...(
    [
      ['beacon', 't-01', 0, 0, 1234.5, 3],
      ['beaconAck', 't-01', 0, 0, 1234.5],
      ['configure', 't-01', 0, 0, configuration],
      ['askConfiguration', 't-01', 0, 0],
      ['query', 't-01', 0, 0],
      ['queryReply', 't-01', 0, 0, 0, 9],
      ['full', 't-01', 0, 0],
      ['leave', 't-01', 0, 0],
      ['offer', 't-01', 0, 0, configuration],
      ['offerAnswer', 't-01', 0, 0, 'hash of the offer', true],
      ['snapshotAsk', 't-01', 0, 0, 'node-2 1', 3],
      ['snapshotGone', 't-01', 0, 0, 'node-2 1'],
      ['clock', 1.8e12],
    ] as const
  ).map((fields) => ({ purpose: 'control' as const, fields, blobs: [] })),
  { purpose: 'parts', fields: ['part', 7], blobs: [bytes('a large part')] },
  {
    purpose: 'parts',
    fields: ['snapshotChunk', 't-01', 0, 0, 'node-2 1', 3, 12, false, 0x1234],
    blobs: [bytes('some cells')],
  },
  ...(
    [
      ['execute', 't-01', command],
      ['read', 't-01', 'row', [['g', 'row', 'c'], ['s', 'row', '', 'rox', '', 10, false]]], // prettier-ignore
      ['part', 't-01', 1, 0, 0, 100],
      ['log', 't-01', 1, 10],
      ['map'],
      ['tablets'],
      ['digest', 't-01'],
      ['config.all'],
      ['config.cas', configuration],
      ['config.watch'],
    ] as const
  ).map(([kind, ...args], i) => ({
    purpose: 'client' as const,
    fields: ['ask', i + 1, kind, ...args],
    blobs: kind === 'execute' ? [bytes('value')] : [],
  })),
  { purpose: 'client', fields: ['answer', 1, 7, [[['row', 'c', 7]]]], blobs: [bytes('value')] },
  { purpose: 'client', fields: ['fault', 1, 'NotPrimary', 'not me', 'node-2'], blobs: [] },
  { purpose: 'client', fields: ['rejected', 1, { code: 'TooLarge', message: 'no' }], blobs: [] },
  { purpose: 'client', fields: ['push', 'configuration', configuration], blobs: [] },
];

const of = (purpose: Purpose): Sample[] => SAMPLES.filter((sample) => sample.purpose === purpose);
const SAMPLES_OF: Readonly<Record<Purpose, readonly Sample[]>> = {
  client: of('client'),
  control: of('control'),
  entries: of('entries'),
  parts: of('parts'),
};

const REQUESTS = SAMPLES.filter(({ fields }) => fields[0] === 'ask');

const NONSENSE: readonly unknown[] = [
  null,
  true,
  '',
  't-01',
  't-99',
  '__proto__',
  'constructor',
  'x'.repeat(300),
  'ü\u0000\uffff',
  -1,
  0,
  1,
  1.5,
  -0,
  NaN,
  Infinity,
  2 ** 31,
  2 ** 32,
  Number.MAX_SAFE_INTEGER,
  2 ** 60,
  [],
  [[]],
  [null, 1, 'a'],
  Array.from({ length: 400 }, () => 1),
  {},
  { toString: 1, valueOf: 1 },
  { length: 3, 0: 'a' },
  { hasOwnProperty: null, constructor: { name: 'x' } },
  Buffer.from('binary'),
  '[1,2]',
  configuration,
  'append',
  'ask',
  'part',
];

export class Hostile {
  readonly random: Random;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  sample(purpose?: Purpose): Sample {
    return this.random.pick(purpose === undefined ? SAMPLES : SAMPLES_OF[purpose]);
  }

  /** A frame whose fields are bent (they are a sound frame), or one with a bent head, or bent bytes. */
  frame(purpose?: Purpose): Buffer {
    const kind = this.random.next();
    if (kind < 0.6) return this.bentFields(this.sample(purpose));
    if (kind < 0.75) return this.bentHead();
    return this.bentBytes(purpose);
  }

  /** A message between nodes of an epoch that has passed, its body bent. */
  bentBody(purpose: 'control' | 'entries' | 'parts'): Buffer {
    const { fields, blobs } = this.sample(purpose);
    if (fields[0] === 'part') return Buffer.concat(encodeFrame(['part', this.random.pick(NONSENSE)], blobs));
    // Not of a tablet.
    const before = fields[0] === 'clock' ? 1 : 4;
    return this.bentFields({ purpose, fields: fields.slice(before), blobs }, fields.slice(0, before));
  }

  /** `before` stays as it is. */
  bentFields({ fields, blobs }: Sample, before: readonly unknown[] = []): Buffer {
    const { random } = this;
    let bent = [...fields];
    for (let i = random.below(3); i >= 0; i--) bent = this.#bent(bent, 0) as unknown[];
    const more = random.chance(0.2) ? [...blobs, bytes('more')] : random.chance(0.1) ? blobs.slice(1) : blobs;
    return Buffer.concat(encodeFrame([...before, ...(Array.isArray(bent) ? bent : [bent])], more));
  }

  /** A request of a kind that exists, with arguments that are bent. */
  bentArguments(): Buffer {
    const [word, id, kind, ...args] = this.random.pick(REQUESTS).fields;
    return this.bentFields({ purpose: 'client', fields: args, blobs: [] }, [word, id, kind]);
  }

  /** Somewhere in the value. */
  #bent(value: unknown, depth: number): unknown {
    const { random } = this;
    if (!Array.isArray(value) || value.length === 0 || (depth > 0 && random.chance(0.15)))
      return random.pick(NONSENSE);
    const list = [...(value as unknown[])];
    const at = random.below(list.length);
    const way = random.next();
    if (way < 0.7) list[at] = this.#bent(list[at], depth + 1);
    else if (way < 0.8) list.splice(at, 1);
    else if (way < 0.9) list.splice(at, 0, random.pick(NONSENSE));
    else list.splice(at, 0, list[random.below(list.length)]);
    return list;
  }

  bentHead(): Buffer {
    const { random } = this;
    const head = random.pick([
      () => Buffer.concat([Buffer.alloc(random.below(4_000), 0x91), Buffer.from([0xc0])]),
      () =>
        Buffer.concat(Array.from({ length: 1 + random.below(150) }, () => Buffer.from('dd02000000', 'hex'))),
      () => Buffer.concat(Array.from({ length: 1 + random.below(150) }, () => Buffer.from('81a161', 'hex'))),
      () => Buffer.from(`92${random.pick(['dd', 'df', 'db', 'c6'])}ffffffff90`, 'hex'),
      () => Buffer.from('929081a95f5f70726f746f5f5f81a1610190', 'hex'),
      () => Buffer.from('9290cfffffffffffffffff', 'hex'),
      () => Buffer.from('9290c7ff0190d40100', 'hex'),
      () => Buffer.from('9290d9ff41', 'hex'),
      () => Buffer.from('9290a4fffefdfc', 'hex'),
      () => this.#chance(1 + random.below(60)),
    ])();
    const blobs = random.below(20);
    const frame = Buffer.concat([Buffer.alloc(8), head, Buffer.alloc(blobs)]);
    frame.writeUInt32BE(frame.length - 4, 0);
    frame.writeUInt32BE(head.length, 4);
    return frame;
  }

  bentBytes(purpose?: Purpose): Buffer {
    const { random } = this;
    const { fields, blobs } = this.sample(purpose);
    const frame = Buffer.concat(encodeFrame(fields, blobs));
    switch (random.below(6)) {
      case 0:
        for (let i = random.below(4); i >= 0; i--) frame[random.below(frame.length)]! ^= 1 << random.below(8);
        return frame;
      case 1:
        return frame.subarray(0, 1 + random.below(frame.length - 1));
      case 2:
        return Buffer.concat([frame, this.#chance(1 + random.below(40))]);
      case 3:
        frame.writeUInt32BE(random.pick([0, 1, 4, 5, frame.length, 96 * 1024 * 1024 + 1, 0xffffffff]), 0);
        return frame;
      case 4:
        frame.writeUInt32BE(random.pick([0, 1, frame.length - 8, frame.length, 0xffffffff]), 4);
        return frame;
      default:
        return this.#chance(1 + random.below(200));
    }
  }

  #chance(length: number): Buffer {
    const made = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) made[i] = this.random.below(256);
    return made;
  }
}
