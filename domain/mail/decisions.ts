/** Words that the decisions of mail share. */
import type { Decision, DomainEvent, Json } from '../decider.ts';
import { rejection, type RejectionCode } from '../errors.ts';
import type { MailEvent } from './events.ts';

/** A command that would change nothing is accepted with no events, so that sending it again is harmless. */
export const nothing: Decision = { events: [] };

export function happened(...events: readonly (MailEvent & DomainEvent)[]): Decision {
  return { events };
}

export function happenedWith(reply: Json, ...events: readonly (MailEvent & DomainEvent)[]): Decision {
  return { events, reply };
}

export function refused(code: RejectionCode, message: string, field: string, limit?: number): Decision {
  return { rejection: rejection(code, message, { field, ...(limit !== undefined && { limit }) }) };
}

export const noSuchMessage: Decision = refused(
  'NoSuchMessage',
  'There is no such message: it may have been deleted.',
  'messageId',
);

export function noSuchFolder(folder: string): Decision {
  return refused('NoSuchFolder', `There is no folder "${folder}": it may have been deleted.`, 'folder');
}
