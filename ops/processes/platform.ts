/**
 * The composition root: what the store's opaque entries mean. Domain and projections become the
 * application that tablets run, in nodes and in replays alike.
 */
import { createDomain } from '../../domain/domain.ts';
import { createProjections } from '../../projections/projections.ts';
import type { Application } from '../../storage-nodes/tablet/application.ts';
import type { Settings } from './settings.ts';

export function createApplication(
  limits: Pick<Settings, 'kvValueBytesMax' | 'messageBytesMax'>,
): Application {
  const { commands, events } = createDomain(limits);
  return { commands, events, projections: createProjections() };
}
