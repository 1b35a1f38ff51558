/**
 * Cells by snapshot (rule 13, decision 0015): a learner far behind copies the primary's cells instead of
 * projecting the whole log again. The log itself is sent in full beside it, and decides who is admitted.
 *
 *   learner                                  primary
 *   snapshotAsk '' 1            ──►          opens a view of its cells as of `at`, reads chunk 1
 *                               ◄──          snapshotChunk id 1 at …
 *   writes it, durable enough   ──►  snapshotAsk id 2 … until the last one
 *   adopts the cells once its own log is committed up to `at`
 *
 * Each side asks or answers again as often as it likes: a chunk has a number and is written once. Both
 * pace themselves, so that catching up leaves the disk and the link to those who are in sync.
 */
import type { NodeId, Seq } from '../words.ts';
import type { CellsOrder } from './messages.ts';
import { isPrimary, send, type ChunkBody, type ReplicaState, type Sending, type Taking } from './state.ts';

/** What is there of a snapshot after a restart. */
export type Imported = {
  readonly snapshot: string;
  readonly chunk: number;
  readonly at: Seq;
  readonly isLast: boolean;
};

/**
 * At a restart. What was taken in another lineage than that of the saved configuration is of no use, even if
 * it is complete: those cells may tell of entries that an operator gave up (rule 10), and a kill can come
 * between that configuration and the end of the import.
 */
export function resume(state: ReplicaState, imported: Imported | undefined): void {
  if (!imported) return;
  const { snapshot, chunk, at, isLast } = imported;
  const lineage = state.configuration?.lineage;
  if (lineage === undefined || !snapshot.startsWith(ofLineage(lineage)))
    return order(state, { kind: 'abandon' });
  const stage = isLast ? 'complete' : 'asking';
  state.taking = { snapshot, next: chunk + 1, at, stage, askedAt: state.now };
}

/** What the name of each snapshot of this lineage begins with. */
function ofLineage(lineage: number): string {
  return `l${lineage}.`;
}

/** What follows it: cells of another form are of no use to a copy (decision 0028). */
function ofForm(cellForm: number): string {
  return `f${cellForm}.`;
}

function order(state: ReplicaState, order: CellsOrder): void {
  state.out.push({ kind: 'cells', order });
}

// --- the primary's side

export function onAsk(state: ReplicaState, from: NodeId, snapshot: string, chunk: number): void {
  if (!isPrimary(state) || !state.serving) return;
  const known = state.sending.get(from);
  if (snapshot === '') {
    // Asked twice for a new one: the first was not heard of yet.
    if (known && known.chunk === 1) return answer(state, from, known);
    forget(state, from);
    state.snapshots++;
    const { lineage, epoch } = state.configuration!;
    const name = `${ofLineage(lineage)}${ofForm(state.cellForm)}${epoch}.${state.snapshots}`;
    return read(state, from, newSending(state, name));
  }
  if (known?.snapshot !== snapshot || chunk < known.chunk || chunk > known.chunk + 1) {
    return send(state, from, { type: 'snapshotGone', snapshot });
  }
  known.askedAt = state.now;
  if (chunk === known.chunk) return answer(state, from, known);
  // The one before was the last, or is not even read: such an asker has lost count.
  if (!known.ready || known.ready.isLast) return send(state, from, { type: 'snapshotGone', snapshot });
  known.chunk = chunk;
  known.ready = undefined;
  read(state, from, known);
}

function newSending(state: ReplicaState, snapshot: string): Sending {
  const { now } = state;
  return {
    snapshot,
    chunk: 1,
    ready: undefined,
    reading: false,
    answered: false,
    askedAt: now,
    notBefore: now,
  };
}

function read(state: ReplicaState, peer: NodeId, sending: Sending): void {
  state.sending.set(peer, sending);
  sending.reading = true;
  sending.answered = false;
  const { snapshot, chunk } = sending;
  const maxBytes = state.timing.snapshotChunkBytes;
  order(state, { kind: 'read', peer, snapshot, chunk, maxBytes });
}

/** The chunk was read; undefined: it cannot be, and the copy is to begin anew. */
export function onCellsRead(
  state: ReplicaState,
  peer: NodeId,
  snapshot: string,
  chunk: number,
  found: Pick<ChunkBody, 'at' | 'isLast' | 'bytes' | 'crc'> | undefined,
): void {
  const sending = state.sending.get(peer);
  if (sending?.snapshot !== snapshot || sending.chunk !== chunk) return;
  sending.reading = false;
  if (!found) {
    forget(state, peer);
    return send(state, peer, { type: 'snapshotGone', snapshot });
  }
  sending.ready = { type: 'snapshotChunk', snapshot, chunk, ...found };
  answer(state, peer, sending);
}

