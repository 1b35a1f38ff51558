/** What has happened in a queue of mail to other systems. Addresses, hosts and their words lie in parts. */
import type { Time } from '../decider.ts';
import type { ItemOwner, RecipientChange } from './item.ts';

/** Parts: 0 the message, 1 its envelope (envelope.ts). All recipients wait, and are due at once. */
export type MessageQueued = {
  readonly type: 'outbound.MessageQueued';
  readonly version: 1;
  readonly data: ItemOwner & {
    readonly id: string;
    readonly recipients: number;
    /** It has a sender who may hear of a failure. */
    readonly bounces: boolean;
  };
};

/** The queue belongs to this worker until then. `token` grows with each change of hands. */
export type Lease = { readonly worker: string | null; readonly token: number; readonly until: Time };

export type QueueClaimed = {
  readonly type: 'outbound.QueueClaimed';
  readonly version: 1;
  readonly data: Lease & { readonly worker: string; readonly before: Lease | null };
};

export type QueueReleased = {
  readonly type: 'outbound.QueueReleased';
  readonly version: 1;
  readonly data: { readonly worker: string; readonly token: number; readonly until: Time };
};

/** Those of one item. */
export type ItemAttempts = ItemOwner & {
  readonly id: string;
  readonly changes: readonly RecipientChange[];
  /** The part with what their servers said: a list as long as `changes`, in the order of it (said.ts). */
  readonly part: number;
};

/**
 * Parts: 0 what the worker brought, for all tries; then three for each notice (message, summary, words); then one for
 * each item, made of part 0, so that each account hears of its own alone.
 */
export type AttemptsRecorded = {
  readonly type: 'outbound.AttemptsRecorded';
  readonly version: 1;
  readonly data: {
    readonly worker: string;
    readonly token: number;
    readonly items: readonly ItemAttempts[];
    /** Messages to senders: a failure or a delay. `part`: the first of three. */
    readonly notices: readonly {
      readonly account: string;
      readonly part: number;
      /** Hashes of the Message-IDs that it names; absent: none. */
      readonly ids?: readonly string[];
    }[];
  };
};

export type ItemAction = 'hold' | 'release' | 'retry' | 'cancel';

/** An operator's. */
export type ItemChanged = {
  readonly type: 'outbound.ItemChanged';
  readonly version: 1;
  readonly data: ItemOwner & {
    readonly id: string;
    readonly action: ItemAction;
    readonly changes: readonly RecipientChange[];
  };
};

export type OutboundEvent = MessageQueued | QueueClaimed | QueueReleased | AttemptsRecorded | ItemChanged;
