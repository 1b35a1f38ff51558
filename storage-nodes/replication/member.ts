/**
 * The duties of a copy that is not primary, in-sync or learner: take entries in the primary's order,
 * drop what the primary's log does not have, acknowledge what is on disk, answer beacons.
 */
import type { NodeId, Seq } from '../words.ts';
import type { MessageBody } from './messages.ts';
import { isCampaigning, isPrimary, send, type ReplicaState } from './state.ts';

const NACK_ENDS = 64;

export function onAppend(
  state: ReplicaState,
  from: NodeId,
  append: Extract<MessageBody, { type: 'append' }>,
): void {
  const { log } = state;
  if (log.epochAt(append.prevSeq) !== append.prevEpoch) {
    send(state, from, { type: 'nack', ends: log.ends(NACK_ENDS) });
    return;
  }
  let known = 0;
  for (const record of append.records) {
    const epoch = log.epochAt(record.seq);
    if (epoch === undefined) break;
    if (epoch !== record.epoch) {
      // Another primary's entry that was never committed gives way; a committed one never does (rule 6).
      if (record.seq <= log.committed) {
        state.quarantine = `entry ${record.seq} is committed here in epoch ${epoch}, the primary has it in epoch ${record.epoch}`;
        return;
      }
      log.truncate(record.seq);
      state.out.push({ kind: 'truncate', from: record.seq });
      break;
    }
    known++;
  }
  const fresh = append.records.slice(known);
  for (const record of fresh) log.append(record);
  if (fresh.length > 0) state.out.push({ kind: 'append', records: fresh });

  const verified = (append.prevSeq + append.records.length) as Seq;
  if (verified > state.verified) state.verified = verified;
  heardCommit(state, append.commit);
  if (fresh.length === 0) acknowledge(state);
  considerMended(state);
}

/**
 * A cut tail is mended (rule 5) by holding all that the primary held when it answered a question asked
 * since: whatever this copy acknowledged to it, and whatever was committed before, is among that. A primary whose
 * own tail was cut cannot say what that was.
 */
export function considerMended(state: ReplicaState): void {
  const { configuration, log } = state;
  if (!state.cutTail || !configuration || isPrimary(state)) return;
  const primary = state.queryReplies.get(configuration.primary);
  if (!primary || primary.isCut) return;
  if (primary.last.end <= Math.min(log.durable, state.verified)) tailRestored(state);
}

export function tailRestored(state: ReplicaState): void {
  if (!state.cutTail) return;
  state.cutTail = false;
  state.out.push({ kind: 'tailRestored' });
}

/**
 * A new epoch begins: tells its primary where our log's epochs end, so that it need not ask (a question
 * that came before our configuration was on disk is lost: rule 2).
 */
export function introduce(state: ReplicaState): void {
  const { configuration, log } = state;
  if (!configuration || state.quarantine || !state.trusted) return;
  if (state.role !== 'replica' && state.role !== 'learner') return;
  send(state, configuration.primary, { type: 'nack', ends: log.ends(NACK_ENDS) });
}

/** Everything both on this disk and verified equal to the primary's log. */
export function acknowledge(state: ReplicaState): void {
  const primary = state.configuration?.primary;
  if (!primary || primary === state.self || state.role === 'none') return;
  // Even "nothing yet" would let the primary go on counting what this disk once had (rule 11).
  if (state.quarantine || !state.trusted) return;
  send(state, primary, { type: 'ack', match: Math.min(state.log.durable, state.verified) as Seq });
}

export function heardCommit(state: ReplicaState, commit: Seq): void {
  if (commit > state.heardCommit) state.heardCommit = commit;
  advanceMemberCommit(state);
}

/** A copy commits what the primary committed, as far as it is verified and durable here. */
export function advanceMemberCommit(state: ReplicaState): void {
  const { log } = state;
  const upTo = Math.min(state.heardCommit, state.verified, log.durable) as Seq;
  if (upTo <= log.committed) return;
  log.commit(upTo);
  state.out.push({ kind: 'commit', upTo });
}

export function onBeacon(
  state: ReplicaState,
  from: NodeId,
  beacon: Extract<MessageBody, { type: 'beacon' }>,
): void {
  heardCommit(state, beacon.commit);
  // Asking to replace the primary we promise it nothing (rule 7), until the store keeps us waiting.
  if (isCampaigning(state) && state.now - state.pending!.askedAt < state.timing.retryMs) return;
  state.graceUntil = state.now + state.timing.graceMs;
  send(state, from, { type: 'beaconAck', sentAt: beacon.sentAt });
}
