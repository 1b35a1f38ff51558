import { cruise, type ICruiseOptions, type ICruiseResult } from 'dependency-cruiser';
import extractOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import extractTsConfig from 'dependency-cruiser/config-utl/extract-ts-config';
import { beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from './programs.ts';

const FOLDERS = ['domain', 'projections', 'storage-nodes', 'gateways', 'ops', 'test'];
/** The parts that an import rule names: a rule about a part that nobody saw would check nothing. */
const RULED = [
  'domain/',
  'projections/',
  'storage-nodes/replication/',
  'storage-nodes/log/',
  'storage-nodes/cells/',
  'storage-nodes/client/',
  'storage-nodes/tablet/',
  'storage-nodes/wire/',
  'storage-nodes/master/',
  'gateways/web/',
  'gateways/admin/',
  'gateways/smtp/',
  'gateways/front-door/',
  'gateways/passwords/',
  'ops/',
  'test/',
];

describe('the layers', () => {
  let seen: ICruiseResult;

  beforeAll(async () => {
    const options: ICruiseOptions = await extractOptions(`${ROOT}.dependency-cruiser.cjs`);
    const tsConfig = extractTsConfig(`${ROOT}tsconfig.json`);
    const { output } = await cruise(FOLDERS, { ...options, baseDir: ROOT, validate: true }, undefined, {
      tsConfig,
    });
    seen = output as ICruiseResult;
  });

  test('import each other only as the rules allow', () => {
    const broken = seen.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`);
    expect(broken).toEqual([]);
  });

  test.each(RULED)('the check saw modules in %s', (part) => {
    expect(seen.modules.filter(({ source }) => source.startsWith(part)).length).toBeGreaterThan(0);
  });

  test('the check followed imports between the layers', () => {
    const edges = seen.modules.flatMap(({ source, dependencies }) =>
      dependencies.map(({ resolved }) => [source, resolved] as const),
    );
    const crossing = (from: string, to: string) =>
      edges.filter(([source, target]) => source.startsWith(from) && target.startsWith(to));
    expect(crossing('projections/', 'domain/').length).toBeGreaterThan(0);
    expect(crossing('gateways/', 'storage-nodes/client/').length).toBeGreaterThan(0);
    expect(crossing('storage-nodes/cells/', 'node_modules/rocksdb').length).toBeGreaterThan(0);
  });
});
