/**
 * A message is sent: at once, or at a given time, until which it can be taken back (a few seconds for "undo",
 * days for "send later"). What always holds:
 *
 *   its time is a reaction of this tablet to itself: no browser and no single process has to stay for it
 *   whether it goes out or was taken back is decided in one place, here, once: release or cancellation,
 *     whichever is decided first
 *   the recipients' copies are made of the bytes that the sender's entry holds; nothing is stored twice
 */
import { ACCOUNT_KEY, accountFault } from '../../account/evolve.ts';
import type { CommandHandler, Content, EventHandler, Reaction, Slices, StateKey } from '../../decider.ts';
import { fieldsOf, flag, namedIds, parsed, partsAre, randomId, refuse, whole } from '../../fields.ts';
import {
  arrivalOf,
  arrivalReads,
  arrivalReadsNext,
  arrivalTouches,
  evolveArrival,
  hasPart,
  threadOfArrival,
  type Arriving,
} from '../arrival.ts';
import { draftKey, draftSent, type DraftSlice } from './draft.ts';
import {
  messageKey,
  messagesOf,
  namedIdKey,
  threadKey,
  withMarks,
  withoutMessages,
} from '../conversation.ts';
import { happened, noSuchMessage, nothing, refused } from '../decisions.ts';
import type {
  MessageReleased,
  MessageScheduled,
  MessageSent,
  SendingCancelled,
  SentAnswering,
} from '../events.ts';
import { accountNames, messageIdField, timeField } from '../fields.ts';
import { GONE } from '../folders.ts';
import { deliveries } from './deliveries.ts';
import { checkOwnEnvelope, outgoingOf, queueing, type Outgoing } from './outside.ts';
import { checkParts, collectedPart, sentAnswering } from './send-parts.ts';

/** How far ahead a message can be scheduled. */
const AHEAD_MS_MAX = 366 * 24 * 60 * 60 * 1000;

export type SendMessage = Arriving & {
  /** Names of accounts here. */
  readonly recipients: readonly string[];
  /** How many addresses elsewhere part 5 names. */
  readonly outside: number;
  /** Part 5 is an envelope, and the message goes there; else it is a list of addresses, as earlier releases had it. */
  readonly isEnveloped: boolean;
  /** Null: at once. */
  readonly dueAt: number | null;
  readonly draftId: string | null;
  /** Another id that this message may have been sent under: it is not sent again. */
  readonly earlier: string | undefined;
  /** The part with the addresses to be collected. */
  readonly collected: number | undefined;
  readonly answer: SentAnswering | undefined;
};
export type TakeBack = { readonly messageId: string };

type SchedulingSlice = {
  readonly recipients: readonly string[];
  readonly named: readonly string[];
  /** Those of them that were not known before. */
  readonly ids: readonly string[];
  readonly draftId: string | null;
  readonly dueAt: number;
  readonly parts: number;
  readonly answer?: SentAnswering;
  readonly outgoing?: Outgoing;
};

/** Where the addresses elsewhere are. */
const ENVELOPE_PART = 5;

const schedulingKey = (messageId: string): StateKey => `scheduled/${messageId}`;

/**
 * Parts as MessageSent's: the first three, or five with words, or six with addresses outside; and one more behind
 * them with `collects`, and one with `answer`.
 */
