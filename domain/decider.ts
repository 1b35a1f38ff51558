/**
 * The Decider: how a command becomes events, and events become state. Everything here is pure and
 * synchronous: time and content come in as arguments, nothing is read from outside.
 *
 * State is kept in *slices*: small JSON documents under a key that is unique within the entity's
 * stream ('account', 'session/<hash>', 'message/<id>'). A command declares the slices it reads, an
 * event the slices it changes, so that the shell can fetch them before the pure code runs.
 *
 * User content (bodies, names, subjects) is never in an event's data: it lies in the entry's
 * *parts*, which can be erased; events name a part by its index. Code that reads a part must
 * therefore accept that it is gone (`undefined`).
 */
import type { Rejection } from './errors.ts';

export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** Milliseconds since 1970, the log's time: never decreases within a tablet. */
export type Time = number;

/** A key unique within one stream. */
export type StateKey = string;

/** The parts of the entry that a command or an event belongs to. */
export interface Content {
  readonly count: number;
  /** Length in bytes; known also after erasure. */
  length(part: number): number;
  /** Lower-case hex sha256 of the bytes; undefined after erasure. */
  digest(part: number): string | undefined;
  /** The bytes; undefined after erasure. */
  bytes(part: number): Uint8Array | undefined;
}

export type DomainEvent = {
  readonly type: string;
  /** Schema version, from 1. Old versions are upcast, never rewritten. */
  readonly version: number;
  readonly data: { readonly [key: string]: Json | undefined };
};

/** What `decide` gets to see besides the slices. */
export type DecideContext = {
  readonly stream: string;
  readonly time: Time;
  readonly content: Content;
  /** The command's id: a source of unique names for what the command creates. */
  readonly commandId: string;
  /** The seq of the entry of this log that asked for the command: it is a reaction of this tablet to itself. */
  readonly causedBy?: number;
  /** The stream whose entry, in this log or another, asked for the command: it is a reaction. */
  readonly askedBy?: string;
};

export type Decision =
  | {
      readonly events: readonly DomainEvent[];
      readonly reply?: Json;
      /** Content that the decision itself has made: parts of the entry, behind those of the command. */
      readonly parts?: readonly Uint8Array[];
    }
  | { readonly rejection: Rejection };

/** The slices asked for; a slice that does not exist is undefined. */
export type Slices = (key: StateKey) => Json | undefined;

/** What one command type does. `Data` has been checked by `parse`. */
export interface CommandHandler<Data = unknown> {
  /** Checks the shape of untrusted data; returns it typed, or a rejection naming field and limit. */
  parse(data: unknown, content: Content): { data: Data } | { rejection: Rejection };
  /** The slices that `decide` reads. */
  reads(data: Data, content: Content, commandId: string): readonly StateKey[];
  /**
   * Slices that `decide` reads too, and that only the ones above can name (the conversation that a message
   * belongs to, say). `slices` knows the ones of `reads` alone.
   */
  readsNext?(data: Data, slices: Slices, content: Content): readonly StateKey[];
  decide(data: Data, slices: Slices, context: DecideContext): Decision;
}

/** What one event type does to the slices of its stream. */
export interface EventHandler {
  /** The slices this event changes (and so reads, unless it is blind). */
  touches(event: DomainEvent, content: Content): readonly StateKey[];
  /**
   * Whether the slice `key` that it leaves depends on the event alone: `evolve` is handed none, and none needs to be
   * read. Absent: no slice does.
   */
  isBlind?(key: StateKey, event: DomainEvent): boolean;
  /** The slice after the event; undefined removes it. */
  evolve(
    key: StateKey,
    slice: Json | undefined,
    event: DomainEvent,
    content: Content,
    time: Time,
  ): Json | undefined;
  /** Work that this event asks of other streams, in order. */
  reactions?(event: DomainEvent, stream: string, content: Content, time: Time): readonly Reaction[];
}

/** A command that follows from an event, to another stream or later to the same; delivered at least once, in effect once. */
export type Reaction = {
  readonly stream: string;
  readonly command: string;
  readonly data: Json;
  /** Which parts of the origin entry, or of `partsOf`, become the parts of the command, in order. */
  readonly parts: readonly number[];
  /** The seq of an earlier entry of this log, whose parts they are. */
  readonly partsOf?: number;
  /** The command is sent at this time, not before. */
  readonly notBefore?: Time;
  /**
   * Reactions to one stream are carried out in order, one after another. Those of a lane of their own wait for
   * each other alone, so that work in a thousand steps holds up nothing else.
   */
  readonly lane?: string;
};

/** One area of the domain: kv, account, mail, drive. Command and event names are `area.Name`. */
export type DomainArea = {
  readonly commands: Readonly<Record<string, CommandHandler>>;
  readonly events: Readonly<Record<string, EventHandler>>;
};
