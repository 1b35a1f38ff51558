/**
 * Events of early releases, read as those of this one: a mark, a move and a deletion of one message each had a
 * type of their own, and every message was a conversation of itself. They are never rewritten; whoever meets
 * one in a log reads it through `today`.
 */
import type { DomainEvent, EventHandler } from '../decider.ts';
import type { MessagesChanged, MessagesDeleted } from './events.ts';
import type { Folder } from './folders.ts';
import { messagesDeleted } from './changes/change.ts';
import { messagesChanged } from './changes/changes.ts';

export type MessageMarked = {
  readonly type: 'mail.MessageMarked';
  readonly version: 1;
  readonly data: {
    readonly messageId: string;
    readonly read: boolean;
    readonly before: boolean;
    readonly folder: Folder;
  };
};
export type MessageMoved = {
  readonly type: 'mail.MessageMoved';
  readonly version: 1;
  readonly data: { readonly messageId: string; readonly from: Folder; readonly to: Folder };
};
export type MessageDeleted = {
  readonly type: 'mail.MessageDeleted';
  readonly version: 1;
  readonly data: { readonly messageId: string; readonly from: Folder };
};
export type EarlierEvent = MessageMarked | MessageMoved | MessageDeleted;

export const EARLIER_TYPES: readonly EarlierEvent['type'][] = [
  'mail.MessageMarked',
  'mail.MessageMoved',
  'mail.MessageDeleted',
];

export function today(event: EarlierEvent): MessagesChanged | MessagesDeleted {
  const { messageId } = event.data;
  const member = { id: messageId, thread: messageId, doc: null };
  switch (event.type) {
    case 'mail.MessageMarked':
      return changed({
        ...member,
        folder: event.data.folder,
        from: { read: event.data.before },
        to: { read: event.data.read },
      });
    case 'mail.MessageMoved':
      return changed({
        ...member,
        folder: event.data.from,
        from: { folder: event.data.from },
        to: { folder: event.data.to },
      });
    case 'mail.MessageDeleted':
      return {
        type: 'mail.MessagesDeleted',
        version: 1,
        data: { members: [{ ...member, from: event.data.from }] },
      };
  }
}

/** The event itself, or what an early one is read as. */
export function asToday<Event extends DomainEvent>(
  event: Event | EarlierEvent,
): Event | MessagesChanged | MessagesDeleted {
  return (EARLIER_TYPES as readonly string[]).includes(event.type)
    ? today(event as EarlierEvent)
    : (event as Event);
}

function changed(member: MessagesChanged['data']['members'][number]): MessagesChanged {
  return { type: 'mail.MessagesChanged', version: 1, data: { members: [member] } };
}

const readAs = (handler: EventHandler): EventHandler => ({
  touches: (event, content) => handler.touches(today(event as EarlierEvent), content),
  evolve: (key, slice, event, content, time) =>
    handler.evolve(key, slice, today(event as EarlierEvent), content, time),
});

export const earlierEvents: { readonly [Type in EarlierEvent['type']]: EventHandler } = {
  'mail.MessageMarked': readAs(messagesChanged),
  'mail.MessageMoved': readAs(messagesChanged),
  'mail.MessageDeleted': readAs(messagesDeleted),
};
