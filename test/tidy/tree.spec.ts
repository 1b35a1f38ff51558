import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ROOT } from './programs.ts';

/** Tracked files and those about to be; a copy without its history is looked at as it lies there. */
function files(): string[] {
  const listed = existsSync(`${ROOT}.git`)
    ? execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
    : execFileSync(
        'find',
        '. -type f -not -path ./node_modules/* -not -path ./build/* -not -path ./data/*'.split(' '),
        { cwd: ROOT },
      );
  const paths = listed
    .toString()
    .split('\n')
    .map((path) => path.replace(/^\.\//, ''));
  return paths.filter((path) => path !== '' && existsSync(ROOT + path));
}

const isText = (path: string): boolean => !/\.(png|jpg|ico|pdf|woff2|gz)$/.test(path);

function lines(found: RegExp, among: (path: string) => boolean): string[] {
  return files()
    .filter((path) => isText(path) && among(path))
    .flatMap((path) =>
      readFileSync(ROOT + path, 'utf8')
        .split('\n')
        .flatMap((line, index) =>
          found.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 120)}`] : [],
        ),
    );
}

describe('the tree', () => {
  test('has files that these checks can see', () => {
    expect(files().length).toBeGreaterThan(100);
  });

  test('names no package registry', () => {
    expect(
      lines(/registry\.[a-z0-9.-]+\.(org|com|io|dev)/i, (path) => path !== 'test/tidy/tree.spec.ts'),
    ).toEqual([]);
  });

  test('names no path of the machine it was written on', () => {
    const path = /(^|[\s'"`(=])\/(?:work|root)\//;
    expect(lines(path, () => true)).toEqual([]);
  });

  test('leaves nothing half done', () => {
    const marks = new RegExp(
      `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b|\\.(only|skip)\\(`,
    );
    expect(
      lines(marks, (path) => /\.(ts|js|mjs|cjs|hbs|css)$/.test(path) && !path.includes('/assets/')),
    ).toEqual([]);
  });

  test('has no drawer for what has no name', () => {
    const drawer = /(^|\/)(utils?|helpers?|common|misc)(\/|\.[a-z]+$)/;
    expect(files().filter((path) => drawer.test(path))).toEqual([]);
  });

  test('has every test that REQUIREMENTS.md names', () => {
    const named = readFileSync(`${ROOT}test/REQUIREMENTS.md`, 'utf8').match(/[a-z0-9/-]+\.spec\.ts/g) ?? [];
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !existsSync(`${ROOT}test/${path}`))).toEqual([]);
  });

  test('has a launcher that can be run', () => {
    expect(statSync(`${ROOT}ops/bin/penncloud`).mode & 0o111).toBe(0o111);
  });
});

describe('the package', () => {
  const read = (path: string) => JSON.parse(readFileSync(ROOT + path, 'utf8')) as Record<string, unknown>;

  test('locks its packages without naming where they were downloaded', () => {
    const packages = read('package-lock.json')['packages'] as Record<
      string,
      { resolved?: string; link?: boolean }
    >;
    const resolved = Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined);
    expect(resolved).toEqual([]);
    expect(Object.keys(packages).length).toBeGreaterThan(50);
  });

  test('runs no script of its own on install', () => {
    const scripts = Object.keys(read('package.json')['scripts'] as object);
    expect(scripts.filter((name) => /^(pre|post)?(install|prepare|pack)$/.test(name))).toEqual([]);
  });

  test('pins every package exactly', () => {
    const { dependencies, devDependencies } = read('package.json') as Record<string, Record<string, string>>;
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, v]) => !/^\d+\.\d+\.\d+$/.test(v),
    );
    expect(loose).toEqual([]);
  });
});
