/**
 * The port through which a tablet uses the domain and the projections. The composition root fills it;
 * the tablet itself does not know what mail is.
 */
import type { CommandHandler, Content, EventHandler } from '../../domain/decider.ts';
import type { Projection } from '../../projections/projection.ts';
import { sha256Hex } from '../log/entry.ts';

export type Application = {
  /** By `area.Name`. */
  readonly commands: Readonly<Record<string, CommandHandler>>;
  readonly events: Readonly<Record<string, EventHandler>>;
  readonly projections: readonly Projection[];
};

/** Events that the store itself writes. */
export const EPOCH_OPENED = 'platform.EpochOpened';
export const REACTION_SETTLED = 'platform.ReactionSettled';

/** The parts of one entry as pure code sees them; digests are computed when asked for. */
export function contentOf(parts: readonly (Uint8Array | undefined)[], lengths?: readonly number[]): Content {
  const digests: (string | undefined)[] = [];
  return {
    count: parts.length,
    length: (part) => lengths?.[part] ?? parts[part]?.length ?? 0,
    bytes: (part) => parts[part],
    digest: (part) => {
      const bytes = parts[part];
      return bytes && (digests[part] ??= sha256Hex(bytes));
    },
  };
}
