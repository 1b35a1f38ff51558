import { describe, expect, test } from 'vitest';
import { Silence, SILENT_AFTER_MS } from '../../../storage-nodes/master/silence.ts';

const NODES = ['n1', 'n2', 'n3'];

/** Heartbeats every second from `from` to `to`. */
function beats(silence: Silence, nodes: readonly string[], from: number, to: number): string[] {
  const named: string[] = [];
  for (let now = from; now <= to; now += 1000) {
    for (const node of nodes) silence.heard(node, now);
    named.push(...silence.fallenSilent(now + 500));
  }
  return named;
}

describe('a master that listens to heartbeats', () => {
  test('names a node that fell silent while others are heard, once', () => {
    const silence = new Silence();
    expect(beats(silence, NODES, 0, 10_000)).toEqual([]);
    expect(beats(silence, ['n1', 'n3'], 11_000, 30_000)).toEqual(['n2']);
    expect(silence.silent).toEqual(['n2']);
  });

  test('names it again after it was back', () => {
    const silence = new Silence();
    beats(silence, NODES, 0, 5000);
    beats(silence, ['n1'], 6000, 12_000);
    expect(beats(silence, NODES, 13_000, 15_000)).toEqual([]);
    expect(silence.silent).toEqual([]);
    expect(beats(silence, ['n1'], 16_000, 22_000).sort()).toEqual(['n2', 'n3']);
  });

  test('names nobody while it hears nobody', () => {
    const silence = new Silence();
    beats(silence, NODES, 0, 5000);
    for (let now = 6000; now < 60_000; now += 500) expect(silence.fallenSilent(now)).toEqual([]);
  });

  test('names nobody when its hearing comes back, before they had their time', () => {
    const silence = new Silence();
    beats(silence, NODES, 0, 5000);
    silence.heard('n1', 60_000);
    expect(silence.fallenSilent(60_100)).toEqual([]);
    expect(beats(silence, ['n1'], 61_000, 63_000)).toEqual([]);
    expect(beats(silence, ['n1'], 64_000, 60_000 + SILENT_AFTER_MS + 1000).sort()).toEqual(['n2', 'n3']);
  });

  test('names nobody that it never heard', () => {
    const silence = new Silence();
    expect(beats(silence, ['n1'], 0, 20_000)).toEqual([]);
  });
});
