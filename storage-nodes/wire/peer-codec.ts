/**
 * Messages between copies of a tablet as they lie in frames, and the check that what came is one.
 *
 *   [type, tablet, epoch, version, ...body] + blobs
 *     append            prevSeq, prevEpoch, commit, [[seq, epoch, [part, ...]], ...]
 *                       a part: null = erased; 0 = the next blob; n = came as number n on the parts connection.
 *                       Blobs: for each record its head, then its parts that are 0, in order
 *     ack               match
 *     nack              [[epoch, end], ...]
 *     beacon            sentAt, commit
 *     beaconAck         sentAt
 *     configure         the configuration's canonical text
 *     queryReply        epoch, end, isCut
 *     withdraw(n)       at
 *     offer             the configuration's canonical text
 *     offerAnswer       hash of the offered configuration, accepts
 *     snapshotAsk       snapshot, chunk
 *     snapshotChunk     snapshot, chunk, at, isLast, crc + the bytes as one blob, on the parts connection
 *     snapshotGone      snapshot
 *     askConfiguration, query, full, leave
 *
 * Of a node, not of a tablet, on the control connection:
 *
 *   ['clock', wall]     what the sender's wall clock shows, ms since 1970
 *
 * The core relies on numbers that are numbers and records that follow one another. What is not so is
 * refused here with Fault Malformed.
 */
import { Fault } from '../faults.ts';
import type { LogRecord } from '../log/entry.ts';
import { canonical, parseConfiguration, type Configuration } from '../replication/configuration.ts';
import type { EpochEnd, MessageBody, PeerMessage } from '../replication/messages.ts';
import type { Epoch, Seq, TabletId, Version } from '../words.ts';
import type { Message } from './frame.ts';

const ID_LENGTH_MAX = 255;
const PARTS_MAX = 65_535;

/** Everything but appends. */
export function encodeMessage({ tablet, epoch, version, body }: PeerMessage): unknown[] {
  return [body.type, tablet, epoch, version, ...encodeBody(body)];
}

function encodeBody(body: MessageBody): unknown[] {
  switch (body.type) {
    case 'append':
      throw new Error('Defect: appends are encoded by encodeAppend');
    case 'ack':
      return [body.match];
    case 'nack':
      return [body.ends.map((e) => [e.epoch, e.end])];
    case 'beacon':
      return [body.sentAt, body.commit];
    case 'beaconAck':
      return [body.sentAt];
    case 'configure':
    case 'offer':
      return [canonical(body.configuration)];
    case 'offerAnswer':
      return [body.offer, body.accepts];
    case 'askConfiguration':
    case 'query':
    case 'full':
    case 'leave':
      return [];
    case 'withdraw':
    case 'withdrawn':
      return [body.at];
    case 'queryReply':
      return [body.last.epoch, body.last.end, body.isCut];
    case 'snapshotAsk':
      return [body.snapshot, body.chunk];
    case 'snapshotChunk':
      return [body.snapshot, body.chunk, body.at, body.isLast, body.crc];
    case 'snapshotGone':
      return [body.snapshot];
  }
}

export type Append = Extract<MessageBody, { type: 'append' }>;

/** `place` says how a part travels: 0 = as a blob of this frame, else its number on the parts connection. */
export function encodeAppend(
  { tablet, epoch, version }: PeerMessage,
  append: Append,
  place: (part: Uint8Array) => number,
): { fields: unknown[]; blobs: Uint8Array[] } {
  const blobs: Uint8Array[] = [];
  const records = append.records.map((record) => {
    blobs.push(record.head);
    const parts = record.parts.map((part) => {
      if (part === undefined) return null;
      const number = place(part);
      if (number === 0) blobs.push(part);
      return number;
    });
    return [record.seq, record.epoch, parts];
  });
  const { prevSeq, prevEpoch, commit } = append;
  return { fields: ['append', tablet, epoch, version, prevSeq, prevEpoch, commit, records], blobs };
}

export function encodeClock(wall: number): unknown[] {
  return ['clock', wall];
}

/** ms since 1970; undefined if it is another message. Throws Malformed. */
export function decodeClock({ fields }: Message): number | undefined {
  return fields[0] === 'clock' ? time(fields[1]) : undefined;
}

/** The numbers of the parts that an append needs from the parts connection. Throws Malformed. */
export function partsNeeded({ fields }: Message): number[] {
  if (fields[0] !== 'append') return [];
  return list(fields[7], 'records').flatMap((record) =>
    partPlaces(list(record, 'record')[2]).filter((place) => place !== null && place > 0),
  ) as number[];
}

/** Throws Malformed. Takes the parts that it needs out of `parts`. */
export function decodeMessage(message: Message, parts: Map<number, Uint8Array>): PeerMessage {
  const [type, tablet, epoch, version, ...body] = message.fields;
  if (typeof type !== 'string') throw malformed('a message without a type');
  return {
    tablet: text(tablet, 'tablet') as TabletId,
    epoch: natural(epoch, 'epoch') as Epoch,
    version: natural(version, 'version') as Version,
    body: decodeBody(type, body, message.blobs, parts),
  };
}

