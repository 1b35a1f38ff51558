import { describe, expect, it } from 'vitest';
import { Pace, type PaceSettings } from '../../../gateways/smtp/session/pace.ts';

const settings: PaceSettings = {
  ...{ commandMs: 1_000, dataMs: 1_000, dataBytesPerSecondMin: 100, messageMs: 10_000 },
  ...{ commandsMax: 3, handshakeMs: 1_000 },
};
const reply = { bytes: 0, opensData: false, isKept: false };
const text = (pace: Pace, now: number, bytes = 0): string | undefined => pace.late(now, bytes)?.message;

describe('the time that a client has', () => {
  it('for a command begins with the reply before it, whatever came in since', () => {
    const pace = new Pace(settings, 0);
    pace.answered(500, reply);
    expect(text(pace, 1_500, 999)).toBeUndefined();
    expect(text(pace, 1_501, 9_999)).toMatch(/^4\.4\.2 No whole command within 1 s/);
  });

  it('for data grows with every byte that came', () => {
    const pace = new Pace(settings, 0);
    pace.answered(0, { bytes: 50, opensData: true, isKept: false });
    expect(text(pace, 1_000, 50)).toBeUndefined();
    expect(text(pace, 1_001, 50)).toMatch(/^4\.4\.2 The message arrives too slowly/);
    expect(text(pace, 5_000, 50 + 400)).toBeUndefined();
    expect(text(pace, 5_000, 50 + 399)).toMatch(/too slowly/);
  });

  it('for a message begins with the last one', () => {
    const pace = new Pace(settings, 0);
    pace.answered(9_999, reply);
    expect(text(pace, 10_000)).toBeUndefined();
    pace.answered(10_000, reply);
    expect(text(pace, 10_001)).toMatch(/^4\.4\.2 No message within 10 s/);
    pace.answered(10_001, { ...reply, isKept: true });
    expect(text(pace, 11_001)).toBeUndefined();
  });

  it('is counted in commands too', () => {
    const pace = new Pace(settings, 0);
    for (let n = 0; n < 3; n++) expect(pace.command()).toBeUndefined();
    expect(pace.command()?.responseCode).toBe(421);
    pace.answered(0, { ...reply, isKept: true });
    expect(pace.command()).toBeUndefined();
  });
});
