/** How many bytes of messages are in memory at a time. Who comes first is served first; what is longer than all of it waits until it is alone. */
export class ByteBudget {
  readonly #bytesMax: number;
  #used = 0;
  readonly #waiting: { readonly bytes: number; readonly go: () => void }[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Resolves with what gives them back. */
  async take(bytes: number): Promise<() => void> {
    if (this.#waiting.length > 0 || !this.#has(bytes))
      await new Promise<void>((go) => this.#waiting.push({ bytes, go }));
    else this.#used += bytes;
    return () => this.#give(bytes);
  }

  #has(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#bytesMax;
  }

  #give(bytes: number): void {
    this.#used -= bytes;
    for (let next = this.#waiting[0]; next && this.#has(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#used += next.bytes;
      next.go();
    }
  }
}
