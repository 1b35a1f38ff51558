/** What simulations found, and was mended: each of these stood in the production code. */
import { log, replication, tablet, type Edit, type Mutant } from './mutant.ts';

const ONLY_THE_NEXT_FILE: Edit = {
  file: log('journal-reader'),
  find: 'next < generations.length; next++',
  put: 'next < generations.length && next === i + 1; next++',
};

export const MENDED_DEFECTS: readonly Mutant[] = [
  {
    name: 'serve-with-entries-in-flight',
    rule: 'no overlay is inherited: what is decided follows all that is in the log',
    edits: [
      {
        file: tablet('tablet'),
        find: 'await this.#apply.untilApplied(last);',
        put: 'await this.#apply.untilApplied(this.#committed);',
      },
    ],
  },
  // Needs no room just when the journal’s next file begins, and death before a checkpoint frees the one before.
  // A reader that passes such files over makes it harmless: both go.
  {
    name: 'leave-a-file-without-a-first-record',
    rule: 'rule 12: a full disk damages nothing',
    edits: [
      {
        file: log('journal'),
        find: '      if (this.#tail > 0) {\n        this.#file = undefined;',
        put: '      {\n        this.#file = undefined;',
      },
      ONLY_THE_NEXT_FILE,
    ],
  },
  // Needs two openings in a row that are cut off behind a torn tail.
  {
    name: 'look-only-at-the-next-file',
    rule: 'a file that got no first record is passed over when the journal is read',
    edits: [ONLY_THE_NEXT_FILE],
  },
  // Needs a kill between a write and its fsync, and a power cut after the next process wrote behind it.
  {
    name: 'number-on-behind-unsynced-records',
    rule: 'what a killed process left readable is synced before anything relies on it',
    edits: [
      {
        file: log('disk-log'),
        find: '    if (!journal.damage) await this.#journalFiles.sync(journal.read);\n',
        put: '',
      },
    ],
  },
  {
    name: 'forget-what-a-restart-found',
    rule: 'rule 11: a damaged copy is wiped once nobody counts on it',
    edits: [
      {
        file: tablet('tablet'),
        find: 'outputs = [...more, input].flatMap((one) => this.#replica.step(one, now));',
        put: 'outputs = [...more, input].map((one) => this.#replica.step(one, now)).at(-1)!;',
      },
    ],
  },
  // Needs a copy that dropped prepared entries and committed others in their place, and then loses its tail with
  // the record of that truncation: what was dropped stands behind its segments again.
  {
    name: 'believe-leftovers',
    rule: 'rule 5: a copy whose tail was cut asks the others; entries from before a lost truncation are none',
    edits: [
      {
        file: tablet('open-tablet'),
        find: '  if (!first) return found;\n',
        put: '  if (!first || first) return found;\n',
      },
    ],
  },
  // Needs two copies that lost their tails, one of them the primary's, and a third that lost nothing.
  {
    name: 'believe-a-cut-primary',
    rule: 'rule 5: a primary whose own tail was cut cannot say what others had acknowledged to it',
    edits: [
      {
        file: replication('member'),
        find: 'if (!primary || primary.isCut) return;',
        put: 'if (!primary) return;',
      },
    ],
  },
  // Needs a new primary whose disk is full, with an entry that is committed and in no segment yet.
  {
    name: 'call-a-full-disk-damaged',
    rule: 'rule 12: want of room is no damage; what is committed is read from memory until there is room',
    edits: [
      {
        file: log('disk-log'),
        find: "      if (!(error instanceof Fault) || error.code !== 'DiskFull') throw error;\n",
        put: '      throw error;\n',
      },
      {
        file: tablet('core-requests'),
        find: 'return isDamage ? damaged',
        put: 'return isDamage || error ? damaged',
      },
    ],
  },
];
