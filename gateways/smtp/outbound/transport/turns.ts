/**
 * Who waits, account by account: each account gets its turn before any gets its next one, however much one of them has
 * waiting. Within an account's lane the first comes first; an account whose lane is not free goes on with its other ones.
 */
type Lanes<Lane, Waiting> = Map<Lane, Waiting[]>;

export class Turns<Lane, Waiting> {
  /** In the order of their turns. */
  readonly #accounts = new Map<string, Lanes<Lane, Waiting>>();

  add(account: string, lane: Lane, waiting: Waiting): void {
    let lanes = this.#accounts.get(account);
    if (lanes === undefined) this.#accounts.set(account, (lanes = new Map()));
    const list = lanes.get(lane);
    if (list === undefined) lanes.set(lane, [waiting]);
    else list.push(waiting);
  }

  /** Takes out who is next, and gives the turn on; undefined where nobody may go. */
  next(
    mayGo: (account: string) => boolean,
    isFree: (lane: Lane) => boolean,
  ): { readonly account: string; readonly lane: Lane; readonly waiting: Waiting } | undefined {
    for (const [account, lanes] of this.#accounts) {
      if (!mayGo(account)) continue;
      for (const [lane, list] of lanes) {
        if (!isFree(lane)) continue;
        const waiting = list.shift()!;
        lanes.delete(lane);
        // Behind its other lanes: a slow one holds up none of them.
        if (list.length > 0) lanes.set(lane, list);
        this.#accounts.delete(account);
        if (lanes.size > 0) this.#accounts.set(account, lanes);
        return { account, lane, waiting };
      }
    }
    return undefined;
  }
}
