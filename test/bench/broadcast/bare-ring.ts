// The baseline: a ring that a program writes for itself. It has no lag, no close, no cancellation, and one receive at a time.

export class BareRing<T> {
  readonly mask: number;
  readonly values: (T | undefined)[];
  tail = 0;
  waiting: BareReceiver<T>[] = [];

  /** @param size a power of two; a receiver that falls behind by more reads values twice */
  constructor(size: number) {
    this.mask = size - 1;
    this.values = new Array<T | undefined>(size).fill(undefined);
  }

  send(value: T): void {
    this.values[this.tail++ & this.mask] = value;
    const waiting = this.waiting;
    if (waiting.length === 0) return;
    this.waiting = [];
    for (const receiver of waiting) receiver.wake();
  }

  subscribe(): BareReceiver<T> {
    return new BareReceiver(this);
  }
}

/** Receives or iterates; a program that needs only one of them writes only one. */
export class BareReceiver<T> {
  readonly #ring: BareRing<T>;
  #cursor: number;
  #resolve: ((value: T) => void) | undefined;

  constructor(ring: BareRing<T>) {
    this.#ring = ring;
    this.#cursor = ring.tail;
  }

  recv(): Promise<T> {
    if (this.#cursor < this.#ring.tail) return Promise.resolve(this.#take());
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#ring.waiting.push(this);
    });
  }

  /** Takes all available values, at least one. */
  async recvMany(limit: number): Promise<T[]> {
    const values: T[] = [(await this.recv()) as T];
    const count = Math.min(limit, 1 + this.#ring.tail - this.#cursor);
    while (values.length < count) values.push(this.#take());
    return values;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#cursor < this.#ring.tail) return Promise.resolve({ done: false, value: this.#take() });
    return new Promise((resolve) => {
      this.#resolve = (value) => resolve({ done: false, value });
      this.#ring.waiting.push(this);
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  wake(): void {
    this.#resolve?.(this.#take());
  }

  #take(): T {
    return this.#ring.values[this.#cursor++ & this.#ring.mask] as T;
  }
}
