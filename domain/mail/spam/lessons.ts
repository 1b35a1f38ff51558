/**
 * What moving messages teaches of spam. The command brings the words of the messages, as buckets (spam.ts), in a
 * part; the event says which of them really were moved, and undoing the move takes the same out again.
 */
import type { Content, Decision, EventHandler } from '../../decider.ts';
import { decodeText, fieldsOf, listOf, parsed, partAtMost, partsAre, refuse, whole } from '../../fields.ts';
import type { MessagesChanged, SpamLearned } from '../events.ts';
import { messageIdField } from '../fields.ts';
import { BUCKETS, FEATURES_MAX, SPAM_KEY, taught, type Taught } from './spam.ts';

/** How many messages one command teaches of. */
export const LESSONS_MAX = 50;
const LESSONS_BYTES_MAX = 256 * 1024;

/** By message id: the buckets of its words. */
export type Lessons = ReadonlyMap<string, readonly number[]>;

export function encodeLessons(lessons: Lessons): Uint8Array {
  return new TextEncoder().encode(JSON.stringify([...lessons].map(([id, features]) => ({ id, features }))));
}

/**
 * Ends the surrounding `parsed` unless the lessons come with the command, as its only part, just when it says
 * what they teach.
 */
export function teachesField(value: unknown, content: Content): { readonly teaches?: Taught } {
  if (value === undefined) {
    partsAre(content);
    return {};
  }
  partsAre(content, 'lessons');
  return { teaches: taughtField(value, content, 0) };
}

/** What the lessons in this part teach. Ends the surrounding `parsed` unless they are sound. */
export function taughtField(value: unknown, content: Content, part: number): Taught {
  if (value !== 'spam' && value !== 'ham') {
    refuse('Malformed', 'Teaches must be "spam" or "ham".', { field: 'teaches' });
  }
  partAtMost(content, part, 'lessons', LESSONS_BYTES_MAX);
  checkedLessons(content.bytes(part));
  return value;
}

/** The decision with what it teaches; one that moves none of the messages teaches nothing. */
export function withLesson(
  decision: Decision,
  teaches: Taught | undefined,
  content: Content,
  undo: boolean,
): Decision {
  if (teaches === undefined || 'rejection' in decision) return decision;
  const lessons = lessonsIn(content, 0);
  const messages = decision.events
    .filter(({ type }) => type === 'mail.MessagesChanged')
    .flatMap((event) => (event as MessagesChanged).data.members)
    .filter(({ id, to }) => to.folder !== undefined && lessons.has(id))
    .map(({ id }) => id);
  if (messages.length === 0) return decision;
  const learned: SpamLearned = {
    type: 'mail.SpamLearned',
    version: 1,
    data: { as: teaches, messages, undo },
  };
  return { ...decision, events: [...decision.events, learned] };
}

/** What a bulk teaches by those of its messages that its lessons tell of. */
export function bulkLesson(as: Taught, content: Content, part: number, undo: boolean): SpamLearned {
  const messages = [...lessonsIn(content, part).keys()];
  return { type: 'mail.SpamLearned', version: 1, data: { as, messages, undo, part } };
}

export const spamLearned: EventHandler = {
  touches: () => [SPAM_KEY],
  evolve(_key, slice, event, content) {
    const { as, messages, undo, part = 0 } = (event as SpamLearned).data;
    const lessons = lessonsIn(content, part);
    const known = messages.flatMap((id) => {
      const features = lessons.get(id);
      return features === undefined ? [] : [features];
    });
    return taught(slice, as, known, undo ? -1 : 1);
  },
};

/** None if the part was erased. */
function lessonsIn(content: Content, part: number): Lessons {
  const read = parsed(() => checkedLessons(content.bytes(part)));
  return 'data' in read ? read.data : new Map();
}

function checkedLessons(bytes: Uint8Array | undefined): Lessons {
  const list = listOf(json(decodeText(bytes)), 'lessons', 0, LESSONS_MAX, 'messages');
  return new Map(
    list.map((value) => {
      const { id, features } = fieldsOf(value, ['id', 'features']);
      const buckets = listOf(features, 'features', 0, FEATURES_MAX, 'numbers');
      return [
        messageIdField(id, 'lessons'),
        [...new Set(buckets.map((bucket) => whole(bucket, 'features', 0, BUCKETS - 1)))],
      ];
    }),
  );
}

function json(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return refuse('Malformed', 'Lessons must be a list in JSON.', { field: 'lessons' });
  }
}
