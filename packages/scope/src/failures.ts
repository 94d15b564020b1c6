import { reportUncaught } from '@quiesce/cancellation-token';
import { ScopeError } from './errors.ts';
import { quoted } from './options.ts';
import type { Task } from './task.ts';

/** What failed in one scope, in order of failure, no error twice. */
export class Failures {
  /** Each error; with it the task, as long as that failure is isolated and nobody has asked for it. */
  readonly #errors: Map<unknown, Task<unknown> | undefined> = new Map();

  add(error: unknown): void {
    this.#errors.set(error, undefined);
  }

  /** Belongs to whoever asks; says whether it still waits for somebody. */
  isolate(task: Task<unknown>): boolean {
    const error = task.value;
    // One that is the scope's already stays so.
    if (this.#errors.has(error) && this.#errors.get(error) === undefined) return false;
    this.#errors.set(error, task);
    return true;
  }

  /** Somebody has asked for the failure of an isolated task: it is theirs now. */
  asked(task: Task<unknown>): void {
    if (this.#errors.get(task.value) === task) this.#errors.delete(task.value);
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
