import type { ResourceCloser } from './resource-closer.ts';

/** The idle resources of a pool. The resource that was released last is lent first. */
export class IdleResources<R> {
  readonly #stack: R[] = [];
  readonly #isUsable: ((resource: R) => boolean) | undefined;
  readonly #closer: ResourceCloser<R>;
  readonly #reportError: (what: string, error: unknown) => void;

  constructor(
    isUsable: ((resource: R) => boolean) | undefined,
    closer: ResourceCloser<R>,
    reportError: (what: string, error: unknown) => void,
  ) {
    this.#isUsable = isUsable;
    this.#closer = closer;
    this.#reportError = reportError;
  }

  get size(): number {
    return this.#stack.length;
  }

  push(resource: R): void {
    this.#stack.push(resource);
  }

  /** Removes the newest usable resource and returns it. Closes each unusable one on the way. */
  takeUsable(): { readonly resource: R } | undefined {
    while (this.#stack.length > 0) {
      const resource = this.#stack.pop() as R;
      if (this.#checkUsable(resource)) return { resource };
      this.#closer.close(resource);
    }
    return undefined;
  }

  closeAll(): void {
    while (this.#stack.length > 0) this.#closer.close(this.#stack.pop() as R);
  }

  #checkUsable(resource: R): boolean {
    try {
      return this.#isUsable?.(resource) ?? true;
    } catch (error) {
      this.#reportError('isUsable has failed', error);
      return false;
    }
  }
}
