/**
 * The mutants: production code with one safety rule disabled each. An edit names text that stands exactly
 * once in its file. What each breaks is a promise that some checker must see broken; `themes.ts` makes the
 * circumstances likely that a rare one needs.
 */
import { MENDED_DEFECTS } from './mended-defects.ts';
import { log, replication, tablet, type Mutant } from './mutant.ts';

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'skip-the-fsync',
    rule: 'rule 3: an acknowledged entry is on the disk',
    edits: [
      {
        file: log('journal'),
        find: "    await syncForGood(file, 'the journal');\n    this.#marked = false;",
        put: '    this.#marked = false;',
      },
    ],
  },
  {
    name: 'ack-before-fsync',
    rule: 'rule 3: acknowledged only once it is durable',
    edits: [
      {
        file: replication('member'),
        find: 'if (fresh.length === 0) acknowledge(state);',
        put: 'acknowledge(state);',
      },
      {
        file: replication('member'),
        find: 'match: Math.min(state.log.durable, state.verified) as Seq });',
        put: 'match: state.verified });',
      },
    ],
  },
  {
    name: 'commit-on-a-majority',
    rule: 'rule 3: every member of the in-sync set',
    edits: [
      {
        file: replication('primary'),
        find: '  for (const node of neededMembers(state)) {\n    if (node === state.self) continue;\n    const peer = state.peers.get(node);\n    if (!peer',
        put: '  const all = neededMembers(state);\n  for (const node of all.slice(0, (all.length >> 1) + 1)) {\n    if (node === state.self) continue;\n    const peer = state.peers.get(node);\n    if (!peer',
      },
    ],
  },
  // Needs appends of the old primary that come while the next epoch’s first entries are not committed.
  {
    name: 'accept-an-old-epoch',
    rule: 'rule 2: lower epochs are refused on every message',
    edits: [
      {
        file: replication('replica'),
        find: 'if (message.epoch < configuration.epoch) {',
        put: 'if (message.epoch < 0) {',
      },
      {
        file: replication('replica'),
        find: "if (from !== configuration.primary || isPrimary(state) || state.role === 'none') return;",
        put: "if (isPrimary(state) || state.role === 'none') return;",
      },
    ],
  },
  {
    name: 'promote-a-learner',
    rule: 'rule 5: only a member of the in-sync set may become primary',
    edits: [
      {
        file: replication('promotion'),
        find: '  if (!configuration.inSync.includes(state.self)) return;\n  if (configuration.primary',
        put: '  if (!configuration.replicas.includes(state.self)) return;\n  if (configuration.primary',
      },
      {
        file: replication('promotion'),
        find: 'const change = { epoch: (configuration.epoch + 1) as Epoch, primary: state.self, inSync };',
        put: 'const change = { epoch: (configuration.epoch + 1) as Epoch, primary: state.self, inSync: [...new Set([...inSync, state.self])] };',
      },
      {
        file: 'storage-nodes/master/configuration-rules.ts',
        find: 'if (next.lineage === current.lineage && !current.inSync.includes(next.primary)) {',
        put: 'if (next.lineage === current.lineage && !current.replicas.includes(next.primary)) {',
      },
    ],
  },
  {
    name: 'truncate-by-commit-index',
    rule: 'rule 6: truncation never goes by the local commit index',
    edits: [
      {
        file: replication('promotion'),
        find: "  if (state.role === 'primary') {\n    if (newEpoch && asked",
        put: `  if (newEpoch && state.role === 'replica' && state.log.last > state.log.committed) {
    const from = (state.log.committed + 1) as Seq;
    state.log.truncate(from);
    state.out.push({ kind: 'truncate', from });
  }
  if (state.role === 'primary') {
    if (newEpoch && asked`,
      },
    ],
  },
  {
    name: 'append-without-a-match',
    rule: 'rule 6: logs meet on (epoch, end of epoch)',
    edits: [
      {
        file: replication('member'),
        find: 'if (log.epochAt(append.prevSeq) !== append.prevEpoch) {',
        put: 'if (log.epochAt(append.prevSeq) === undefined) {',
      },
    ],
  },
  {
    name: 'reads-without-a-lease',
    rule: 'rule 7: the lease is checked after the value is read',
    edits: [{ file: tablet('serving'), find: 'if (leaseUntil() > host.now()) return;', put: 'return;' }],
  },
  // Needs old answers at a primary that was cut off and replaced, reads there, writes at its successor.
  {
    name: 'lease-from-receipt',
    rule: 'rule 7: the primary counts from sending',
    edits: [
      {
        file: replication('primary'),
        find: 'if (peer.beaconAcked === undefined || sentAt > peer.beaconAcked) peer.beaconAcked = sentAt;',
        put: 'peer.beaconAcked = Math.max(sentAt, state.now);',
      },
    ],
  },
  {
    name: 'skip-the-grace',
    rule: 'rule 7: only a member whose full grace has run out may ask',
    edits: [
      {
        file: replication('promotion'),
        find: 'if (state.now < state.graceUntil || !mayCampaign(state)) return;',
        put: 'if (!mayCampaign(state)) return;',
      },
    ],
  },
  {
    name: 'reads-before-apply',
    rule: 'a read is not older than what was committed before it',
    edits: [
      {
        file: tablet('serving'),
        find: 'if (committed > this.#options.apply.applied) await this.#forApply.until(committed);',
        put: '',
      },
    ],
  },
  {
    name: 'no-union-while-a-change-is-pending',
    rule: 'rule 4: commit needs the union of old and new',
    edits: [
      {
        file: replication('state'),
        find: 'return [...new Set([...now, ...next, ...saving])];',
        put: 'return [...new Set([...now, ...next.slice(0, 0), ...saving.slice(0, 0)])];',
      },
    ],
  },
  {
    name: 'removal-before-it-is-confirmed',
    rule: 'rule 4: removing a replica takes effect once the compare-and-set is confirmed',
    edits: [
      {
        file: replication('state'),
        find: 'const now = state.configuration?.inSync ?? [];',
        put: 'const now = state.pending ? [] : (state.configuration?.inSync ?? []);',
      },
    ],
  },
  {
    name: 'admit-what-lags-behind',
    rule: 'rule 4: a learner holds every entry before it is admitted',
    edits: [
      {
        file: replication('membership'),
        find: 'peer.match >= state.log.committed &&',
        put: 'peer.match >= 0 &&',
      },
    ],
  },
  // Needs a primary that loses acknowledged entries, and is back before another’s grace has run out.
  {
    name: 'cut-tail-leads-at-once',
    rule: 'rule 5: a copy that cut its tail hears all others first',
    edits: [
      {
        file: replication('promotion'),
        find: '  return rest.every((node) => {\n    const theirs',
        put: '  return rest.every((node) => {\n    if (node) return true;\n    const theirs',
      },
    ],
  },
  {
    name: 'full-disk-reuses-numbers',
    rule: 'rules 6 and 12: a primary that lost entries numbers nothing else in its epoch',
    edits: [
      {
        file: replication('primary'),
        find: 'export function onRefusedByDisk(state: ReplicaState): void {\n',
        put: 'export function onRefusedByDisk(state: ReplicaState): void {\n  if (state.serving) return;\n',
      },
    ],
  },
  {
    name: 'trust-an-empty-disk',
    rule: 'rule 11: a wiped disk comes back as a new replica',
    edits: [
      {
        file: replication('promotion'),
        find: '  if (state.trusted || !isInSync(state, state.self)) return;\n',
        put: '  if (state) return;\n',
      },
    ],
  },
  {
    name: 'forget-commands-at-failover',
    rule: 'a command id has one outcome, whoever is primary',
    edits: [
      {
        file: tablet('applier'),
        find: "if (head.commandId !== '') {",
        put: "if (head.commandId === 'never') {",
      },
    ],
  },
  {
    name: 'answer-before-commit',
    rule: 'an answer is given only for what is committed',
    edits: [
      {
        file: tablet('serving'),
        find: "      case 'entry':\n        await this.#untilCommitted(outcome.seq);\n",
        put: "      case 'entry':\n",
      },
    ],
  },
  {
    name: 'retry-answered-before-commit',
    rule: 'a repeated answer too is given only for what is committed',
    edits: [
      {
        file: tablet('serving'),
        find: "      case 'earlier': {\n        await this.#untilCommitted(outcome.seq);\n",
        put: "      case 'earlier': {\n",
      },
    ],
  },
  {
    name: 'reject-on-uncommitted-state',
    rule: 'a rejection is a read: what it saw must be committed',
    edits: [
      {
        file: tablet('serving'),
        find: "      case 'rejected':\n        await this.#untilCommitted(outcome.seen);\n        await this.#untilLeased();\n",
        put: "      case 'rejected':\n",
      },
    ],
  },
  {
    name: 'segments-never-synced',
    rule: 'journal space is reused only once segments are on the disk',
    edits: [
      {
        file: log('tablet-segments'),
        find: 'for (const file of dirty) await syncForGood(file, `the segments of tablet ${this.tablet}`);',
        put: '',
      },
    ],
  },
  {
    name: 'forget-the-configuration',
    rule: 'rule 2: a configuration is on the disk before anyone acts on it',
    edits: [
      {
        file: log('disk-log'),
        find: '      await log.configuration.save(configuration);\n',
        put: '      if (log.configuration) return;\n',
      },
    ],
  },
  {
    name: 'last-writer-wins-in-the-config-store',
    rule: 'rule 1: a configuration follows exactly its predecessor',
    edits: [
      {
        file: 'storage-nodes/master/configuration-rules.ts',
        find: "  if (next.predecessor !== (current ? configurationHash(current) : ''))\n    return { outcome: 'refused', current };\n  return written(next, brokenRule(next, current));",
        put: "  return { outcome: 'write' } && 'write';",
      },
    ],
  },
  ...MENDED_DEFECTS,
];
