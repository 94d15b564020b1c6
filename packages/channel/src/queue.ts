/** An array larger than this is given up when the queue has become empty, so that one burst is not kept for ever. */
const KEPT = 1024;

/** First in, first out, in a ring that doubles when it is full: the array's length is a power of two. */
export class Queue<T> {
  /** How many values there are. */
  length = 0;
  #values: (T | undefined)[] = new Array<T | undefined>(16).fill(undefined);
  /** Where the oldest value stands. */
  #first = 0;

  push(value: T): void {
    if (this.length === this.#values.length) this.#grow();
    this.#values[(this.#first + this.length++) & (this.#values.length - 1)] = value;
  }

  /** Puts a value before the others. */
  unshift(value: T): void {
    if (this.length === this.#values.length) this.#grow();
    this.#first = (this.#first + this.#values.length - 1) & (this.#values.length - 1);
    this.#values[this.#first] = value;
    this.length++;
  }

  /** Takes the oldest value; there must be one. */
  shift(): T {
    const values = this.#values;
    const value = values[this.#first] as T;
    values[this.#first] = undefined;
    this.#first = (this.#first + 1) & (values.length - 1);
    if (--this.length === 0 && values.length > KEPT) this.clear();
    return value;
  }

  clear(): void {
    this.length = 0;
    this.#first = 0;
    this.#values = new Array<T | undefined>(16).fill(undefined);
  }

  #grow(): void {
    const values = this.#values;
    const { length } = values;
    // (b c │ a) becomes (a b c …): what stands before the first is moved behind the others.
    const grown = values.slice(this.#first).concat(values.slice(0, this.#first));
    for (let i = 0; i < length; i++) grown.push(undefined);
    this.#values = grown;
    this.#first = 0;
  }
}
