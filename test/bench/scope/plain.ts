// The baseline: an object a task in a list, and nothing of what a scope promises.

/** One task of the baseline. */
class PlainTask {
  next: PlainTask | undefined = undefined;
  prev: PlainTask | undefined = undefined;
  state = 'running';
  value: unknown = undefined;
}

/** A list of what runs, and a promise for the moment when it is empty. */
export class PlainList {
  head: PlainTask | undefined = undefined;
  #empty: () => void = () => {};

  spawn(work: () => Promise<unknown>): PlainTask {
    const task = new PlainTask();
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

/** Who is to be told to stop: a set of functions and a counter. */
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
