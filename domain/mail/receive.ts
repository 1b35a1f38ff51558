/**
 * A message comes in, and the account's rules, or what it has taught of spam, say where it lies. Message ids are chosen at random by the gateway,
 * or derived from a sent message's id; a forwarded copy keeps the id, so that no account takes it twice.
 */
import { ACCOUNT_KEY, accountFault } from '../account/evolve.ts';
import type { CommandHandler, Content, EventHandler, Slices } from '../decider.ts';
import { fieldsOf, matching, parsed, partAtMost, partsAre } from '../fields.ts';
import { accountStream } from '../streams.ts';
import {
  arrivalOf,
  arrivalReads,
  arrivalReadsNext,
  arrivalTouches,
  evolveArrival,
  hasPart,
  type Arriving,
} from './arrival.ts';
import { messageKey, messagesOf, threadKey } from './conversation.ts';
import { happened, nothing } from './decisions.ts';
import type { MessageReceived, Via } from './events.ts';
import { counted, FOLDERS_KEY, foldersOf, isOwnFolder } from './folders.ts';
import { messageIdField, messageParts, namedIds, WORDS_BYTES_MAX } from './fields.ts';
import { activeRules, needsFolders, RULES_KEY, rulingOn, type Ruling } from './rules.ts';
import { isSpam, SPAM_KEY } from './spam.ts';
import { decodeWords } from './words.ts';

export type ReceiveMessage = Arriving & { readonly via: Via };

/** Parts: the message, its summary, its words (these may be left out). */
export const receiveMessage = (messageBytesMax: number): CommandHandler<ReceiveMessage> => ({
  parse: (data, content) =>
    parsed((): ReceiveMessage => {
      const { messageId, via, ids } = fieldsOf(data, ['messageId', 'via', 'ids']);
      if (content.count === 3) partAtMost(content, 2, 'words', WORDS_BYTES_MAX);
      else partsAre(content, 'message', 'summary');
      messageParts(content, messageBytesMax, 1);
      return {
        messageId: messageIdField(messageId),
        via: matching(via, 'via', /^(smtp|local)$/, '"smtp" or "local"') as Via,
        ids: namedIds(ids),
      };
    }),
  reads: (data) => [ACCOUNT_KEY, RULES_KEY, SPAM_KEY, ...arrivalReads(data)],
  readsNext: (data, slices) => [
    ...arrivalReadsNext(data, slices),
    ...(needsFolders(slices(RULES_KEY)) ? [FOLDERS_KEY] : []),
  ],
  decide(data, slices, { stream, content }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    if (slices(messageKey(data.messageId)) !== undefined) return nothing;
    const arrival = arrivalOf(data, slices, hasPart(content, 2));
    const ruling = ruled(arrival.thread, slices, content);
    return happened({
      type: 'mail.MessageReceived',
      version: 1,
      data: {
        ...arrival,
        folder: 'inbox',
        via: data.via,
        ...ruling,
        ...(ruling.forward !== undefined && { named: data.ids }),
      },
    });
  },
});

/**
 * What rules and filter say of it. A message without words is known to neither; one that a rule holds for, or that
 * joins a conversation in which one has written oneself, is not judged as spam.
 */
function ruled(thread: string, slices: Slices, content: Content): Ruling & { spam?: true } {
  const rules = activeRules(slices(RULES_KEY));
  const filter = slices(SPAM_KEY);
  if (rules.length === 0 && filter === undefined) return {};
  if (!hasPart(content, 2) || content.length(2) === 0) return {};
  const words = decodeWords(content.bytes(2));
  const folders = needsFolders(slices(RULES_KEY)) ? foldersOf(slices(FOLDERS_KEY)) : {};
  const ruling = rulingOn(words, rules, folders);
  if (ruling.rules !== undefined) return ruling;
  const isAnswer = messagesOf(slices(threadKey(thread))).some(({ folder }) => folder === 'sent');
  return !isAnswer && isSpam(filter, words) ? { folder: 'spam', spam: true } : {};
}

export const messageReceived: EventHandler = {
  touches(event) {
    const { data } = event as MessageReceived;
    return [...arrivalTouches(data), ...(isOwnFolder(data.folder) ? [FOLDERS_KEY] : [])];
  },
  evolve(key, slice, event, _content, time) {
    const { data } = event as MessageReceived;
    const { folder, read = false, starred = false } = data;
    if (key === FOLDERS_KEY) return counted(foldersOf(slice), folder, 1);
    return evolveArrival(key, slice, data, time, { folder, read, starred });
  },
  reactions(event, _stream, content) {
    const { messageId, forward = [], named = [] } = (event as MessageReceived).data;
    return forward.map((account) => ({
      stream: accountStream(account),
      command: 'mail.ReceiveMessage',
      data: { messageId, via: 'local', ids: named },
      parts: hasPart(content, 2) ? [0, 1, 2] : [0, 1],
    }));
  },
};
