import type { Run } from './run.ts';
import type { Alternative, ChoiceSource } from './source.ts';

/** Resolves the promises of `world.rest()` when nothing is pending that can proceed without the test. */
export class Rest implements ChoiceSource {
  readonly kind = 'rest';
  readonly id: number = 0;
  readonly alternative: Alternative = { source: this, variant: 0 };
  readonly #run: Run;
  #resolvers: (() => void)[] = [];

  constructor(run: Run) {
    this.#run = run;
  }

  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#resolvers.push(resolve);
    });
  }

  name(): string {
    return 'the world rests';
  }

  isPossible(): boolean {
    return this.#resolvers.length > 0 && this.#run.operations.length === 0 && this.#run.timers.isEmpty;
  }

  perform(): void {
    const resolvers = this.#resolvers;
    this.#resolvers = [];
    for (const resolve of resolvers) resolve();
  }
}