function decodeBody(
  type: string,
  [a, b, c, d, e]: readonly unknown[],
  blobs: readonly Uint8Array[],
  parts: Map<number, Uint8Array>,
): MessageBody {
  switch (type) {
    case 'append': {
      const prevSeq = natural(a, 'prevSeq') as Seq;
      const prevEpoch = natural(b, 'prevEpoch') as Epoch;
      const commit = natural(c, 'commit') as Seq;
      return {
        type,
        prevSeq,
        prevEpoch,
        commit,
        records: decodeRecords(d, prevSeq, prevEpoch, blobs, parts),
      };
    }
    case 'ack':
      return { type, match: natural(a, 'match') as Seq };
    case 'nack':
      return { type, ends: list(a, 'ends').map(decodeEnd) };
    case 'beacon':
      return { type, sentAt: time(a), commit: natural(b, 'commit') as Seq };
    case 'beaconAck':
      return { type, sentAt: time(a) };
    case 'configure':
    case 'offer':
      return { type, configuration: decodeConfiguration(a) };
    case 'offerAnswer':
      return { type, offer: text(a, 'offer'), accepts: b === true };
    case 'askConfiguration':
    case 'query':
    case 'full':
    case 'leave':
      return { type };
    case 'withdraw':
    case 'withdrawn':
      return { type, at: time(a) };
    case 'queryReply':
      return { type, last: decodeEnd([a, b]), isCut: c === true };
    case 'snapshotAsk':
      return { type, snapshot: shortText(a, 'snapshot'), chunk: natural(b, 'chunk') };
    case 'snapshotChunk': {
      const [bytes] = blobs;
      if (!bytes || blobs.length !== 1 || typeof d !== 'boolean')
        throw malformed('a chunk without its bytes');
      const at = natural(c, 'at') as Seq;
      const chunk = natural(b, 'chunk');
      return { type, snapshot: text(a, 'snapshot'), chunk, at, isLast: d, crc: natural(e, 'crc'), bytes };
    }
    case 'snapshotGone':
      return { type, snapshot: shortText(a, 'snapshot') };
    default:
      throw malformed(`an unknown type: ${type.slice(0, 40)}`);
  }
}

/** Requires of records: they follow prevSeq without a gap, and their epochs never fall. */
function decodeRecords(
  records: unknown,
  prevSeq: Seq,
  prevEpoch: Epoch,
  blobs: readonly Uint8Array[],
  large: Map<number, Uint8Array>,
): LogRecord[] {
  let next = 0;
  const take = (): Uint8Array => {
    const blob = blobs[next++];
    if (!blob) throw malformed('an append with fewer payloads than it says');
    return blob;
  };
  let newest: number = prevEpoch;
  const decoded = list(records, 'records').map((record, i): LogRecord => {
    const [seq, epoch, places] = list(record, 'record');
    if (seq !== prevSeq + 1 + i) throw malformed('an append whose records do not follow one another');
    if (natural(epoch, 'epoch') < newest) throw malformed('an append whose epochs fall');
    newest = epoch as number;
    const head = take();
    const parts = partPlaces(places).map((place) => {
      if (place === null) return undefined;
      if (place === 0) return take();
      const bytes = large.get(place);
      if (!bytes) throw malformed('an append whose part did not come');
      large.delete(place);
      return bytes;
    });
    return { seq: seq as Seq, epoch: epoch as Epoch, head, parts };
  });
  if (next !== blobs.length) throw malformed('an append with more payloads than it says');
  return decoded;
}

/** Throws Malformed on a text that is no configuration in every field. */
export function decodeConfiguration(value: unknown): Configuration {
  if (typeof value !== 'string') throw malformed('a configuration is text');
  let configuration: Configuration;
  try {
    configuration = parseConfiguration(value);
  } catch (cause) {
    throw new Fault('Malformed', 'not a configuration', { cause });
  }
  const { tablet, version, epoch, lineage, primary, inSync, replicas, range, predecessor } = configuration;
  for (const [name, word] of Object.entries({ tablet, primary })) text(word, name);
  for (const node of [...inSync, ...replicas]) text(node, 'node');
  for (const [name, number] of Object.entries({ version, epoch, lineage })) natural(number, name);
  if (typeof range.from !== 'string' || (range.to !== null && typeof range.to !== 'string'))
    throw malformed('a configuration with a broken range');
  if (typeof predecessor !== 'string') throw malformed('a configuration without its predecessor');
  return configuration;
}

function decodeEnd(value: unknown): EpochEnd {
  const [epoch, end] = list(value, 'end');
  return { epoch: natural(epoch, 'epoch') as Epoch, end: natural(end, 'end') as Seq };
}

function partPlaces(value: unknown): (number | null)[] {
  const places = list(value, 'parts');
  if (places.length > PARTS_MAX) throw malformed('a record with too many parts');
  return places.map((place) => (place === null ? null : natural(place, 'part')));
}

function list(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(`${name} is not a list`);
  return value as unknown[];
}

function natural(value: unknown, name: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw malformed(`${name} is not a whole number`);
  return value as number;
}

function time(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw malformed('a time is a number');
  return value;
}

function text(value: unknown, name: string): string {
  if (typeof value !== 'string' || value.length === 0 || value.length > ID_LENGTH_MAX)
    throw malformed(`${name} is not a name`);
  return value;
}

/** May be empty. */
function shortText(value: unknown, name: string): string {
  return value === '' ? value : text(value, name);
}

function malformed(what: string): Fault {
  return new Fault('Malformed', `a message between nodes: ${what}`);
}
