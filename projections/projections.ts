/** All read models. Each listens to the events it needs and writes cells that no other one writes. */
import { accountProjection } from './account.ts';
import { consoleProjection } from './console.ts';
import { driveProjection } from './drive.ts';
import { folderProjection } from './folder.ts';
import { inboxProjection } from './inbox.ts';
import { kvProjection } from './kv.ts';
import { messageProjection } from './message.ts';
import type { Projection } from './projection.ts';

export function createProjections(): Projection[] {
  return [
    accountProjection,
    consoleProjection,
    kvProjection,
    inboxProjection,
    folderProjection,
    messageProjection,
    driveProjection,
  ];
}
