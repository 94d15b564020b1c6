import { show } from './errors.ts';
import type { Run } from './run.ts';
import { type Alternative, FRESH, type Slowness, type SlowSource } from './source.ts';

/** The variant that delivers several values in one step. Others are positions among the undelivered values. */
const BATCH = -2;

/** A stream of values: frames, clicks, process signals. */
export class Stream implements SlowSource {
  readonly kind = 'stream';
  readonly id: number;
  readonly deadline: number = Number.POSITIVE_INFINITY;
  slowness: Slowness = FRESH;
  slowSince = 0;
  slowFirings = 0;
  readonly #run: Run;
  readonly #label: string;
  readonly #deliver: (value: unknown) => unknown;
  readonly #values: unknown[];
  readonly #isOrdered: boolean;
  readonly #batch: number;

  constructor(
    run: Run,
    label: string,
    values: unknown[],
    deliver: (value: unknown) => unknown,
    isOrdered: boolean,
    batch: number,
  ) {
    this.#run = run;
    this.#label = label;
    this.id = run.intern(label);
    this.#values = values;
    this.#deliver = deliver;
    this.#isOrdered = isOrdered;
    this.#batch = batch;
    if (values.length > 0) run.addOperation(this);
  }

  name(variant: number): string {
    const values = this.#next(variant);
    return `${this.#label} delivers ${values.map((value) => show(value)).join(', ')}${variant === BATCH ? ' at once' : ''}`;
  }

  isPossible(variant: number): boolean {
    return this.#next(variant).length > 0;
  }

  perform(variant: number): void {
    const values = this.#next(variant);
    this.#values.splice(Math.max(variant, 0), values.length);
    if (this.#values.length === 0) this.#run.removeOperation(this);
    for (const value of values) this.#deliver(value);
  }

  #next(variant: number): unknown[] {
    return variant === BATCH ? this.#values.slice(0, this.#batch) : this.#values.slice(variant, variant + 1);
  }

  main(): Alternative {
    return { source: this, variant: 0 };
  }

  /** Without an order, each undelivered value may be the next. */
  addOutcomes(list: Alternative[]): void {
    if (this.#isOrdered) return;
    for (let i = 1; i < this.#values.length; i++) list.push({ source: this, variant: i });
  }

  addBatch(list: Alternative[]): void {
    if (this.#batch > 1 && this.#values.length > 1) list.push({ source: this, variant: BATCH });
  }
}
