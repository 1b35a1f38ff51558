/**
 * The part of MessagePack that heads of frames and of entries use, written straight into a growing buffer and read from
 * one in place: nil, booleans, numbers, text, binary, lists and maps with text keys; no extension types.
 * (https://github.com/msgpack/msgpack/blob/master/spec.md)
 *
 * What is read comes from a socket, so reading costs no more than the bytes that came: a list or map that
 * claims more items than bytes follow is refused, none is allocated ahead, nesting is bounded, and a map
 * has no key twice and none that JavaScript gives a meaning to. What breaks this is a Fault Malformed.
 */
import { Fault } from './faults.ts';

/** Lists and maps in one another. */
const DEPTH_MAX = 64;
const FIRST_BYTES = 4 * 1024;
const TWO_TO_32 = 0x1_0000_0000;
/** Up to here text is written, or read, faster letter by letter than by a call into the runtime (measured). */
const SHORT_TEXT_WRITTEN = 40;
const SHORT_TEXT_READ = 5;

/** Appends values to `bytes`; `at` is where the next one goes. */
export class MsgpackWriter {
  bytes = Buffer.allocUnsafe(FIRST_BYTES);
  at = 0;

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + count));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
  }

  /** `undefined` becomes nil in a list and is left out of a map. Throws Fault Malformed on what cannot be sent. */
  write(value: unknown, depth = 0): void {
    this.reserve(9);
    switch (typeof value) {
      case 'string':
        return this.#text(value);
      case 'number':
        return this.#number(value);
      case 'boolean':
        this.bytes[this.at++] = value ? 0xc3 : 0xc2;
        return;
      case 'undefined':
        this.bytes[this.at++] = 0xc0;
        return;
      case 'object':
        if (value === null) this.bytes[this.at++] = 0xc0;
        else if (depth >= DEPTH_MAX) throw malformed('too deeply nested to be sent');
        else if (Array.isArray(value)) this.list(value, depth);
        else if (value instanceof Uint8Array) this.#binary(value);
        else this.#map(value as Record<string, unknown>, depth);
        return;
      case 'bigint':
      case 'function':
      case 'symbol':
        throw malformed(`a ${typeof value} cannot be sent`);
    }
  }

  list(items: readonly unknown[], depth = 0): void {
    this.listStart(items.length);
    for (let i = 0; i < items.length; i++) this.write(items[i], depth + 1);
  }

  /** The items follow. */
  listStart(count: number): void {
    this.#start(count, 0x90, 15, 0xdc);
  }

  #map(map: Record<string, unknown>, depth: number): void {
    const prototype: unknown = Object.getPrototypeOf(map);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
      throw malformed('only plain objects can be sent');
    const keys = Object.keys(map).filter((key) => map[key] !== undefined);
    this.#start(keys.length, 0x80, 15, 0xde);
    for (const key of keys) {
      this.write(key);
      this.write(map[key], depth + 1);
    }
  }

  /** `wide` is the type with a length of 16 bits; the next has 32. */
  #start(count: number, short: number, shortMax: number, wide: number): void {
    this.reserve(5);
    if (count <= shortMax) this.bytes[this.at++] = short | count;
    else if (count <= 0xffff) {
      this.bytes[this.at] = wide;
      this.at = this.bytes.writeUInt16BE(count, this.at + 1);
    } else {
      this.bytes[this.at] = wide + 1;
      this.at = this.bytes.writeUInt32BE(count, this.at + 1);
    }
  }

  #text(text: string): void {
    const { length } = text;
    if (length < SHORT_TEXT_WRITTEN && this.#ascii(text, length)) return;
    // At most three bytes for each unit of UTF-16. The length comes before the bytes: it is measured first.
    const count = Buffer.byteLength(text);
    if (count <= 31) {
      this.reserve(1 + count);
      this.bytes[this.at++] = 0xa0 | count;
    } else if (count <= 0xff) {
      this.reserve(2 + count);
      this.bytes[this.at++] = 0xd9;
      this.bytes[this.at++] = count;
    } else {
      this.#start(count, 0, -1, 0xda);
      this.reserve(count);
    }
    this.bytes.write(text, this.at, count, 'utf8');
    this.at += count;
  }

  /** False, with nothing written, if there is more than ASCII in it. */
  #ascii(text: string, length: number): boolean {
    this.reserve(2 + length);
    const { bytes } = this;
    const start = length <= 31 ? this.at + 1 : this.at + 2;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[start + i] = code;
    }
    if (length <= 31) bytes[this.at] = 0xa0 | length;
    else {
      bytes[this.at] = 0xd9;
      bytes[this.at + 1] = length;
    }
    this.at = start + length;
    return true;
  }

  #binary(binary: Uint8Array): void {
    const count = binary.length;
    if (count <= 0xff) {
      this.bytes[this.at++] = 0xc4;
      this.bytes[this.at++] = count;
    } else this.#start(count, 0, -1, 0xc5);
    this.reserve(count);
    this.bytes.set(binary, this.at);
    this.at += count;
  }

  #number(n: number): void {
    const { bytes } = this;
    if (!Number.isSafeInteger(n) || Object.is(n, -0)) {
      bytes[this.at] = 0xcb;
      this.at = bytes.writeDoubleBE(n, this.at + 1);
    } else if (n >= 0) {
      if (n < 0x80) bytes[this.at++] = n;
      else if (n <= 0xffff) {
        bytes[this.at] = 0xcd;
        this.at = bytes.writeUInt16BE(n, this.at + 1);
      } else if (n < TWO_TO_32) {
        bytes[this.at] = 0xce;
        this.at = bytes.writeUInt32BE(n, this.at + 1);
      } else this.#wide(0xcf, n);
    } else if (n >= -0x20) bytes[this.at++] = 0x100 + n;
    else if (n >= -0x8000_0000) {
      bytes[this.at] = 0xd2;
      this.at = bytes.writeInt32BE(n, this.at + 1);
    } else this.#wide(0xd3, n);
  }

  #wide(type: number, n: number): void {
    const high = Math.floor(n / TWO_TO_32);
    this.bytes[this.at] = type;
    this.bytes.writeUInt32BE(high >>> 0, this.at + 1);
    this.at = this.bytes.writeUInt32BE(n - high * TWO_TO_32, this.at + 5);
  }
}

