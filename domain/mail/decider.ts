/**
 * Decisions on an account's mail. What always holds:
 *
 *   a message lies in exactly one folder until it is deleted for good
 *   a command that would change nothing is accepted with no events, so that sending it again is harmless
 *   only a message in the trash is deleted for good; from anywhere else deleting moves it there
 *
 * Left out: parsing mail (a gateway's work), and recipients outside this system.
 */
import { ACCOUNT_KEY, accountFault } from '../account/evolve.ts';
import type { CommandHandler, Decision, DomainArea, DomainEvent, Slices } from '../decider.ts';
import { rejection } from '../errors.ts';
import * as commands from './commands.ts';
import type { Folder, MailEvent } from './events.ts';
import { mailEvents, messageKey, type MessageSlice } from './evolve.ts';

export function createMail(limits: { readonly messageBytesMax: number }): DomainArea {
  return {
    commands: {
      'mail.ReceiveMessage': receiveMessage(limits.messageBytesMax),
      'mail.SendMessage': sendMessage(limits.messageBytesMax),
      'mail.MarkMessage': markMessage,
      'mail.MoveMessage': moveMessage,
      'mail.DeleteMessage': deleteMessage,
    },
    events: mailEvents,
  };
}

const reads = (data: { readonly messageId: string }) => [ACCOUNT_KEY, messageKey(data.messageId)];

const receiveMessage = (messageBytesMax: number): CommandHandler<commands.ReceiveMessage> => ({
  parse: (data, content) => commands.parseReceiveMessage(data, content, messageBytesMax),
  reads,
  decide({ messageId, via }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    if (slices(messageKey(messageId)) !== undefined) return nothing;
    return happened({ type: 'mail.MessageReceived', version: 1, data: { messageId, folder: 'inbox', via } });
  },
});

const sendMessage = (messageBytesMax: number): CommandHandler<commands.SendMessage> => ({
  parse: (data, content) => commands.parseSendMessage(data, content, messageBytesMax),
  reads,
  decide({ messageId, recipients }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    if (slices(messageKey(messageId)) !== undefined) return nothing;
    return happened({ type: 'mail.MessageSent', version: 1, data: { messageId, recipients } });
  },
});

const markMessage: CommandHandler<commands.MarkMessage> = {
  parse: commands.parseMarkMessage,
  reads,
  decide: ({ messageId, read }, slices, { stream }) =>
    onMessage(messageId, slices, stream, (message) => {
      if (message.read === read) return nothing;
      const { folder, at } = message;
      return happened({
        type: 'mail.MessageMarked',
        version: 1,
        data: { messageId, read, before: message.read, folder, at },
      });
    }),
};

const moveMessage: CommandHandler<commands.MoveMessage> = {
  parse: commands.parseMoveMessage,
  reads,
  decide: ({ messageId, folder }, slices, { stream }) =>
    onMessage(messageId, slices, stream, (message) =>
      message.folder === folder ? nothing : moved(messageId, message, folder),
    ),
};

const deleteMessage: CommandHandler<commands.DeleteMessage> = {
  parse: commands.parseDeleteMessage,
  reads,
  decide: ({ messageId }, slices, { stream }) =>
    onMessage(messageId, slices, stream, (message) => {
      if (message.folder !== 'trash') return moved(messageId, message, 'trash');
      const { folder: from, read, at } = message;
      return happened({ type: 'mail.MessageDeleted', version: 1, data: { messageId, from, read, at } });
    }),
};

function moved(messageId: string, { folder: from, read, at }: MessageSlice, to: Folder): Decision {
  return happened({ type: 'mail.MessageMoved', version: 1, data: { messageId, from, to, read, at } });
}

function onMessage(
  messageId: string,
  slices: Slices,
  stream: string,
  decide: (message: MessageSlice) => Decision,
): Decision {
  const fault = accountFault(slices, stream);
  if (fault) return { rejection: fault };
  const message = slices(messageKey(messageId)) as MessageSlice | undefined;
  if (message === undefined) {
    return {
      rejection: rejection('NoSuchMessage', 'There is no such message: it may have been deleted.', {
        field: 'messageId',
      }),
    };
  }
  return decide(message);
}

const nothing: Decision = { events: [] };

function happened(event: MailEvent & DomainEvent): Decision {
  return { events: [event] };
}
