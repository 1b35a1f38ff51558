/**
 * The replication core of one tablet's copy: PacificA (Lin et al.; primary/backup over a versioned
 * configuration) as a state machine, `step(input, now) -> outputs`. The same inputs give the same
 * outputs: no I/O, clock, randomness or promises inside. The shell (tablet/) performs the outputs in
 * order and reports back; the simulator drives the very same code.
 *
 *   committed <= durable <= last          on every copy
 *   committed(copy) <= committed(primary) on every copy
 *   one serving primary an epoch          because the config store has one successor per configuration
 *
 * Rules are those of design.md §5, named where they are enforced.
 */
import type { NodeId, Seq } from '../words.ts';
import { isNewer, type Configuration } from './configuration.ts';
import * as handover from './handover.ts';
import * as member from './member.ts';
import { considerAdmitting, considerRemoving, retryPending } from './membership.ts';
import type { EpochEnd, Input, Output, PeerMessage } from './messages.ts';
import { PreparedLog } from './prepared-log.ts';
import * as primary from './primary.ts';
import * as promotion from './promotion.ts';
import { observeLag } from './slowness.ts';
import * as snapshot from './snapshot.ts';
import { forgiveOwnPause, isPrimary, lastOf, send, type ReplicaState, type Timing } from './state.ts';
import * as storeAnswers from './store-answers.ts';
import type { LogRecord } from '../log/entry.ts';

/** What the log held when the node opened it. */
export type Recovered = {
  readonly configuration: Configuration | undefined;
  readonly committed: Seq;
  readonly ends: readonly EpochEnd[];
  readonly prepared: readonly LogRecord[];
  readonly cutTail: boolean;
  /** Why this copy cannot be trusted, if so. */
  readonly damage: string | undefined;
  /** The same, though all of its bytes read well. */
  readonly suspect?: string | undefined;
  /** The pieces of a snapshot of cells that are here already. */
  readonly imported?: snapshot.Imported | undefined;
};

export class Replica {
  readonly #state: ReplicaState;

  constructor(options: {
    self: NodeId;
    timing: Timing;
    hash: (configuration: Configuration) => string;
    /** Of this copy's cells; of another form it takes none (decision 0028). */
    cellForm: number;
    now: number;
    recovered: Recovered;
  }) {
    const { self, timing, hash, cellForm, now, recovered } = options;
    this.#state = {
      self,
      timing,
      hash,
      cellForm,
      now,
      out: [],
      configuration: undefined,
      saving: undefined,
      role: 'none',
      log: new PreparedLog(recovered.committed, recovered.ends, recovered.prepared),
      quarantine: recovered.damage ?? recovered.suspect,
      isSuspect: recovered.damage === undefined && recovered.suspect !== undefined,
      wiping: false,
      cutTail: recovered.cutTail,
      queryReplies: new Map(),
      lastQuery: -Infinity,
      trusted: recovered.configuration !== undefined,
      withdrawAt: now,
      lastWithdraw: -Infinity,
      mustReopen: false,
      reopenAfter: now,
      pending: undefined,
      askAfter: -Infinity,
      storeAnswers: true,
      wish: undefined,
      offer: undefined,
      handingOver: false,
      accepted: undefined,
      leavingUntil: -Infinity,
      full: false,
      unable: undefined,
      openingSeq: undefined,
      serving: false,
      peers: new Map(),
      lastBeacon: -Infinity,
      newMark: { seq: 0 as Seq, at: now },
      oldMark: { seq: 0 as Seq, at: now },
      ejections: new Map(),
      verified: 0 as Seq,
      heardCommit: 0 as Seq,
      graceUntil: now + timing.graceMs,
      waitingSince: now,
      lastTick: now,
      stallMs: 0,
      sending: new Map(),
      snapshots: 0,
      applied: 0 as Seq,
      taking: undefined,
      takeAfter: now,
    };
    if (recovered.configuration) this.#resume(recovered.configuration);
    snapshot.resume(this.#state, recovered.imported);
  }

