/** Runs that once showed a bug (seeds/): what was found is told, and a mutant brings it back. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Profile } from '../cluster/profile.ts';

export type Kept = {
  readonly seed: number;
  /** All of it, whatever the seed would draw. */
  readonly profile: Profile;
  /** Production code with the bug (mutants-list.ts): on it, this run breaks a promise. */
  readonly mutant: string;
  readonly story: string;
};

const SEEDS = new URL('../seeds/', import.meta.url);

export function keptRuns(): (Kept & { readonly name: string })[] {
  return readdirSync(SEEDS)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => {
      const kept = JSON.parse(readFileSync(new URL(file, SEEDS), 'utf8')) as Kept;
      return { ...kept, name: file.slice(0, -'.json'.length) };
    });
}
