/**
 * The load generator's process: one for each system, of the same design for all. It does what it is told
 * over the channel to its parent, one thing after the other, and ends with it.
 */
import { openClient } from '../systems/systems.ts';
import type { Access, Client } from '../systems/system.ts';
import { Callers, type Measured, type Window } from './callers.ts';
import type { Cell } from './workload.ts';

export type Order =
  | { readonly do: 'connect'; readonly access: Access }
  | { readonly do: 'preload'; readonly valueBytes: number }
  | { readonly do: 'run'; readonly cell: Cell; readonly window: Window }
  | { readonly do: 'check'; readonly valueBytes: number };

export type Report =
  { readonly done: Measured | number | undefined; readonly failed?: undefined } | { readonly failed: string };

let client: Client | undefined;
const byLength = new Map<number, Callers>();

function callersOf(valueBytes: number): Callers {
  let callers = byLength.get(valueBytes);
  if (!callers) byLength.set(valueBytes, (callers = new Callers(client!, valueBytes)));
  return callers;
}

async function obey(order: Order): Promise<Measured | number | undefined> {
  switch (order.do) {
    case 'connect':
      client = await openClient(order.access);
      return undefined;
    case 'preload':
      await callersOf(order.valueBytes).preload();
      return undefined;
    case 'run':
      return callersOf(order.cell.valueBytes).run(order.cell, order.window);
    case 'check':
      return callersOf(order.valueBytes).check();
  }
}

const report = (report: Report): void => void process.send?.(report);
process.on('message', (order: Order) => {
  obey(order).then(
    (done) => report({ done }),
    (error: Error) => report({ failed: error.message }),
  );
});
process.on('disconnect', () => process.exit(0));
// The terminal's Ctrl-C is the parent's to handle.
process.on('SIGINT', () => {});