  /** A restart: what is on disk holds, but a primary's epoch does not survive its process. */
  #resume(configuration: Configuration): void {
    const state = this.#state;
    state.configuration = configuration;
    state.role = promotion.roleIn(state, configuration);
    state.mustReopen = state.role === 'primary';
    state.out.push({ kind: 'role', role: state.role, configuration });
    if (state.quarantine) promotion.wipeIfReleased(state, configuration);
  }

  /** Outputs are to be performed in order. */
  step(input: Input, now: number): Output[] {
    const state = this.#state;
    state.now = now;
    state.out = state.out.length > 0 ? state.out : [];
    this.#dispatch(input);
    const { out } = state;
    state.out = [];
    return out;
  }

  #dispatch(input: Input): void {
    const state = this.#state;
    switch (input.kind) {
      case 'tick':
        return this.#tick();
      case 'applied':
        return void (state.applied = input.upTo);
      case 'message':
        return this.#message(input.from, input.message);
      case 'peerConnected':
        return this.#connected(input.peer);
      case 'configuration':
        return promotion.learn(state, input.configuration, true);
      case 'configurationSaved':
        return promotion.enact(state, input.configuration);
      case 'compareAndSetDone':
      case 'compareAndSetRefused':
      case 'compareAndSetInvalid':
        return storeAnswers.onAnswer(state, input);
      case 'peerDisconnected':
        return primary.onSuspected(state, input.peer);
      case 'suspected':
        return primary.onSuspected(state, input.node);
      case 'store':
        return void (state.storeAnswers = input.answers);
      case 'handOver':
        return handover.wishHandOver(state, input.to);
      case 'standDown':
        return handover.standDown(state);
      case 'unable':
        state.unable = input.reason;
        return handover.considerHandOver(state);
      case 'roomOnDisk':
        return void (state.full = false);
      case 'propose':
        return primary.propose(state, input.records);
      case 'stored':
        return this.#stored(input.seq, input.epoch);
      case 'refusedByDisk':
        return this.#refusedByDisk(input.from);
      case 'logRead':
        return primary.onLogRead(state, input.peer, input.from, input.records);
      case 'damaged':
        state.quarantine ??= input.reason;
        state.isSuspect = false;
        return this.#quarantined();
      case 'wiped':
        return this.#wiped();
      case 'cellsRead':
        return snapshot.onCellsRead(state, input.peer, input.snapshot, input.chunk, input.found);
      case 'cellsImported':
        return snapshot.onCellsImported(state, input.snapshot, input.chunk, input.isLast);
      case 'importFailed':
        return snapshot.onGone(state, input.snapshot);
      case 'cellsAdopted':
        return snapshot.onAdopted(state);
    }
  }

  #tick(): void {
    const state = this.#state;
    forgiveOwnPause(state);
    if (state.quarantine && state.role !== 'quarantined') this.#quarantined();
    retryPending(state);
    if (isPrimary(state)) {
      primary.primaryTick(state);
      observeLag(state);
      considerRemoving(state);
      considerAdmitting(state);
      handover.considerHandOver(state);
    }
    promotion.considerWithdrawing(state);
    promotion.considerQuerying(state);
    promotion.considerCampaign(state);
    snapshot.sendingTick(state);
    snapshot.takingTick(state);
  }

  #message(from: NodeId, message: PeerMessage): void {
    const state = this.#state;
    const { body } = message;
    const { configuration } = state;
    if (body.type === 'configure') {
      // One of a lineage that an operator ended tells us what it holds: it has not heard (rule 10).
      if (configuration && isNewer(configuration, body.configuration))
        send(state, from, { type: 'configure', configuration });
      return promotion.learn(state, body.configuration, false);
    }
    if (!configuration) return;
    if (body.type === 'askConfiguration') return send(state, from, { type: 'configure', configuration });
    if (message.epoch < configuration.epoch) {
      // Rule 2: lower epochs are refused on every message, and told why.
      return send(state, from, { type: 'configure', configuration });
    }
    if (message.version > configuration.version) send(state, from, { type: 'askConfiguration' });
    if (message.epoch > configuration.epoch || state.quarantine) return;
    switch (body.type) {
      case 'query':
        return send(state, from, { type: 'queryReply', last: lastOf(state.log), isCut: state.cutTail });
      case 'queryReply':
        return promotion.onQueryReply(state, from, body);
      case 'append':
      case 'beacon':
        if (from !== configuration.primary || isPrimary(state) || state.role === 'none') return;
        if (body.type === 'beacon') return member.onBeacon(state, from, body);
        // Not before the primary has forgotten what this disk once had (rule 11).
        if (!state.trusted) return;
        return member.onAppend(state, from, body);
      case 'snapshotChunk':
      case 'snapshotGone':
        if (from !== configuration.primary || isPrimary(state)) return;
        if (body.type === 'snapshotChunk') return snapshot.onChunk(state, body);
        return snapshot.onGone(state, body.snapshot);
      case 'snapshotAsk':
        if (!configuration.replicas.includes(from)) return;
        return snapshot.onAsk(state, from, body.snapshot, body.chunk);
      case 'withdrawn':
        if (from === configuration.primary) promotion.onWithdrawn(state, body.at);
        return;
      case 'offer':
        if (from === configuration.primary) handover.onOffer(state, from, body.configuration);
        return;
      case 'ack':
      case 'nack':
      case 'beaconAck':
      case 'full':
      case 'withdraw':
      case 'offerAnswer':
      case 'leave':
        if (!isPrimary(state) || !configuration.replicas.includes(from)) return;
        if (body.type === 'beaconAck') return primary.onBeaconAck(state, from, body.sentAt);
        if (message.version !== configuration.version) {
          primary.peerOf(state, from).lastHeard = state.now;
          return;
        }
        if (body.type === 'full') return primary.onFull(state, from);
        if (body.type === 'leave') {
          primary.onLeave(state, from);
          return considerRemoving(state);
        }
        if (body.type === 'offerAnswer') return handover.onOfferAnswer(state, from, body.offer, body.accepts);
        if (body.type === 'withdraw') return primary.onWithdraw(state, from, body.at);
        if (body.type === 'ack') return primary.onAck(state, from, body.match);
        return primary.onNack(state, from, body.ends);
    }
  }

  #connected(peer: NodeId): void {
    const state = this.#state;
    if (isPrimary(state) && state.configuration?.replicas.includes(peer) && state.openingSeq !== undefined) {
      send(state, peer, { type: 'configure', configuration: state.configuration });
      primary.peerOf(state, peer).reading = false;
      primary.probe(state, peer);
    }
  }

  #stored(seq: Seq, epoch: number): void {
    const state = this.#state;
    state.full = false;
    // Entries that were truncated meanwhile, and perhaps replaced, do not count.
    if (state.log.epochAt(seq) !== epoch || seq <= state.log.durable) return;
    state.log.durable = seq;
    if (isPrimary(state)) {
      primary.advanceCommit(state);
    } else {
      member.advanceMemberCommit(state);
      member.acknowledge(state);
      member.considerMended(state);
    }
  }

  #refusedByDisk(from: Seq): void {
    const state = this.#state;
    const { configuration, log } = state;
    log.truncate(from);
    if (state.verified >= from) state.verified = (from - 1) as Seq;
    state.full = true;
    if (isPrimary(state)) {
      primary.onRefusedByDisk(state);
      return handover.wishHandOver(state, undefined);
    }
    if (configuration) send(state, configuration.primary, { type: 'full' });
  }

  #quarantined(): void {
    const state = this.#state;
    // In a hand-over it serves nothing new, but may still answer what it proposed.
    const wasServing = state.serving || state.handingOver;
    state.role = 'quarantined';
    state.serving = false;
    state.openingSeq = undefined;
    // Whoever leads next decides about members, not a copy that cannot be trusted.
    state.pending = undefined;
    state.accepted = undefined;
    snapshot.stopSending(state);
    snapshot.giveUp(state);
    state.out.push({ kind: 'alarm', text: `this copy is quarantined: ${state.quarantine}` });
    if (!state.configuration) return;
    if (wasServing) state.out.push({ kind: 'serving', serving: false, epoch: state.configuration.epoch });
    state.out.push({ kind: 'role', role: 'quarantined', configuration: state.configuration });
    promotion.wipeIfReleased(state, state.configuration);
  }

  /** Starts anew as a learner with an empty log. */
  #wiped(): void {
    const state = this.#state;
    state.log = new PreparedLog(0 as Seq, [], []);
    state.quarantine = undefined;
    state.isSuspect = false;
    state.wiping = false;
    state.cutTail = false;
    state.verified = 0 as Seq;
    state.heardCommit = 0 as Seq;
    state.trusted = false;
    state.withdrawAt = state.now;
    state.applied = 0 as Seq;
    state.taking = undefined;
    state.takeAfter = state.now;
    const { configuration } = state;
    if (!configuration) return;
    promotion.distrust(state);
    state.role = promotion.roleIn(state, configuration);
    state.out.push({ kind: 'role', role: state.role, configuration });
  }

  /** What the shell and the console may see. */
  get view() {
    const { configuration, role, serving, log, quarantine, isSuspect, cutTail } = this.#state;
    return {
      configuration,
      role,
      serving,
      quarantine,
      isSuspect,
      cutTail,
      last: log.last,
      lastEpoch: log.lastEpoch,
      durable: log.durable,
      committed: log.committed,
    };
  }

  get serving(): boolean {
    return this.#state.serving;
  }

  /** Who leads from here on, as far as this copy has a hand in it; undefined: the configuration says. */
  get successor(): NodeId | undefined {
    return handover.successorOf(this.#state);
  }

  /** Until when linearizable reads may be answered, on the node's monotonic clock (rule 7). */
  get leaseUntil(): number {
    return primary.leaseUntil(this.#state);
  }

  /** Prepared records, oldest first: what a new primary's decisions must see. */
  prepared(): readonly LogRecord[] {
    const { log } = this.#state;
    return log.recordsFrom((log.committed + 1) as Seq) ?? [];
  }
}
