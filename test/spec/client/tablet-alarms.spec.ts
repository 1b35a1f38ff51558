import { describe, expect, it } from 'vitest';
import { alarmOf } from '../../../storage-nodes/client/tablet-alarms.ts';

const tablet = (serving: boolean, ...inSync: string[]) => ({ id: 't01', serving, inSync });
const roles = (text: string) => new Map(text.split(', ').map((word) => word.split(' ') as [string, string]));

describe('what is said of a tablet', () => {
  it('is nothing while it is served from three copies', () => {
    expect(alarmOf(tablet(true, 'a', 'b', 'c'), roles('a primary, b replica, c replica'))).toBeUndefined();
  });

  it('names how many copies are in sync when there are fewer', () => {
    expect(alarmOf(tablet(true, 'a'), roles('a primary'))).toBe('Tablet t01 has 1 of 3 copies in sync (a).');
  });

  it('is no more than that nobody serves it while a copy may yet take over', () => {
    expect(alarmOf(tablet(false, 'a', 'b'), roles('a quarantined, b replica'))).toBe(
      'Tablet t01 has no serving primary.',
    );
  });

  it('names the command when no in-sync copy can be trusted', () => {
    const said = alarmOf(tablet(false, 'a', 'b'), roles('a quarantined, b quarantined, c learner'));
    expect(said).toContain('none of its in-sync copies can be trusted (a, b)');
    expect(said).toContain('`penncloud recover --force t01=NODE --yes`');
  });

  it('names the node to start when the others cannot be trusted', () => {
    expect(alarmOf(tablet(false, 'a', 'b'), roles('a quarantined'))).toContain(
      'b is not heard, and a cannot be trusted. Start it; if it is gone for good: `penncloud recover`',
    );
  });
});
