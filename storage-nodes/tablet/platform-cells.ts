/**
 * The cells that the store keeps for itself beside state and read models: which commands were carried
 * out, which reactions are pending, where each stream's entries are, where the log's chain stands.
 *
 *   commands   row ''      column <command id>                    {seq, expiresAt}   expiresAt 0: for good
 *   reactions  row ''      column <seq, 14 digits>.<n>               {stream, command, data, parts, origin}
 *   reactions  row ''      column d<due, 14 digits>.<seq, 14 digits>.<n>   the same, to be carried out at that time
 *   index      row stream  column head                               {streamSeq, seq, hash}: of its newest entry
 *   index      row ''      column forget                          {after}: how far forgetting has come in its round
 *   index      row ''      column last                               {seq, hash, time}
 *   index      row ''      column t<time, 14 digits>.<seq, 14 digits>  {}           every 64th entry
 */
import type { DomainEvent, Reaction } from '../../domain/decider.ts';
import { namedAddress, SPACE, type Cell, type CellAddress } from '../cells/cells.ts';
import type { Seq } from '../words.ts';

export type StreamHead = { readonly streamSeq: number; readonly seq: number; readonly hash: string };
export type LastEntry = { readonly seq: number; readonly hash: string; readonly time: number };
export type PendingReaction = Reaction & {
  /** The stream whose event asked for it. */
  readonly origin: string;
};

export const TIME_INDEX_EVERY = 64;
/**
 * At every such entry the next piece of the remembered commands is looked through, round and round, and
 * what has expired in log time is forgotten; a function of the log, so that all copies forget the same.
 */
export const FORGET_COMMANDS_EVERY = 1024;
/** A round catches up with what is added meanwhile; the cells grow by two thirds of what is still remembered. */
export const FORGET_LOOK_AT = 1.25 * FORGET_COMMANDS_EVERY;

export function digits(n: number): string {
  return String(n).padStart(14, '0');
}

export type KnownCommand = { readonly seq: number; readonly expiresAt: number };

export function commandAddress(id: string): CellAddress {
  return namedAddress(SPACE.commands, '', id);
}

export const FORGET_CURSOR = namedAddress(SPACE.index, '', 'forget');

/** `notBefore`: when it is due; undefined for one that was to be carried out at once. */
export function reactionAddress(seq: number, n: number, notBefore: number | undefined): CellAddress {
  const due = notBefore === undefined ? '' : `${dueColumn(notBefore)}.`;
  return namedAddress(SPACE.reactions, '', `${due}${digits(seq)}.${n}`);
}

/** The reaction whose outcome a REACTION_SETTLED tells. */
export function settledReaction({ data }: DomainEvent): CellAddress {
  const { originSeq, reaction, notBefore } = data;
  return reactionAddress(
    Number(originSeq),
    Number(reaction),
    notBefore === undefined ? undefined : Number(notBefore),
  );
}

/** Where reactions that are due at `time` begin, behind all that are carried out at once. */
export function dueColumn(time: number): string {
  return `d${digits(time)}`;
}

export function reactionOfColumn(column: string): { seq: Seq; n: number } {
  const [n, seq] = column.split('.').reverse();
  return { seq: Number(seq) as Seq, n: Number(n) };
}

export function streamHeadAddress(stream: string): CellAddress {
  return namedAddress(SPACE.index, stream, 'head');
}

export const LAST_ENTRY = namedAddress(SPACE.index, '', 'last');

export function timeAddress(time: number, seq: number): CellAddress {
  return namedAddress(SPACE.index, '', `t${digits(time)}.${digits(seq)}`);
}

export function stateAddress(stream: string, key: string): CellAddress {
  return namedAddress(SPACE.state, stream, key);
}

export function encodeJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

export function decodeJson<T>(cell: Cell | undefined): T | undefined {
  if (!cell || !('bytes' in cell.content)) return undefined;
  const { bytes } = cell.content;
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')) as T;
}
