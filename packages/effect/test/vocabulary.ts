import { setUncaughtHandler } from '@quiesce/cancellation-token';
import { type Cause, Effect, Exit, type Fiber } from 'effect';

/** Waits one iteration of the event loop: every promise and every fiber that can continue has continued. */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Waits several iterations: a fiber that yields to Effect's scheduler continues in the next one. */
export async function macrotasks(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await macrotask();
}

/** Returns the rejection reason of a promise; throws when it fulfils. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  const value = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in value) return value.error;
  throw new Error(`expected a rejection, got the value ${String(value.value)}`);
}

/** Makes a promise with its two functions. */
export function deferred<T = void>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((fulfil, fail) => {
    resolve = fulfil;
    reject = fail;
  });
  return { promise, resolve, reject };
}

/** Returns the exit of a fiber. */
export function exitOf<A, E>(fiber: Fiber.Fiber<A, E>): Promise<Exit.Exit<A, E>> {
  return new Promise((resolve) => void fiber.addObserver(resolve));
}

/** Runs an Effect without a token, and returns its exit. */
export function run<A, E>(effect: Effect.Effect<A, E>): Promise<Exit.Exit<A, E>> {
  return Effect.runPromiseExit(effect);
}

/** Describes a cause or an exit in a few words: `interrupt, fail:x, die:y`. */
export function words(of: Exit.Exit<unknown, unknown> | Cause.Cause<unknown>): string {
  const cause = Exit.isExit(of) ? (Exit.isSuccess(of) ? undefined : of.cause) : of;
  if (cause === undefined) return `success:${text((of as Exit.Success<unknown>).value)}`;
  return cause.reasons
    .map((reason) => {
      if (reason._tag === 'Interrupt') return 'interrupt';
      return reason._tag === 'Fail' ? `fail:${text(reason.error)}` : `die:${text(reason.defect)}`;
    })
    .join(', ');
}

function text(value: unknown): string {
  return value instanceof Error ? value.message : String(value);
}

/** Collects the errors of the uncaught handler while `work` runs. */
export async function uncaughtIn(work: () => unknown): Promise<unknown[]> {
  const caught: unknown[] = [];
  const before = setUncaughtHandler((error) => caught.push(error));
  try {
    await work();
    await macrotask();
  } finally {
    setUncaughtHandler(before);
  }
  return caught;
}

/** Collects the unhandled rejections of the platform while `work` runs. */
export async function unhandledIn(work: () => unknown): Promise<unknown[]> {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown): unknown => unhandled.push(reason);
  process.on('unhandledRejection', listener);
  try {
    await work();
    await macrotasks(2);
  } finally {
    process.off('unhandledRejection', listener);
  }
  return unhandled;
}

/** Collects the uncaught exceptions of the platform while `work` runs. */
export async function uncaughtErrorsIn(work: () => unknown): Promise<unknown[]> {
  const before = process.listeners('uncaughtException');
  const uncaught: unknown[] = [];
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => uncaught.push(error));
  try {
    await work();
    await macrotask();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of before) process.on('uncaughtException', listener);
  }
  return uncaught;
}
