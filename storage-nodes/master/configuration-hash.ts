/** The name by which a configuration's successor refers to it (rule 1). */
import { createHash } from 'node:crypto';
import { canonical } from '../replication/configuration.ts';
import type { Configuration } from '../replication/configuration.ts';

/** Lower-case hex sha256 of the canonical text; what the successor's `predecessor` must be. */
export function configurationHash(configuration: Configuration): string {
  return createHash('sha256').update(canonical(configuration)).digest('hex');
}
