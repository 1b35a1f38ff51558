/**
 * A message comes in, and the account's rules, or what it has taught of spam, say where it lies; who is away answers
 * it. Message ids are chosen at random by the gateway, or derived from a sent message's id; a forwarded copy keeps
 * the id, so that no account takes it twice.
 */
import { ACCOUNT_KEY, accountFault } from '../account/evolve.ts';
import type { CommandHandler, Content, EventHandler, Slices } from '../decider.ts';
import { fieldsOf, flag, matching, namedIds, parsed, partAtMost, partsAre } from '../fields.ts';
import { accountOf, accountStream } from '../streams.ts';
import { answeringField, checkedAnswerable } from './message/answerable.ts';
import {
  arrivalOf,
  arrivalReads,
  arrivalReadsNext,
  arrivalTouches,
  beginsAnew,
  evolveArrival,
  hasPart,
  isBlindArrival,
  type Arriving,
} from './arrival.ts';
import { messageKey, messagesOf, threadKey } from './conversation.ts';
import { happened, nothing } from './decisions.ts';
import type { MessageReceived, Via } from './events.ts';
import { counted, FOLDERS_KEY, foldersOf, isOwnFolder } from './folders.ts';
import { accountNames, messageIdField, messageParts, WORDS_BYTES_MAX } from './fields.ts';
import { FORWARDS_KEY, forwardedOutside, withCopies } from './rules/forwarding.ts';
import {
  activeRules,
  forwardsOutside,
  needsFolders,
  RULES_KEY,
  rulingOn,
  type Ruling,
} from './rules/rules.ts';
import { outgoingOf, queueing } from './sending/outside.ts';
import { SPAM_KEY, SPAM_SCORE_FROM, spamScore } from './spam/spam.ts';
import { vacationReads, vacationReadsNext, vacationReply, type Asking } from './vacation/vacation.ts';
import { decodeWords } from './message/words.ts';

/** Behind the words. */
const ANSWERABLE_PART = 3;

export type ReceiveMessage = Arriving & {
  readonly via: Via;
  readonly asking: Asking | undefined;
  /** Its envelope names no sender. */
  readonly nullSender: boolean;
  /** Accounts here that have forwarded it before, as its header says. */
  readonly deliveredTo: readonly string[];
  /** Whoever it names as its sender asks to set it aside: it did not send this. */
  readonly isQuarantined: boolean;
  /** The id under which it may have come before: then this is that message once more. */
  readonly earlier: string | undefined;
};

/** Parts: the message, its summary, its words (these may be left out), and with `answer` how it is answered. */
export const receiveMessage = (messageBytesMax: number): CommandHandler<ReceiveMessage> => ({
  parse: (data, content) =>
    parsed((): ReceiveMessage => {
      const fields = fieldsOf(data, [
        'messageId',
        'via',
        'ids',
        'answer',
        'nullSender',
        'deliveredTo',
        'verdict',
        'earlier',
      ]);
      const { messageId, via, ids, answer, nullSender, deliveredTo = [], verdict, earlier } = fields;
      if (answer !== undefined) partsAre(content, 'message', 'summary', 'words', 'answerable');
      else if (content.count !== 3) partsAre(content, 'message', 'summary');
      if (content.count > 2) partAtMost(content, 2, 'words', WORDS_BYTES_MAX);
      messageParts(content, messageBytesMax, 1);
      return {
        messageId: messageIdField(messageId),
        via: matching(via, 'via', /^(smtp|local)$/, '"smtp" or "local"') as Via,
        ids: namedIds(ids),
        asking: answer === undefined ? undefined : asked(answer, content),
        nullSender: nullSender !== undefined && flag(nullSender, 'nullSender'),
        deliveredTo: accountNames(deliveredTo, 0),
        earlier: earlier === undefined ? undefined : messageIdField(earlier),
        isQuarantined:
          verdict !== undefined && matching(verdict, 'verdict', /^quarantine$/, '"quarantine"') !== '',
      };
    }),
  reads: (data) => [
    ACCOUNT_KEY,
    RULES_KEY,
    SPAM_KEY,
    ...arrivalReads(data),
    ...vacationReads(data.asking),
    ...(data.earlier === undefined ? [] : [messageKey(data.earlier)]),
  ],
  readsNext: (data, slices) => [
    ...arrivalReadsNext(data, slices),
    ...(needsFolders(slices(RULES_KEY)) ? [FOLDERS_KEY] : []),
    ...(forwardsOutside(slices(RULES_KEY)) ? [FORWARDS_KEY] : []),
    ...vacationReadsNext(data.asking, slices),
  ],
  decide(data, slices, context) {
    const { stream, content, time } = context;
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const isHere = (messageId: string) => slices(messageKey(messageId)) !== undefined;
    if (isHere(data.messageId) || (data.earlier !== undefined && isHere(data.earlier))) return nothing;
    const arrival = arrivalOf(data, slices, hasPart(content, 2));
    // Before all rules: one that trusts a sender would be the first to be fooled by a forged one.
    const { outside, as, ...ruling } = data.isQuarantined
      ? QUARANTINED
      : ruled(arrival.thread, slices, content);
    const { messageId, asking, ids: named, nullSender, deliveredTo } = data;
    const folder = ruling.folder ?? 'inbox';
    const reply = vacationReply({ messageId, asking, named, folder }, slices, context);
    const isBackAgain = deliveredTo.includes(accountOf(stream) ?? '');
    const copies = forwardedOutside(
      { ...(outside && { outside }), ...(as !== undefined && { as }) },
      { isBackAgain, nullSender },
      outside && slices(FORWARDS_KEY),
      time,
    );
    const isNotForwarded = copies === 'limit' || copies === 'loop';
    const envelopePart = content.count + (reply?.parts.length ?? 0);
    const received: MessageReceived = {
      type: 'mail.MessageReceived',
      version: 1,
      data: {
        ...arrival,
        ...(beginsAnew(arrival, slices) && { begins: true }),
        folder: 'inbox',
        via: data.via,
        ...ruling,
        ...(ruling.forward !== undefined && {
          named,
          ...(nullSender && { nullSender }),
          ...(deliveredTo.length > 0 && { deliveredTo }),
        }),
        ...(isNotForwarded && { notForwarded: copies }),
        ...(typeof copies === 'object' && { outside: copies.count, envelope: envelopePart }),
      },
    };
    const parts = [...(reply?.parts ?? []), ...(typeof copies === 'object' ? [copies.envelope] : [])];
    if (parts.length === 0) return happened(received);
    return { events: reply === undefined ? [received] : [received, reply.event], parts };
  },
});

