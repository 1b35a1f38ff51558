/** What the console's pages share: the right to see them, who is alive, and their frame. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Liveness } from '../liveness/liveness.ts';
import type { Pages, PageView } from '../pages/pages.ts';
import type { ConsoleVisit } from '../pages/visit.ts';

export type ConsoleView = PageView & {
  readonly tab: 'nodes' | 'tablets' | 'events' | 'cells' | 'queue' | 'accounts';
};

export type Console = {
  readonly pages: Pages;
  readonly liveness: Liveness;
  admit(request: FastifyRequest): Promise<ConsoleVisit>;
  show(request: FastifyRequest, reply: FastifyReply, view: ConsoleView): FastifyReply;
};
