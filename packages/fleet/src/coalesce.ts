/** Runs an action at most once at a time. All calls during one run share the next run. */
export class Coalesced<T> {
  readonly #action: () => Promise<T>;
  #inFlight: Promise<unknown> | undefined;
  #queued: Promise<T> | undefined;

  constructor(action: () => Promise<T>) {
    this.#action = action;
  }

  /** Returns the result of a run that begins inside or after this call. */
  run(): Promise<T> {
    if (this.#inFlight === undefined) return this.#start();
    this.#queued ??= this.#inFlight.then(() => {
      this.#queued = undefined;
      return this.#start();
    });
    return this.#queued;
  }

  /** Waits until the run in flight and the queued one have ended. */
  async idle(): Promise<void> {
    while (this.#inFlight !== undefined) await this.#inFlight;
  }

  #start(): Promise<T> {
    const result = this.#action();
    const settled = (): void => {
      this.#inFlight = undefined;
    };
    this.#inFlight = result.then(settled, settled);
    return result;
  }
}
