/** What a gateway is given: ports and settings, nothing it could keep state in. */
import type { Logger } from 'pino';
import type { StoreClient } from '../../storage-nodes/client/client.ts';
import type { Notices } from '../../storage-nodes/client/notices.ts';
import type { Postmaster } from '../postmaster/postmaster.ts';
import type { Reach } from './outgoing.ts';

export type GatewayDeps = {
  readonly store: StoreClient;
  readonly notices: Notices;
  readonly logger: Logger;
  readonly postmaster: Postmaster;
  readonly gatewayId: string;
  /** Mail domains served; the first is the one that new addresses are written with. */
  readonly domains: readonly string[];
  /** True when the pages are served over TLS: cookies are then Secure and carry the __Host- prefix. */
  readonly cookieSecure: boolean;
  /** One secret for the whole deployment, so that a form from one gateway can be sent to another. */
  readonly cookieSecret: string;
  readonly messageBytesMax: number;
  /** How long a message can be taken back after "Send". */
  readonly undoSendMs: number;
  /** Where requests on a reader's behalf may go; default: the public internet. */
  readonly reach?: Reach;
};
