/** Whatever bytes come: every parser makes sound values of them or refuses them as Malformed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeCommand, decodeQueries } from '../../../storage-nodes/client/codec.ts';
import { Fault } from '../../../storage-nodes/faults.ts';
import { FrameReader, type Message } from '../../../storage-nodes/wire/frame.ts';
import {
  decodeClock,
  decodeConfiguration,
  decodeMessage,
  partsNeeded,
} from '../../../storage-nodes/wire/peer-codec.ts';
import { Hostile, SAMPLES } from './hostile.ts';

const seed = Number(process.env['PENNCLOUD_SEED'] ?? Date.now() % 2 ** 31);
const FRAMES = 120_000;
const { stackTraceLimit } = Error;

// A hundred thousand refusals, none of whose stacks is read.
beforeAll(() => (Error.stackTraceLimit = 0));
afterAll(() => (Error.stackTraceLimit = stackTraceLimit));

/** As the places where they arrive do. */
function parse(message: Message): unknown {
  const { fields, blobs } = message;
  switch (fields[0] === 'ask' ? fields[2] : fields[0]) {
    case 'execute':
      return decodeCommand(fields[4], blobs);
    case 'read':
      return decodeQueries(fields[5]);
    case 'config.cas':
      return decodeConfiguration(fields[3]);
    case 'clock':
      return decodeClock(message);
    default:
      return [partsNeeded(message), decodeMessage(message, new Map([[7, Buffer.from('part 7')]]))];
  }
}

function isRefused(parse: () => unknown): boolean {
  try {
    parse();
    return false;
  } catch (error) {
    if (error instanceof Fault && error.code === 'Malformed') return true;
    throw error;
  }
}

describe('hostile frames', () => {
  it('begin as sound ones', () => {
    const between = SAMPLES.filter(({ purpose }) => purpose === 'entries' || purpose === 'control');
    const asked = SAMPLES.filter(({ fields }) =>
      ['execute', 'read', 'config.cas'].includes(String(fields[2])),
    );
    expect(asked).toHaveLength(3);
    for (const sample of [...between, ...asked]) expect(() => parse(sample)).not.toThrow();
  });

  it(`are refused as malformed or are sound, ${FRAMES} of them (seed ${seed})`, () => {
    const hostile = new Hostile(seed);
    let [refused, parsed, sound] = [0, 0, 0];
    for (let i = 0; i < FRAMES; i++) {
      const frame = hostile.frame();
      const reader = new FrameReader({ chunksAreReused: hostile.random.chance(0.5) });
      const messages: Message[] = [];
      const isFrameRefused = isRefused(() => {
        for (let at = 0; at < frame.length;) {
          const to = hostile.random.chance(0.8) ? frame.length : at + 1 + hostile.random.below(frame.length);
          messages.push(...reader.push(frame.subarray(at, to)));
          at = to;
        }
      });
      if (isFrameRefused) refused++;
      for (const message of messages) {
        parsed++;
        if (!isRefused(() => parse(message))) sound++;
      }
    }
    // It is no test if nothing comes through, or everything.
    expect(refused).toBeGreaterThan(FRAMES / 10);
    expect(parsed).toBeGreaterThan(FRAMES / 3);
    expect(sound).toBeGreaterThan(FRAMES / 50);
    expect(parsed - sound).toBeGreaterThan(FRAMES / 10);
  });

  it('take no memory for what they only claim', () => {
    const claims = Buffer.alloc(8 + 250);
    claims.writeUInt32BE(96 * 1024 * 1024, 0);
    const before = process.memoryUsage().external;
    const readers = Array.from({ length: 100 }, () => {
      const reader = new FrameReader();
      reader.push(claims);
      return reader;
    });
    expect(process.memoryUsage().external - before).toBeLessThan(readers.length * 3 * 1024 * 1024);
  });
});
