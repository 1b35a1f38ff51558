/** All that clients asked and were told, in one order of moments: what the checker of linearizability judges. */
export type Action =
  | { readonly kind: 'put'; readonly value: string }
  | { readonly kind: 'get'; readonly found: string | null }
  | {
      readonly kind: 'cput';
      readonly expected: string | null;
      readonly value: string;
      readonly swapped: boolean | undefined;
    }
  | { readonly kind: 'delete' };

export type Operation = {
  readonly client: string;
  readonly row: string;
  readonly column: string;
  action: Action;
  readonly called: number;
  readonly calledMs: number;
  /** Undefined: it may take effect at any time after the call, or never. */
  answered: number | undefined;
  commandId: string | undefined;
};

export class History {
  readonly operations: Operation[] = [];
  /** Also those that were forgotten. */
  asked = 0;
  acknowledged = 0;
  /** The longest that anybody waited for an answer that came. */
  longestMs = 0;
  readonly #now: () => number;
  readonly #onAcknowledged: (operation: Operation, seq: number | undefined) => void;
  #moment = 0;

  constructor(now: () => number, onAcknowledged: (operation: Operation, seq: number | undefined) => void) {
    this.#now = now;
    this.#onAcknowledged = onAcknowledged;
  }

  called(client: string, row: string, column: string, action: Action): Operation {
    const called = ++this.#moment;
    this.asked++;
    const operation: Operation = {
      client,
      row,
      column,
      action,
      called,
      calledMs: this.#now(),
      answered: undefined,
      commandId: undefined,
    };
    this.operations.push(operation);
    return operation;
  }

  /** `seq`: of the entry that carried a command out. */
  answered(operation: Operation, action: Action, seq?: number): void {
    operation.action = action;
    operation.answered = ++this.#moment;
    this.acknowledged++;
    this.longestMs = Math.max(this.longestMs, this.#now() - operation.calledMs);
    this.#onAcknowledged(operation, seq);
  }

  forget(operation: Operation): void {
    const at = this.operations.indexOf(operation);
    if (at >= 0) this.operations.splice(at, 1);
  }
}
