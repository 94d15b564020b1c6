// The baselines: the same data in plain objects of the same shape, without any guarantee of a scope.

/** The handle of one task: its links, its waiters, its owner, its name, its start time, its state. */
class PlainTask {
  next: PlainTask | undefined = undefined;
  prev: PlainTask | undefined = undefined;
  head: object | undefined = undefined;
  parent: PlainList | undefined;
  token: object | undefined = undefined;
  info: object | undefined = undefined;
  started = 0;
  state = 'running';
  value: unknown = undefined;

  constructor(parent: PlainList) {
    this.parent = parent;
  }
}

/** A list of running tasks, and a promise that settles when the list is empty. */
export class PlainList {
  head: PlainTask | undefined = undefined;
  #empty: () => void = () => {};

  spawn(work: () => Promise<unknown>): PlainTask {
    const task = new PlainTask(this);
    const head = this.head;
    if (head !== undefined) {
      task.next = head;
      head.prev = task;
    }
    this.head = task;
    work().then(
      (value) => this.#end(task, 'fulfilled', value),
      (error) => this.#end(task, 'failed', error),
    );
    return task;
  }

  #end(task: PlainTask, state: string, value: unknown): void {
    task.state = state;
    task.value = value;
    if (task.prev === undefined) this.head = task.next;
    else task.prev.next = task.next;
    if (task.next !== undefined) task.next.prev = task.prev;
    if (this.head === undefined) this.#empty();
  }

  join(): Promise<void> {
    return new Promise((resolve) => {
      this.#empty = resolve;
    });
  }
}

/** The tasks to cancel: a set of functions and a counter. */
export class PlainGroup {
  readonly stops: Set<() => void> = new Set();
  #count = 0;
  #empty: () => void = () => {};

  spawn(work: (group: PlainGroup) => Promise<unknown>): void {
    this.#count++;
    const end = (): void => {
      if (--this.#count === 0) this.#empty();
    };
    work(this).then(end, end);
  }

  cancel(): void {
    for (const stop of this.stops) stop();
  }

  join(): Promise<void> {
    return new Promise((resolve) => {
      this.#empty = resolve;
    });
  }
}