function answer(state: ReplicaState, peer: NodeId, sending: Sending): void {
  if (!sending.ready) return;
  sending.answered = state.now >= sending.notBefore;
  if (!sending.answered) return;
  const restMs = (sending.ready.bytes.length * 1000) / state.timing.snapshotBytesPerSecond;
  sending.notBefore = state.now + restMs;
  send(state, peer, sending.ready);
}

/** Answers what had to wait, and forgets what nobody asks about any more. */
export function sendingTick(state: ReplicaState): void {
  for (const [peer, sending] of state.sending) {
    if (state.now - sending.askedAt > state.timing.snapshotIdleMs) forget(state, peer);
    else if (sending.ready && !sending.answered) answer(state, peer, sending);
  }
}

function forget(state: ReplicaState, peer: NodeId): void {
  const sending = state.sending.get(peer);
  if (!sending) return;
  state.sending.delete(peer);
  order(state, { kind: 'close', snapshot: sending.snapshot });
}

export function stopSending(state: ReplicaState): void {
  for (const peer of [...state.sending.keys()]) forget(state, peer);
}

// --- the learner's side

/** Called at each tick of a copy. */
export function takingTick(state: ReplicaState): void {
  const { taking, timing, now } = state;
  if (!taking) return considerTaking(state);
  if (isPrimary(state) && taking.stage !== 'adopting') return giveUp(state);
  if (taking.stage === 'complete' && state.log.committed >= taking.at) {
    taking.stage = 'adopting';
    order(state, { kind: 'adopt', snapshot: taking.snapshot, at: taking.at });
  }
  if (taking.stage === 'asking' && now - taking.askedAt >= timing.retryMs) ask(state, taking);
}

function considerTaking(state: ReplicaState): void {
  if (state.role !== 'learner' || !state.trusted || state.now < state.takeAfter) return;
  if (state.heardCommit - state.applied < state.timing.snapshotEntries) return;
  state.taking = { snapshot: '', next: 1, at: 0 as Seq, stage: 'asking', askedAt: state.now };
  order(state, { kind: 'begin' });
  ask(state, state.taking);
}

function ask(state: ReplicaState, taking: Taking): void {
  const primary = state.configuration?.primary;
  taking.askedAt = state.now;
  if (primary && primary !== state.self)
    send(state, primary, { type: 'snapshotAsk', snapshot: taking.snapshot, chunk: taking.next });
}

export function onChunk(state: ReplicaState, body: ChunkBody): void {
  const { taking } = state;
  if (taking?.stage !== 'asking' || body.chunk !== taking.next) return;
  if (taking.snapshot !== '' && body.snapshot !== taking.snapshot) return;
  // Another release's: the log comes all the same, and is projected until the primary's is ours.
  if (!body.snapshot.includes(`.${ofForm(state.cellForm)}`)) return giveUp(state);
  taking.snapshot = body.snapshot;
  taking.at = body.at;
  taking.stage = 'writing';
  const { snapshot, chunk, at, isLast, bytes, crc } = body;
  order(state, { kind: 'import', snapshot, chunk, at, isLast, bytes, crc });
}

export function onCellsImported(state: ReplicaState, snapshot: string, chunk: number, isLast: boolean): void {
  const { taking } = state;
  if (taking?.stage !== 'writing' || taking.snapshot !== snapshot || taking.next !== chunk) return;
  taking.next = chunk + 1;
  taking.stage = isLast ? 'complete' : 'asking';
  if (!isLast) ask(state, taking);
}

/** The primary no longer has it, or what came cannot be used: from the start, but not at once. */
export function onGone(state: ReplicaState, snapshot: string): void {
  const { taking } = state;
  if (taking && taking.snapshot === snapshot && taking.stage !== 'complete' && taking.stage !== 'adopting') {
    giveUp(state);
  }
}

export function giveUp(state: ReplicaState): void {
  if (!state.taking) return;
  state.taking = undefined;
  state.takeAfter = state.now + state.timing.graceMs;
  order(state, { kind: 'abandon' });
}

export function onAdopted(state: ReplicaState): void {
  state.taking = undefined;
}