export const sendMessage = (messageBytesMax: number): CommandHandler<SendMessage> => ({
  parse: (data, content) =>
    parsed((): SendMessage => {
      const fields = fieldsOf(data, [
        'messageId',
        'recipients',
        'outside',
        'size',
        'ids',
        'dueAt',
        'draftId',
        'collects',
        'answer',
        'enveloped',
        'earlier',
      ]);
      const { size, outside = 0, dueAt = null, draftId = null, answer, earlier } = fields;
      const collects = fields.collects !== undefined && flag(fields.collects, 'collects');
      checkParts(content, messageBytesMax, { collects, isAnswerable: answer !== undefined });
      if (size !== undefined && whole(size, 'size', 0, messageBytesMax) !== content.length(0)) {
        refuse('Malformed', `Size must be the message's length, ${content.length(0)} bytes.`, {
          field: 'size',
          limit: content.length(0),
        });
      }
      const count = whole(outside, 'outside', 0, 100);
      const more = Number(collects) + Number(answer !== undefined);
      if (count > 0 && content.count !== 6 + more) {
        refuse('Malformed', 'Addresses outside must come as a sixth part.', { field: 'parts', limit: 6 });
      }
      const isEnveloped = count > 0 && fields.enveloped !== undefined && flag(fields.enveloped, 'enveloped');
      if (isEnveloped) checkOwnEnvelope(content, ENVELOPE_PART, count);
      return {
        messageId: randomId(fields.messageId, 'messageId'),
        recipients: accountNames(fields.recipients, count > 0 ? 0 : 1),
        outside: count,
        isEnveloped,
        ids: namedIds(fields.ids),
        dueAt: dueAt === null ? null : timeField(dueAt, 'dueAt'),
        draftId: draftId === null ? null : messageIdField(draftId, 'draftId'),
        earlier: earlier === undefined ? undefined : randomId(earlier, 'earlier'),
        collected: collects ? collectedPart(content, answer !== undefined) : undefined,
        answer: answer === undefined ? undefined : sentAnswering(answer, content),
      };
    }),
  reads: (data) => [
    ACCOUNT_KEY,
    ...arrivalReads(data),
    schedulingKey(data.messageId),
    ...draftTouches(data.draftId),
    ...(data.earlier === undefined ? [] : [messageKey(data.earlier)]),
  ],
  readsNext: arrivalReadsNext,
  decide(data, slices, { stream, time, content }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const { messageId, recipients, outside, isEnveloped, dueAt, draftId, collected, answer, earlier } = data;
    const envelope = isEnveloped && { envelope: ENVELOPE_PART };
    const isHere = (id: string): boolean => slices(messageKey(id)) !== undefined;
    if (isHere(messageId) || (earlier !== undefined && isHere(earlier))) return nothing;
    if (draftId !== null && (slices(draftKey(draftId)) as DraftSlice | undefined)?.sent) {
      return refused('ChangedSince', 'This message was sent already, from another window.', 'draftId');
    }
    const arrival = arrivalOf(data, slices, hasPart(content, 4));
    const draft = knownDraft(slices, draftId);
    if (dueAt === null) {
      return happened({
        type: 'mail.MessageSent',
        version: 1,
        data: {
          ...arrival,
          named: data.ids,
          recipients,
          ...(outside > 0 && { outside }),
          ...envelope,
          ...(draft !== null && { draftId: draft }),
          ...(collected !== undefined && { collected }),
          ...(answer && { answer }),
        },
      });
    }
    if (dueAt > time + AHEAD_MS_MAX) {
      return refused('Malformed', 'DueAt must be at most 366 days ahead.', 'dueAt', time + AHEAD_MS_MAX);
    }
    return happened({
      type: 'mail.MessageScheduled',
      version: 1,
      data: {
        ...arrival,
        named: data.ids,
        recipients,
        outside,
        ...envelope,
        dueAt,
        draftId: draft,
        ...(collected !== undefined && { collected }),
        ...(answer && { answer }),
      },
    });
  },
});

/** The reaction of the scheduling entry, at its time. */
export const releaseMessage: CommandHandler<TakeBack> = {
  parse: parseTakeBack,
  reads: takeBackReads,
  readsNext: takeBackReadsNext,
  decide({ messageId }, slices, { causedBy }) {
    const scheduled = slices(schedulingKey(messageId)) as SchedulingSlice | undefined;
    // Taken back before its time.
    if (scheduled === undefined) return nothing;
    if (causedBy === undefined) return refused('Malformed', 'Only its time releases a message.', 'messageId');
    const { recipients, named, draftId, parts, answer, outgoing } = scheduled;
    const place = placeOf(slices, messageId);
    if (place === undefined) return noSuchMessage;
    return happened({
      type: 'mail.MessageReleased',
      version: 1,
      data: {
        messageId,
        ...place,
        named,
        entry: causedBy,
        parts,
        recipients,
        draftId,
        ...(answer && { answer }),
        ...outgoing,
      },
    });
  },
};

