/**
 * How a message stands with addresses at other systems: what its writer sent, what a rule forwards, or the answer of
 * somebody who is away. Each is known by its place among those of one origin, as in the envelope.
 */
import type { Content, Time } from '../domain/decider.ts';
import type { DeliveryRecorded } from '../domain/mail/events.ts';
import { decodeEnvelope } from '../domain/outbound/envelope.ts';
import type { Origin, RecipientState } from '../domain/outbound/item.ts';
import { decodeSaid } from '../domain/outbound/said.ts';
import { integer, natural, oneOf, optional, orNull, record, text } from './cell-format.ts';

export type OutsideDelivery = {
  readonly origin: Origin;
  /** The address. */
  readonly to: string;
  /** 'scheduled': its time has not come. */
  readonly state: 'scheduled' | RecipientState;
  /** When that was so. */
  readonly at: Time;
  readonly tries: number;
  /** Waiting: when it is tried next. */
  readonly retryAt: Time | null;
  /** What the server answered last, who that was and what it said; absent: none was asked. */
  readonly code?: number | null;
  readonly host?: string;
  readonly text?: string;
};

export const outsideDelivery = record<OutsideDelivery>({
  origin: oneOf('sent', 'forward', 'answer'),
  to: text,
  state: oneOf('scheduled', 'waiting', 'held', 'delivered', 'failed', 'cancelled'),
  at: natural,
  tries: natural,
  retryAt: orNull(natural),
  code: optional(orNull(integer)),
  host: optional(text),
  text: optional(text),
});

/** None if the envelope was erased. */
export function deliveriesOutside(
  origin: Origin,
  state: 'scheduled' | 'waiting',
  envelope: number,
  content: Content,
  at: Time,
): OutsideDelivery[] {
  const read = decodeEnvelope(content.bytes(envelope));
  if ('rejection' in read) return [];
  return read.data.to.map((to) => ({
    ...{ origin, to, state, at },
    tries: 0,
    retryAt: state === 'waiting' ? at : null,
  }));
}

/** Its time has come. */
export function releasedOutside(list: readonly OutsideDelivery[], at: Time): OutsideDelivery[] {
  return list.map((one) => (one.state === 'scheduled' ? { ...one, state: 'waiting', at, retryAt: at } : one));
}

export function recordedOutside(
  list: readonly OutsideDelivery[],
  { data }: DeliveryRecorded,
  content: Content,
  at: Time,
): OutsideDelivery[] {
  const said = content.count > 0 ? decodeSaid(content.bytes(0)) : undefined;
  const after = [...list];
  const places = list.flatMap(({ origin }, place) => (origin === data.origin ? [place] : []));
  data.changes.forEach(({ to, state, tries, retryAt, code }, i) => {
    const place = places[to];
    const before = place === undefined ? undefined : after[place];
    if (place === undefined || before === undefined) return;
    after[place] = {
      ...before,
      ...{ state, at, tries, retryAt },
      ...(code !== undefined && { code }),
      ...said?.[i],
    };
  });
  return after;
}
