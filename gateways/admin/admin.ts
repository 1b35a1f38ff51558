/**
 * The console, for those who run the system: who is alive, what the tablets do, what happened, what the cells
 * hold, and what waits for other mail servers. Open to administrators' accounts, and to the holder of a one-time link.
 */
import type { FastifyInstance } from 'fastify';
import { Liveness } from '../liveness/liveness.ts';
import type { GatewayDeps } from '../pages/deps.ts';
import { Pages } from '../pages/pages.ts';
import { registerAdminAccounts } from './accounts.ts';
import { registerCells } from './cells.ts';
import type { Console } from './console.ts';
import { registerEnter } from './enter.ts';
import { registerEvents } from './events.ts';
import { registerNodes } from './nodes.ts';
import { registerQueue } from './queue.ts';

export function registerAdmin(app: FastifyInstance, deps: GatewayDeps): void {
  const pages = new Pages(deps);
  const liveness = new Liveness(deps.notices);
  app.addHook('onClose', () => liveness.close());
  const consoles: Console = {
    pages,
    liveness,
    admit: (request) => pages.visits.requireConsole(request),
    show: (request, reply, view) =>
      pages.show(request, reply, {
        section: 'admin',
        ...view,
        data: { ...view.data, tab: { [view.tab]: true }, consoleVisitor: request.visit === undefined },
      }),
  };
  registerEnter(app, pages);
  registerNodes(app, consoles);
  registerEvents(app, consoles);
  registerCells(app, consoles);
  registerQueue(app, consoles);
  registerAdminAccounts(app, consoles);
}