export const cancelSending: CommandHandler<TakeBack> = {
  parse: parseTakeBack,
  reads: takeBackReads,
  readsNext: takeBackReadsNext,
  decide({ messageId }, slices, { stream }) {
    const fault = accountFault(slices, stream);
    if (fault) return { rejection: fault };
    const scheduled = slices(schedulingKey(messageId)) as SchedulingSlice | undefined;
    const place = scheduled && placeOf(slices, messageId);
    if (scheduled === undefined || place === undefined) {
      return refused('ChangedSince', 'This message was sent already: it cannot be taken back.', 'messageId');
    }
    const { draftId } = scheduled;
    // What came meanwhile and joined through these ids is found through them later on, too.
    const isAlone = messagesOf(slices(threadKey(place.thread))).length === 1;
    const ids = isAlone ? scheduled.ids : [];
    return happened({
      type: 'mail.SendingCancelled',
      version: 1,
      data: { messageId, ...place, ids, draftId },
    });
  },
};

export const messageSent: EventHandler = {
  touches(event) {
    const { data } = event as MessageSent;
    return [...arrivalTouches(data), ...draftTouches(data.draftId ?? null)];
  },
  evolve(key, slice, event, _content, time) {
    const { data } = event as MessageSent;
    const { draftId } = data;
    if (draftId !== undefined) {
      if (key === draftKey(draftId)) return draftSent(slice, true);
      if (key === messageKey(draftId)) return undefined;
      if (key === threadKey(draftId)) return withoutMessages(slice, new Set([draftId]));
    }
    return evolveArrival(key, slice, data, time, { folder: 'sent', read: true });
  },
  reactions(event, stream, content) {
    const { data } = event as MessageSent;
    return [...deliveries(data, content.count), ...queueings(data, stream)];
  },
};

export const messageScheduled: EventHandler = {
  touches(event) {
    const { data } = event as MessageScheduled;
    const draft = data.draftId === null ? [] : [threadKey(data.draftId), draftKey(data.draftId)];
    return [...arrivalTouches(data), schedulingKey(data.messageId), ...draft];
  },
  evolve(key, slice, event, content, time) {
    const { data } = event as MessageScheduled;
    const { messageId, recipients, named, ids = [], draftId, dueAt, answer } = data;
    if (key === schedulingKey(messageId)) {
      const parts = content.count;
      const outgoing = outgoingOf(data);
      return {
        ...{ recipients, named, ids, draftId, dueAt, parts },
        ...(answer && { answer }),
        ...(outgoing && { outgoing }),
      } satisfies SchedulingSlice;
    }
    if (draftId !== null && key === draftKey(draftId)) return draftSent(slice, true);
    if (draftId !== null && key === threadKey(draftId) && draftId !== threadOfArrival(data)) {
      return withMarks(slice, new Map([[draftId, { folder: GONE }]]));
    }
    return evolveArrival(key, slice, data, time, { folder: 'outbox', read: true, until: dueAt });
  },
  reactions(event, stream) {
    const { messageId, dueAt } = (event as MessageScheduled).data;
    return [
      {
        stream,
        command: 'mail.ReleaseMessage',
        data: { messageId },
        parts: [],
        notBefore: dueAt,
        lane: `release/${messageId}`,
      },
    ];
  },
};

