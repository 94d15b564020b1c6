import { reportUncaught, systemClock } from '@quiesce/cancellation-token';
import { ScopeError } from './errors.ts';
import { quoted } from './options.ts';
import { isSeen, type Task, type TaskParent } from './task.ts';

/** Marks an error of the scope itself, which no await of a task can claim. */
const SCOPE_OWNED = Number.POSITIVE_INFINITY;

/** The failures of one scope, in order of failure, no error twice. */
export class Failures {
  /** Each error, with `SCOPE_OWNED` or the number of isolated tasks that failed with it and were not claimed yet. */
  readonly #errors: Map<unknown, number> = new Map();

  add(error: unknown): void {
    this.#errors.set(error, SCOPE_OWNED);
  }

  /**
   * Adds the failure of an isolated task. It belongs to the code that awaits the task, and to the scope until then.
   *
   * @returns whether it can be claimed
   */
  addIsolated(task: Task<unknown>): boolean {
    const unclaimed = this.#errors.get(task.value) ?? 0;
    this.#errors.set(task.value, unclaimed + 1);
    return unclaimed !== SCOPE_OWNED;
  }

  /** Removes the failure of an isolated task: other code has received it for the first time. */
  claim(task: Task<unknown>): void {
    const unclaimed = (this.#errors.get(task.value) ?? 0) - 1;
    if (unclaimed > 0) this.#errors.set(task.value, unclaimed);
    else this.#errors.delete(task.value);
  }

  /** Throws one failure verbatim, and several as one `ScopeError`. */
  throw(scopeName: string | undefined): void {
    const errors = [...this.#errors.keys()];
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new ScopeError(scopeName, errors);
  }
}

/** Reports a failure that came after its owner had stopped waiting. */
export function reportLate(what: string, when: string, error: unknown): void {
  reportUncaught(new Error(`${what} failed after ${when}`, { cause: error }));
}

/** A task, for error texts. */
export function taskLabel(name: string | undefined): string {
  return name === undefined ? 'A task' : `Task${quoted(name)}`;
}

export const givenUp = 'its scope had given up on it';

/** The parent of tasks that a scope has given up on. */
export const abandoned: TaskParent = {
  onTaskEnd(task) {
    // An isolated failure belongs to the code that awaits the task.
    const isHandled = task.info?.isIsolated === true && task.head !== undefined;
    if (task.current === 'rejected' && !isHandled) reportLate(taskLabel(task.name), givenUp, task.value);
    return false;
  },
  onFailureClaimed() {},
};

/** A scope without a body. */
interface Block {
  /** Whether neither `join` nor `close` was called. */
  readonly isOpen: boolean;
  label(): string;
}

/**
 * A block may be stored in an object and never end. So a failure of its task is reported one macrotask later, unless code
 * waits for the scope by then. The error is not fatal: the block may still end later, and then throws it.
 */
export function reportUnlessSeen(task: Task<unknown>, block: Block): void {
  const { name, value } = task;
  const report = (): void => {
    if (!block.isOpen || isSeen(task)) return;
    const what = `${taskLabel(name)} of ${block.label()} failed, and nothing waits for that scope`;
    reportUncaught(new Error(`${what}. Its join() and close() reject with this error`, { cause: value }), {
      fatal: false,
    });
  };
  systemClock.setTimer(0, report, { ref: true });
}