/** One value, from `from` to exactly `to`. Binary values are views on `bytes`. Throws Fault Malformed. */
export function readMsgpack(bytes: Buffer, from: number, to: number): unknown {
  const reader = new Reader(bytes, from, to);
  const value = reader.value(0);
  if (reader.at !== to) throw malformed('bytes behind a value');
  return value;
}

class Reader {
  readonly #bytes: Buffer;
  readonly #end: number;
  at: number;

  constructor(bytes: Buffer, from: number, to: number) {
    this.#bytes = bytes;
    this.at = from;
    this.#end = to;
  }

  value(depth: number): unknown {
    const type = this.#bytes[this.#take(1)]!;
    if (type < 0x80) return type;
    if (type >= 0xe0) return type - 0x100;
    if (type >= 0xa0 && type < 0xc0) return this.#text(type & 0x1f);
    if (type < 0x90) return this.#map(type & 0x0f, depth);
    if (type < 0xa0) return this.#list(type & 0x0f, depth);
    const bytes = this.#bytes;
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#binary(this.#natural(1));
      case 0xc5:
        return this.#binary(this.#natural(2));
      case 0xc6:
        return this.#binary(this.#natural(4));
      case 0xca:
        return bytes.readFloatBE(this.#take(4));
      case 0xcb:
        return bytes.readDoubleBE(this.#take(8));
      case 0xcc:
        return this.#natural(1);
      case 0xcd:
        return this.#natural(2);
      case 0xce:
        return this.#natural(4);
      case 0xcf:
        return this.#wide(this.#natural(4));
      case 0xd0:
        return bytes.readInt8(this.#take(1));
      case 0xd1:
        return bytes.readInt16BE(this.#take(2));
      case 0xd2:
        return bytes.readInt32BE(this.#take(4));
      case 0xd3:
        return this.#wide(bytes.readInt32BE(this.#take(4)));
      case 0xd9:
        return this.#text(this.#natural(1));
      case 0xda:
        return this.#text(this.#natural(2));
      case 0xdb:
        return this.#text(this.#natural(4));
      case 0xdc:
        return this.#list(this.#natural(2), depth);
      case 0xdd:
        return this.#list(this.#natural(4), depth);
      case 0xde:
        return this.#map(this.#natural(2), depth);
      case 0xdf:
        return this.#map(this.#natural(4), depth);
      default:
        throw malformed(`a value of the unknown type ${type}`);
    }
  }

  /** Where the next `count` bytes begin. */
  #take(count: number): number {
    const { at } = this;
    if (count > this.#end - at) throw malformed('a value that is cut off');
    this.at = at + count;
    return at;
  }

  #natural(count: 1 | 2 | 4): number {
    const at = this.#take(count);
    if (count === 1) return this.#bytes[at]!;
    return count === 2 ? this.#bytes.readUInt16BE(at) : this.#bytes.readUInt32BE(at);
  }

  #wide(high: number): number {
    const n = high * TWO_TO_32 + this.#natural(4);
    if (!Number.isSafeInteger(n)) throw malformed('a number that would lose digits');
    return n;
  }

  #text(count: number): string {
    const bytes = this.#bytes;
    const at = this.#take(count);
    if (count > SHORT_TEXT_READ) return bytes.toString('utf8', at, at + count);
    let text = '';
    for (let i = at; i < at + count; i++) {
      const code = bytes[i]!;
      if (code > 0x7f) return bytes.toString('utf8', at, at + count);
      text += String.fromCharCode(code);
    }
    return text;
  }

  #binary(count: number): Buffer {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  #list(count: number, depth: number): unknown[] {
    this.#mayHold(count, depth);
    const list: unknown[] = [];
    for (let i = 0; i < count; i++) list.push(this.value(depth + 1));
    return list;
  }

  #map(count: number, depth: number): Record<string, unknown> {
    this.#mayHold(2 * count, depth);
    const map: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) {
      const key = this.value(depth + 1);
      if (typeof key !== 'string' || key === '__proto__' || Object.hasOwn(map, key))
        throw malformed('a map whose keys are not names of their own');
      map[key] = this.value(depth + 1);
    }
    return map;
  }

  /** Every item takes a byte at least. */
  #mayHold(items: number, depth: number): void {
    if (items > this.#end - this.at) throw malformed('a list or map with more items than bytes');
    if (depth >= DEPTH_MAX) throw malformed('a value nested too deeply');
  }
}

function malformed(what: string): Fault {
  return new Fault('Malformed', `MessagePack: ${what}`);
}
