/**
 * Recently used cells, bounded by bytes: a young half and an old half. What is found in the old half moves
 * to the young one; when the young half is full it becomes the old one, and the old one is forgotten. So a
 * hit costs one lookup, and nothing is kept in order. What always holds, for every key that is in it: the
 * cached answer (a cell, or "absent") is the store's after all that was written.
 *
 *   - A write puts its cells here at once (write-through), deletions as "absent".
 *   - A lookup may fill in what it read only if no round has touched the key since its snapshot. If one
 *     has, either its write-through entry is still here, or it was forgotten: `forgottenRound` remembers
 *     the youngest round whose entry may have been.
 */
/** Map entry, strings' headers, the value's Buffer object: estimated. */
const ENTRY_OVERHEAD_BYTES = 250;

/** A cell's encoded value (cell-value.ts), one object for the garbage collector; null: there is no such cell. */
type Known = Buffer | null;
/** By group (a generation of a tablet), and in it by name. */
type Half = Map<number, Map<string, Known>>;

export class CellCache {
  private young: Half = new Map();
  private old: Half = new Map();
  private readonly halfBytesMax: number;
  private youngBytes = 0;
  private youngRound = 0;
  private oldRound = 0;
  private forgottenRound = 0;

  constructor(bytesMax: number) {
    this.halfBytesMax = bytesMax / 2;
  }

  /** Undefined: not cached. */
  find(group: number, name: string): Known | undefined {
    const known = this.young.get(group)?.get(name);
    if (known !== undefined) return known;
    const older = this.old.get(group)?.get(name);
    if (older !== undefined) this.put(group, name, older, this.oldRound);
    return older;
  }

  /** The key was left so by a write that is part of this round. */
  wrote(group: number, name: string, value: Buffer | undefined, round: number): void {
    this.put(group, name, value ?? null, round);
  }

  /** A lookup whose snapshot had exactly the rounds up to `round` found the key so. */
  read(group: number, name: string, value: Buffer | undefined, round: number): void {
    const isKnown = this.young.get(group)?.has(name) || this.old.get(group)?.has(name);
    if (this.forgottenRound <= round && !isKnown) this.put(group, name, value ?? null, 0);
  }

  clear(): void {
    this.young = new Map();
    this.old = new Map();
    this.youngBytes = 0;
  }

  private put(group: number, name: string, known: Known, round: number): void {
    // An entry that is replaced counts twice until the halves change: the bound is kept, a little early.
    this.youngBytes += ENTRY_OVERHEAD_BYTES + 2 * name.length + (known?.length ?? 0);
    if (round > this.youngRound) this.youngRound = round;
    let names = this.young.get(group);
    if (!names) this.young.set(group, (names = new Map()));
    names.set(name, known);
    if (this.youngBytes > this.halfBytesMax) this.turn();
  }

  private turn(): void {
    this.forgottenRound = Math.max(this.forgottenRound, this.oldRound);
    this.old = this.young;
    this.oldRound = this.youngRound;
    this.young = new Map();
    this.youngBytes = 0;
    this.youngRound = 0;
  }
}
