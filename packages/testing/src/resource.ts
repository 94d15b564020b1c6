import type { Run } from './run.ts';

/** A connection, lock or file of a test: closed once, never used after, and before the one that it is inside. */
export interface WorldResource {
  /** Whether it was made, and not closed. */
  readonly isOpen: boolean;
  /** @throws Error when it is closed; the run fails, too */
  use(): void;
  /** @throws Error when it is closed already, or when another resource inside it is open; the run fails, too */
  close(): void;
  /** The same as `close`. */
  [Symbol.dispose](): void;
  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The state of a resource. `withdrawn`: the operation that was to give it failed. */
type ResourceState = 'made' | 'open' | 'closed' | 'withdrawn';

export class Resource {
  readonly name: string;
  /** Where it was made, in audited runs. */
  readonly place: string;
  readonly outer: Resource | undefined;
  readonly #run: Run;
  #state: ResourceState;

  constructor(run: Run, name: string, outer: Resource | undefined) {
    this.#run = run;
    this.name = name;
    this.outer = outer;
    this.place = run.story?.place() ?? '';
    const { handling } = run;
    this.#state = handling === undefined ? 'open' : 'made';
    handling?.resources.push(this);
    run.resources.push(this);
    if (outer !== undefined && !outer.isOpen) this.#misuse(`is made inside ${outer.name}, which is not open`);
  }

  get isOpen(): boolean {
    return this.#state === 'open' || this.#state === 'made';
  }

  /** Whether it must be closed: an operation has answered with it, or the test made it. */
  get counts(): boolean {
    return this.#state === 'open';
  }

  /** The operation that made it has answered, or failed. */
  onAnswered(isSuccess: boolean): void {
    if (this.#state === 'made') this.#state = isSuccess ? 'open' : 'withdrawn';
  }

  use(): void {
    if (!this.isOpen) throw this.#misuse(`is used after it was ${this.#state}`);
  }

  close(): void {
    if (!this.isOpen)
      throw this.#misuse(this.#state === 'closed' ? 'is closed twice' : 'is closed after it was withdrawn');
    const inner = this.#run.resources.find((other) => other.outer === this && other.counts);
    this.#state = 'closed';
    this.#run.story?.note(`${this.name} is closed`);
    if (inner !== undefined) throw this.#misuse(`is closed before ${inner.name}, which is inside it`);
  }

  #misuse(what: string): Error {
    const error = new Error(`The resource ${this.name} ${what}`);
    this.#run.fail('resource', error);
    return error;
  }
}

const resources = new WeakMap<WorldResource, Resource>();

/** The resource as the test sees it. */
export function resourceHandle(resource: Resource): WorldResource {
  const close = (): void => resource.close();
  const handle: WorldResource = {
    get isOpen() {
      return resource.isOpen;
    },
    use: () => resource.use(),
    close,
    [Symbol.dispose]: close,
    [Symbol.asyncDispose]: async () => close(),
  };
  resources.set(handle, resource);
  return handle;
}

export function resourceOf(handle: unknown): Resource | undefined {
  return resources.get(handle as WorldResource);
}
