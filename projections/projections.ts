/** All read models. Each listens to the events it needs and writes cells that no other one writes. */
import { accountProjection } from './account.ts';
import { consoleProjection } from './console.ts';
import { driveProjection } from './drive.ts';
import { folderProjection } from './folder.ts';
import { identitiesProjection } from './identities.ts';
import { inboxProjection } from './inbox.ts';
import { kvProjection } from './kv.ts';
import { messageProjection } from './message.ts';
import { secondFactorProjection } from './second-factor.ts';
import type { Projection } from './projection.ts';

export function createProjections(): Projection[] {
  return [
    accountProjection,
    secondFactorProjection,
    identitiesProjection,
    consoleProjection,
    kvProjection,
    inboxProjection,
    folderProjection,
    messageProjection,
    driveProjection,
  ];
}
