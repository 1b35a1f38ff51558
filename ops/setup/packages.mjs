/**
 * Installs node_modules when it is missing or is not what package-lock.json asks for. npm writes a lock
 * file of its own into node_modules as the last step of every install, so comparing the two tells
 * whether the right versions are there, whoever installed them.
 */
import { readFileSync } from 'node:fs';
import { ROOT, progress, runQuietly } from './steps.mjs';

export function packagesAreInstalled() {
  const installed = packagesIn(`${ROOT}node_modules/.package-lock.json`);
  if (!installed) return false;
  return Object.entries(packagesIn(`${ROOT}package-lock.json`)).every(
    // The entry '' is the project itself; optional packages may be for other systems.
    ([path, wanted]) => path === '' || wanted.optional || installed[path]?.version === wanted.version,
  );
}

export async function installPackages() {
  progress('installing packages (npm ci) …');
  await runQuietly('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--include=dev'], {
    failure: 'penncloud: `npm ci` failed; see above. With no network, run it once where there is one.',
  });
}

function packagesIn(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
