/** How decisions on a queue end. */
import type { Decision, DomainEvent, Json } from '../decider.ts';
import { rejection, type RejectionCode } from '../errors.ts';
import type { OutboundEvent } from './events.ts';

export const nothing: Decision = { events: [] };

export function happened(event: OutboundEvent & DomainEvent, reply?: Json): Decision {
  return { events: [event], ...(reply !== undefined && { reply }) };
}

export function refused(
  code: RejectionCode,
  message: string,
  field: string,
  details?: Readonly<Record<string, string | number | null>>,
): Decision {
  return { rejection: rejection(code, message, { field, ...(details && { details }) }) };
}
