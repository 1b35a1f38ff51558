/**
 * The composition root: what the store's opaque entries mean. Domain and projections become the
 * application that tablets run, in nodes and in replays alike.
 */
import { createDomain } from '../../domain/domain.ts';
import { createProjections } from '../../projections/projections.ts';
import type { Application } from '../../storage-nodes/tablet/application.ts';
import type { Settings } from './settings.ts';

/**
 * Of the cells that this release makes of a log: its slices, its read models, the store's own (decision 0028).
 * A node whose folder holds another form builds its cells again. `test/spec/ops/cell-form.spec.ts` says when
 * it must be raised.
 */
export const CELL_FORM = 3;

export function createApplication(
  limits: Pick<Settings, 'kvValueBytesMax' | 'messageBytesMax'>,
): Application {
  const { commands, events } = createDomain(limits);
  return { commands, events, projections: createProjections() };
}
