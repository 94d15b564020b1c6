import type { CancellationToken, Clock } from '@quiesce/cancellation-token';
import { EngineUnavailableError } from './errors.ts';
import type { KeyTree, Run } from './key-tree.ts';
import type { Link } from './link.ts';
import { type LiveCancels, reasonOf } from './live-cancels.ts';

/** The run, as its work sees it. */
export interface FleetRun {
  /** The key, as a string. */
  readonly key: string;
}

/** A run that is about to start. */
export interface RunRequest<T> {
  readonly key: string;
  readonly work: (token: CancellationToken, run: FleetRun) => T;
  readonly limit: CancellationToken | undefined;
  readonly unreachable: number;
}

/** A token that is cancelled when the engine has been unavailable for too long. */
interface LimitedByAge {
  readonly token: CancellationToken;
  end(): void;
}

interface RunsOptions {
  readonly clock: Clock;
  readonly tree: KeyTree;
  readonly cancels: LiveCancels;
  readonly link: Link;
  /** Called when a run has ended. */
  onEnded(): void;
}

/** The runs of this process: their start, and their limit while the engine is unavailable. */
export class Runs {
  readonly #options: RunsOptions;
  /** Renews the deadline of each run with `unreachable`. */
  readonly #renewals: Set<(provenAt: number) => void> = new Set();

  constructor(options: RunsOptions) {
    this.#options = options;
  }

  /** Starts a run, unless a cancel covers its key. */
  start<T>({ key, work, limit, unreachable }: RunRequest<T>): Promise<Awaited<T>> {
    const { clock, tree, cancels, link } = this.#options;
    if (link.age >= unreachable) throw this.#unreachableError(unreachable);
    const now = clock.now();
    const cancel = cancels.covering(key, now);
    if (cancel !== undefined) throw reasonOf(cancel);
    const run = tree.addRun(key, now, limit);
    const isLimited = unreachable !== Number.POSITIVE_INFINITY;
    return this.#execute(run, key, work, isLimited ? this.#limitByAge(run.token, unreachable) : undefined);
  }

  /** Renews the deadlines of runs with `unreachable`: a complete read, sent at this time, has arrived. */
  renew(provenAt: number): void {
    for (const renew of this.#renewals) renew(provenAt);
  }

  async #execute<T>(
    run: Run,
    key: string,
    work: RunRequest<T>['work'],
    limited: LimitedByAge | undefined,
  ): Promise<Awaited<T>> {
    try {
      return await work(limited?.token ?? run.token, { key });
    } finally {
      limited?.end();
      this.#options.tree.removeRun(run);
      this.#options.onEnded();
    }
  }

  /** Makes a child token that is cancelled when the engine has been unavailable for too long. */
  #limitByAge(token: CancellationToken, unreachable: number): LimitedByAge {
    const { clock, link } = this.#options;
    const since = link.provenAt ?? clock.now();
    const reason = (): EngineUnavailableError => this.#unreachableError(unreachable);
    const deadline = token.renewable(unreachable, { clock, since, reason });
    const renew = (provenAt: number): void => void deadline.renew(unreachable, provenAt);
    this.#renewals.add(renew);
    const end = (): void => {
      this.#renewals.delete(renew);
      deadline.token.dispose();
    };
    return { token: deadline.token, end };
  }

  #unreachableError(unreachable: number): EngineUnavailableError {
    const { error } = this.#options.link.state.borrow();
    return new EngineUnavailableError(
      `run: the engine has been unavailable for more than ${unreachable} ms (unreachable), so cancels do not arrive`,
      { cause: error },
    );
  }
}