export const messageReleased: EventHandler = {
  touches(event) {
    const { messageId, thread, draftId } = (event as MessageReleased).data;
    const draft = draftId === null ? [] : [threadKey(draftId), messageKey(draftId)];
    return [schedulingKey(messageId), threadKey(thread), ...draft];
  },
  evolve(key, slice, event, _content, time) {
    const { messageId, thread, draftId } = (event as MessageReleased).data;
    if (key === threadKey(thread)) {
      return withMarks(slice, new Map([[messageId, { folder: 'sent', top: time, until: null }]]));
    }
    if (draftId !== null && key === threadKey(draftId)) return withoutMessages(slice, new Set([draftId]));
    return undefined;
  },
  reactions(event, stream) {
    const { data } = event as MessageReleased;
    return [...deliveries(data, data.parts, data.entry), ...queueings(data, stream, data.entry)];
  },
};

export const sendingCancelled: EventHandler = {
  touches(event) {
    const { messageId, thread, draftId, ids } = (event as SendingCancelled).data;
    return [
      schedulingKey(messageId),
      messageKey(messageId),
      threadKey(thread),
      ...ids.map(namedIdKey),
      ...(draftId === null ? [] : [threadKey(draftId), draftKey(draftId)]),
    ];
  },
  evolve(key, slice, event, _content, time) {
    const { messageId, thread, draftId } = (event as SendingCancelled).data;
    if (draftId !== null && key === draftKey(draftId)) return draftSent(slice, false);
    if (key === threadKey(thread)) return withoutMessages(slice, new Set([messageId]));
    if (draftId !== null && key === threadKey(draftId)) {
      return withMarks(slice, new Map([[draftId, { folder: 'drafts', top: time }]]));
    }
    return undefined;
  },
};

function parseTakeBack(data: unknown, content: Content) {
  return parsed((): TakeBack => {
    const { messageId } = fieldsOf(data, ['messageId']);
    partsAre(content);
    return { messageId: randomId(messageId, 'messageId') };
  });
}

function takeBackReads({ messageId }: TakeBack): StateKey[] {
  return [ACCOUNT_KEY, schedulingKey(messageId), messageKey(messageId)];
}

function takeBackReadsNext({ messageId }: TakeBack, slices: Slices): StateKey[] {
  const scheduled = slices(schedulingKey(messageId)) as SchedulingSlice | undefined;
  const thread = (slices(messageKey(messageId)) as { readonly thread: string } | undefined)?.thread;
  if (scheduled === undefined || thread === undefined) return [];
  return [threadKey(thread), ...scheduled.ids.map(namedIdKey), ...draftTouches(scheduled.draftId)];
}

function draftTouches(draftId: string | null): StateKey[] {
  return draftId === null ? [] : [threadKey(draftId), messageKey(draftId), draftKey(draftId)];
}

function placeOf(slices: Slices, messageId: string): { thread: string; doc: number | null } | undefined {
  const thread = (slices(messageKey(messageId)) as { readonly thread: string } | undefined)?.thread;
  const found =
    thread === undefined
      ? undefined
      : messagesOf(slices(threadKey(thread))).find(({ id }) => id === messageId);
  return thread === undefined || found === undefined ? undefined : { thread, doc: found.doc };
}

/** A draft that is not there any more has nothing to be taken back to. */
function knownDraft(slices: Slices, draftId: string | null): string | null {
  if (draftId === null) return null;
  const [draft] = messagesOf(slices(threadKey(draftId)));
  return draft?.folder === 'drafts' ? draftId : null;
}

/** To addresses elsewhere; what an earlier release wrote has no envelope, and goes nowhere by itself. */
function queueings(
  data: MessageSent['data'] | MessageReleased['data'],
  stream: string,
  partsOf?: number,
): Reaction[] {
  const outgoing = outgoingOf(data);
  if (outgoing === undefined) return [];
  const sent = { messageId: data.messageId, origin: 'sent', message: 0 } as const;
  return queueing(stream, { ...sent, ...(partsOf !== undefined && { partsOf }) }, outgoing);
}
