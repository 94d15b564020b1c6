import type { Run } from './run.ts';
import type { Alternative, ChoiceSource } from './source.ts';
import { hasSettled } from './thenable.ts';

/** A signal that aborts, or an act that runs: at most once, and only until the test settles. */
export class Interruption implements ChoiceSource {
  readonly kind: 'signal' | 'act';
  readonly id: number;
  readonly alternative: Alternative;
  /** The number of timers that had fired when it became possible. */
  readonly since: number;
  /** Whether it is the signal of `cancelEverywhere`. */
  readonly isFree: boolean;
  readonly #run: Run;
  readonly #name: string;
  readonly #act: () => void;
  #hasHappened = false;

  constructor(run: Run, kind: 'signal' | 'act', label: string, act: () => void, isFree = false) {
    this.#run = run;
    this.kind = kind;
    this.#name = kind === 'signal' ? `${label} aborts` : label;
    this.id = run.intern(this.#name);
    this.since = run.firings;
    this.isFree = isFree;
    this.#act = act;
    this.alternative = { source: this, variant: 0 };
  }

  get hasHappened(): boolean {
    return this.#hasHappened;
  }

  name(): string {
    return this.#name;
  }

  isPossible(): boolean {
    return !this.#hasHappened && this.#run.settled === undefined;
  }

  /** Whether it can overlap the present step: inside it, the test may have settled without a reaction so far. */
  canOverlap(): boolean {
    return this.isPossible() && !hasSettled(this.#run.testPromise);
  }

  perform(): void {
    this.#hasHappened = true;
    this.#act();
  }
}

/** A signal of the world, with the places of its listeners, for the check at the end. */
export class WorldSignal {
  readonly name: string;
  readonly signal: AbortSignal;
  readonly interruption: Interruption;
  /** Where listeners were added, in audited runs. */
  readonly places: string[] = [];

  constructor(name: string, signal: AbortSignal, interruption: Interruption) {
    this.name = name;
    this.signal = signal;
    this.interruption = interruption;
  }
}
