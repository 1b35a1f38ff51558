/**
 * A stream of bytes cut into chunks of one size, whatever the pieces it comes in. Holds at most one
 * chunk and one piece; whoever consumes slowly holds the sender back.
 *
 *   every chunk but the last has `chunkBytes`; the last has 1 to `chunkBytes`; no bytes: no chunk
 */
export async function* chunked(source: AsyncIterable<Buffer>, chunkBytes: number): AsyncGenerator<Buffer> {
  // Fresh memory for each chunk: the one handed out is still on its way to the store.
  let chunk = Buffer.allocUnsafeSlow(chunkBytes);
  let filled = 0;
  for await (const piece of source) {
    let taken = 0;
    while (taken < piece.length) {
      const copied = piece.copy(chunk, filled, taken);
      taken += copied;
      filled += copied;
      if (filled === chunkBytes) {
        yield chunk;
        chunk = Buffer.allocUnsafeSlow(chunkBytes);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

/** At most `limit` pieces of work at once. The first failure is thrown by the next `add`, or by `done`. */
export class Bounded {
  private readonly limit: number;
  private readonly running = new Set<Promise<void>>();
  private failure: { error: unknown } | undefined;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Waits for a free place, then starts the work. */
  async add(work: () => Promise<unknown>): Promise<void> {
    while (this.running.size >= this.limit && this.failure === undefined) await Promise.race(this.running);
    this.throwFailure();
    const task: Promise<void> = work()
      .then(
        () => undefined,
        (error: unknown) => {
          this.failure ??= { error };
        },
      )
      .finally(() => this.running.delete(task));
    this.running.add(task);
  }

  /** Waits until all work has ended. */
  async done(): Promise<void> {
    await Promise.all(this.running);
    this.throwFailure();
  }

  private throwFailure(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }
}