const QUARANTINED: Ruling & Pick<MessageReceived['data'], 'quarantined'> = {
  folder: 'spam',
  quarantined: true,
};

/** Undefined if how it is answered was erased meanwhile. */
function asked(answer: unknown, content: Content): Asking | undefined {
  const answering = answeringField(answer);
  const how = checkedAnswerable(content, ANSWERABLE_PART);
  return how && { ...answering, how };
}

/**
 * What rules and filter say of it. A message without words is known to neither; one that a rule holds for, or that
 * joins a conversation in which one has written oneself, is not judged as spam.
 */
function ruled(
  thread: string,
  slices: Slices,
  content: Content,
): Ruling & Pick<MessageReceived['data'], 'spam' | 'score'> {
  const rules = activeRules(slices(RULES_KEY));
  const filter = slices(SPAM_KEY);
  if (rules.length === 0 && filter === undefined) return {};
  if (!hasPart(content, 2) || content.length(2) === 0) return {};
  const words = decodeWords(content.bytes(2));
  const folders = needsFolders(slices(RULES_KEY)) ? foldersOf(slices(FOLDERS_KEY)) : {};
  const ruling = rulingOn(words, rules, folders);
  if (ruling.rules !== undefined) return ruling;
  const isAnswer = messagesOf(slices(threadKey(thread))).some(({ folder }) => folder === 'sent');
  const score = isAnswer ? undefined : spamScore(filter, words);
  if (score === undefined) return {};
  return score >= SPAM_SCORE_FROM ? { folder: 'spam', spam: true, score } : { score };
}

export const messageReceived: EventHandler = {
  touches(event) {
    const { data } = event as MessageReceived;
    return [
      ...arrivalTouches(data),
      ...(isOwnFolder(data.folder) ? [FOLDERS_KEY] : []),
      ...(data.outside === undefined ? [] : [FORWARDS_KEY]),
    ];
  },
  isBlind(key, event) {
    const { data } = event as MessageReceived;
    return key !== FOLDERS_KEY && key !== FORWARDS_KEY && isBlindArrival(key, data, data.begins === true);
  },
  evolve(key, slice, event, _content, time) {
    const { data } = event as MessageReceived;
    const { folder, read = false, starred = false, dated = time } = data;
    if (key === FORWARDS_KEY) return withCopies(slice, data.outside ?? 0, time);
    if (key === FOLDERS_KEY) return counted(foldersOf(slice), folder, 1);
    return evolveArrival(key, slice, data, dated, { folder, read, starred });
  },
  reactions(event, stream, content) {
    const { data } = event as MessageReceived;
    const { messageId, forward = [], named = [], nullSender, deliveredTo } = data;
    const outgoing = outgoingOf(data);
    const before = { ...(nullSender && { nullSender }), ...(deliveredTo && { deliveredTo }) };
    const here = forward.map((account) => ({
      stream: accountStream(account),
      command: 'mail.ReceiveMessage',
      data: { messageId, via: 'local', ids: named, ...before },
      parts: hasPart(content, 2) ? [0, 1, 2] : [0, 1],
    }));
    if (outgoing === undefined) return here;
    return [...here, ...queueing(stream, { messageId, origin: 'forward', message: 0 }, outgoing)];
  },
};
