/**
 * What nodes were seen to hold, and whether the config store is behind it (rule 9). Pure.
 *
 * Of each tablet the newest that anyone reported is remembered, or several, if nodes hold different ones
 * of the same age. A store is behind if it has none of that tablet, an older one, or another one of the
 * same age: then it was put back to an earlier state, and what it would decide from there contradicts
 * what a node acts on. Requires of the caller: what is compared with the store was noted before the store
 * was read, since a node may hear of a newer configuration meanwhile.
 */
import { canonical, type Configuration } from '../replication/configuration.ts';
import type { TabletId } from '../words.ts';
import { compareAge } from './configuration-rules.ts';

type Held = { readonly by: string; readonly configuration: Configuration };
export type HeldSnapshot = ReadonlyMap<TabletId, readonly Held[]>;

export class HeldConfigurations {
  readonly #newest = new Map<TabletId, readonly Held[]>();

  /** `by`: a node's name. */
  note(by: string, configuration: Configuration): void {
    const known = this.#newest.get(configuration.tablet) ?? [];
    const age = known[0] ? compareAge(configuration, known[0].configuration) : 1;
    if (age < 0) return;
    const same = (held: Held): boolean => canonical(held.configuration) === canonical(configuration);
    if (age === 0 && known.some(same)) return;
    this.#newest.set(configuration.tablet, [...(age > 0 ? [] : known), { by, configuration }]);
  }

  has(tablet: TabletId): boolean {
    return this.#newest.has(tablet);
  }

  snapshot(): HeldSnapshot {
    return new Map(this.#newest);
  }
}

/** Who holds what the store lacks, as a phrase; undefined: the store is not behind. */
export function contradiction(
  held: HeldSnapshot,
  tablet: TabletId,
  stored: Configuration | undefined,
): string | undefined {
  const against = held.get(tablet)?.find(({ configuration }) => {
    const age = stored ? compareAge(configuration, stored) : 1;
    return age > 0 || (age === 0 && canonical(configuration) !== canonical(stored!));
  });
  if (!against) return undefined;
  const { by, configuration } = against;
  const has = stored
    ? `the config store has ${stored.version === configuration.version ? 'another' : ''} version ${stored.version}`
    : 'the config store has none';
  return `${by} holds version ${configuration.version} of ${tablet}, ${has.replace('  ', ' ')}`;
}
