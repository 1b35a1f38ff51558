/**
 * The state that mail decisions read: one slice per message, 'message/<id>'. It exists from the message's
 * arrival until it is deleted for good.
 */
import type { EventHandler, Json, StateKey } from '../decider.ts';
import type {
  Folder,
  MailEvent,
  MessageDeleted,
  MessageMarked,
  MessageMoved,
  MessageReceived,
  MessageSent,
} from './events.ts';
import { deliveries } from './reactions.ts';

/** `at`: the log's time when the message arrived or was sent; it orders the message in every folder. */
export type MessageSlice = { readonly folder: Folder; readonly read: boolean; readonly at: number };

export const messageKey = (messageId: string): StateKey => `message/${messageId}`;

const touches = (event: MailEvent): readonly StateKey[] => [messageKey(event.data.messageId)];

export const mailEvents: { readonly [Type in MailEvent['type']]: EventHandler } = {
  'mail.MessageReceived': {
    touches,
    evolve: (_key, _slice, event: MessageReceived, _content, time): MessageSlice => ({
      folder: event.data.folder,
      read: false,
      at: time,
    }),
  },
  'mail.MessageSent': {
    touches,
    evolve: (_key, _slice, _event: MessageSent, _content, time): MessageSlice => ({
      folder: 'sent',
      read: true,
      at: time,
    }),
    reactions: deliveries,
  },
  'mail.MessageMarked': {
    touches,
    evolve: (_key, slice, event: MessageMarked) => changed(slice, { read: event.data.read }),
  },
  'mail.MessageMoved': {
    touches,
    evolve: (_key, slice, event: MessageMoved) => changed(slice, { folder: event.data.to }),
  },
  'mail.MessageDeleted': {
    touches,
    evolve: (_key: StateKey, _slice: Json | undefined, _event: MessageDeleted) => undefined,
  },
};

/** A message that is not there stays away: no later event brings it back. */
function changed(slice: Json | undefined, change: Partial<MessageSlice>): MessageSlice | undefined {
  if (slice === undefined) return undefined;
  const { folder, read, at } = slice as MessageSlice;
  return { folder, read, at, ...change };
}
