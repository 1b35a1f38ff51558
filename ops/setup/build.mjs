/**
 * Compiles the sources to build/ with tsc (templates and styles are read from where they lie). The
 * stamp is a hash over path, size and time of every source, so that the check that nothing changed
 * takes milliseconds; file times, not contents, because a false alarm costs one build.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { ROOT, progress, runQuietly } from './steps.mjs';

const SOURCE_FOLDERS = ['domain', 'projections', 'storage-nodes', 'gateways', 'ops'];
const SETTINGS = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
const STAMP = `${ROOT}build/.stamp`;

export function buildIsFresh() {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8') === fingerprint();
}

export async function build() {
  // Taken first: a source saved while the compiler runs must lead to another build.
  const before = fingerprint();
  progress('building …');
  rmSync(STAMP, { force: true });
  await runQuietly(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    failure: 'penncloud: the build failed; see above.',
  });
  removeOrphans();
  writeFileSync(STAMP, before);
}

/** What a removed or renamed source once built must not be loaded any more. */
function removeOrphans() {
  const kept = new Set(sources().map((path) => path.replace(/\.ts$/, '.js')));
  for (const folder of SOURCE_FOLDERS) {
    for (const path of walk(`build/${folder}`)) {
      if (!kept.has(path.replace(/^build\//, '').replace(/\.map$/, ''))) rmSync(ROOT + path);
    }
  }
}

function fingerprint() {
  const hash = createHash('sha256');
  for (const path of [...SETTINGS, ...sources()]) {
    const { size, mtimeMs } = statSync(ROOT + path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function sources() {
  return SOURCE_FOLDERS.flatMap(walk)
    .filter((path) => path.endsWith('.ts'))
    .sort();
}

/** Every file under a folder, as paths from the checkout's top. */
function walk(folder) {
  if (!existsSync(ROOT + folder)) return [];
  return readdirSync(ROOT + folder, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? walk(path) : [path];
  });
}
