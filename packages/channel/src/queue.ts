/** A larger array is dropped when the queue becomes empty, so that one burst does not retain memory. */
const KEPT = 1024;

/** First in, first out, in a ring that doubles when it is full. The length of the array is a power of two. */
export class Queue<T> {
  /** The number of values. */
  length = 0;
  #values: (T | undefined)[] = new Array<T | undefined>(16).fill(undefined);
  /** The index of the oldest value. */
  #first = 0;

  push(value: T): void {
    if (this.length === this.#values.length) this.#grow();
    this.#values[(this.#first + this.length++) & (this.#values.length - 1)] = value;
  }

  /** Adds a value at the front. */
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
    // (b c │ a) becomes (a b c …): the items before the first are moved to the end.
    const grown = values.slice(this.#first).concat(values.slice(0, this.#first));
    for (let i = 0; i < length; i++) grown.push(undefined);
    this.#values = grown;
    this.#first = 0;
  }
}
