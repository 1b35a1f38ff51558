/**
 * Processes seen from outside: whether they live, and their processor time, which stays comparable when
 * the machine does other things as well.
 */
import { readFileSync } from 'node:fs';

/** USER_HZ, which Linux fixes at 100 for what it shows in /proc (proc(5)). */
const TICKS_PER_SECOND = 100;

/**
 * User and system time of all of them so far, in seconds, with that of children that have ended; those that have ended
 * themselves count as 0. So a server whose workers come and go (Postfix) must be given with the one that starts them.
 */
export function processorSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid), 0) / TICKS_PER_SECOND;
}

function ticksOf(pid: number): number {
  try {
    // The second field is a name that may hold spaces: count from its closing bracket.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()!.split(' ');
    // utime, stime, cutime, cstime (proc(5)).
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  } catch {
    return 0;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
