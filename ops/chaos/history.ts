/**
 * A history: what many callers asked of cells, when they asked, and when and what they were answered.
 * What always holds: an operation that got no answer, or only "it may have happened", stays open: it may
 * take effect at any time after its call, or never. Times need an order only, not a unit.
 */

/** A value, or something that stands for it (a digest); `null` is a cell that does not exist. */
export type CellContent = string | null;

export type KvAction =
  | { readonly kind: 'put'; readonly value: string }
  | { readonly kind: 'get'; readonly found: CellContent }
  /** `swapped` undefined: nobody knows. `found`: what stood there instead, if a refusal said so. */
  | {
      readonly kind: 'cput';
      readonly expected: CellContent;
      readonly value: string;
      readonly swapped: boolean | undefined;
      readonly found?: CellContent;
    }
  | { readonly kind: 'delete' };

/** `answered` undefined: open. An open get says nothing. */
export interface KvOperation {
  readonly row: string;
  readonly column: string;
  readonly action: KvAction;
  readonly called: number;
  readonly answered: number | undefined;
}

/** Writes a history down while it happens. Its clock counts calls and answers: no two at one time. */
export class HistoryRecorder {
  readonly #operations: KvOperation[] = [];
  #time = 0;

  get operations(): readonly KvOperation[] {
    return this.#operations;
  }

  /** Notes a call; what it returns is called once, with the action as answered, or `undefined` for none. */
  call(row: string, column: string, asked: KvAction): (answered: KvAction | undefined) => void {
    const called = ++this.#time;
    const at = this.#operations.push({ row, column, action: asked, called, answered: undefined }) - 1;
    return (answered) => {
      if (answered === undefined) return;
      this.#operations[at] = { row, column, action: answered, called, answered: ++this.#time };
    };
  }
}
