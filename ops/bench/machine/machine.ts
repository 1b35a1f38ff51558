/** Where the figures come from: processor, memory, disk, system. And a folder on a real disk for a run. */
import { mkdirSync, mkdtempSync, readFileSync, statfsSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';

export type Machine = {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly disk: string;
  readonly system: string;
  readonly node: string;
  /** How many others wanted a core in the minute before (getloadavg(3)). */
  readonly load: number;
};

/** statfs(2): a file system in memory, where syncing costs nothing. */
const TMPFS = 0x01021994;

export function machineOf(folder: string): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    disk: diskOf(folder),
    system: `${distribution()}, Linux ${release()}`,
    node: process.version,
    load: loadavg()[0] ?? 0,
  };
}

/** A fresh folder on a disk, in the first place of these that has one. */
export function makeFolder(wanted: string | undefined): string {
  const places = wanted === undefined ? [tmpdir(), '/var/tmp', resolve('data')] : [resolve(wanted)];
  const place = places.find((place) => !isInMemory(place)) ?? places[0]!;
  mkdirSync(place, { recursive: true });
  return mkdtempSync(join(place, 'penncloud-bench-'));
}

export function isInMemory(folder: string): boolean {
  try {
    return statfsSync(folder).type === TMPFS;
  } catch {
    return false;
  }
}

/** File system and device, as the longest mount point above the folder has it. */
function diskOf(folder: string): string {
  const mounts = textOf('/proc/mounts')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, point]) => point !== undefined && `${folder}/`.startsWith(point === '/' ? '/' : `${point}/`))
    .sort(([, a], [, b]) => b!.length - a!.length);
  const [device = 'unknown', , type = 'unknown'] = mounts[0] ?? [];
  return `${type} on ${device}`;
}

function distribution(): string {
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(textOf('/etc/os-release'))?.[1] ?? 'unknown';
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
