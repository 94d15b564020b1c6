import { reportUncaught } from '@quiesce/cancellation-token';
import { ScopeError } from './errors.ts';
import { quoted } from './options.ts';
import type { Task } from './task.ts';

/** Of an error that is the scope's, whoever asks. */
const OWN = Number.POSITIVE_INFINITY;

/** What failed in one scope, in order of failure, no error twice. */
export class Failures {
  /** Each error; with it how many isolated tasks have failed with it that nobody has asked, or `OWN`. */
  readonly #errors: Map<unknown, number> = new Map();

  add(error: unknown): void {
    this.#errors.set(error, OWN);
  }

  /** Belongs to whoever asks; says whether it still waits for somebody. */
  isolate(task: Task<unknown>): boolean {
    const unasked = this.#errors.get(task.value) ?? 0;
    this.#errors.set(task.value, unasked + 1);
    return unasked !== OWN;
  }

  /** Somebody has asked, for the first time, for the failure of an isolated task: it is theirs now. */
  asked(task: Task<unknown>): void {
    const unasked = (this.#errors.get(task.value) ?? 0) - 1;
    if (unasked > 0) this.#errors.set(task.value, unasked);
    else this.#errors.delete(task.value);
  }

  /** Throws them: one verbatim, several as one error. */
  throw(scopeName: string | undefined): void {
    const errors = [...this.#errors.keys()];
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new ScopeError(scopeName, errors);
  }
}

/** Hands on what failed when nobody waited for it any more. */
export function reportLate(what: string, when: string, error: unknown): void {
  reportUncaught(new Error(`${what} failed after ${when}`, { cause: error }));
}

/** A task, for error texts. */
export function taskLabel(name: string | undefined): string {
  return name === undefined ? 'A task' : `Task${quoted(name)}`;
}

export const givenUp = 'its scope had given up on it';
