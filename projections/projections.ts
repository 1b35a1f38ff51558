/** All read models. Each listens to the events it needs and writes cells that no other one writes. */
import { accountProjection } from './account.ts';
import { appPasswordsProjection } from './app-passwords.ts';
import { bulkProjection } from './bulk.ts';
import { consoleProjection } from './console.ts';
import { contactsProjection } from './contacts.ts';
import { driveProjection } from './drive.ts';
import { identitiesProjection } from './identities.ts';
import { kvProjection } from './kv.ts';
import { mailboxProjection } from './mailbox.ts';
import { messageHistoryProjection } from './message-history.ts';
import { messageProjection } from './message.ts';
import { outboundProjection } from './outbound.ts';
import { ownFoldersProjection } from './own-folders.ts';
import { rulesProjection } from './rules.ts';
import { searchProjection } from './search.ts';
import { secondFactorProjection } from './second-factor.ts';
import type { Projection } from './projection.ts';
import { vacationProjection } from './vacation.ts';

export function createProjections(): Projection[] {
  return [
    accountProjection,
    secondFactorProjection,
    identitiesProjection,
    appPasswordsProjection,
    consoleProjection,
    kvProjection,
    mailboxProjection,
    messageProjection,
    messageHistoryProjection,
    ownFoldersProjection,
    bulkProjection,
    rulesProjection,
    vacationProjection,
    searchProjection,
    driveProjection,
    contactsProjection,
    outboundProjection,
  ];
}
