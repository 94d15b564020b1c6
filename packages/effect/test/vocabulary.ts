import { setUncaughtHandler } from '@quiesce/cancellation-token';
import { type Cause, Effect, Exit, type Fiber } from 'effect';

/** One real turn of the event loop: every promise and every fiber that can go on has gone on. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Several turns: a fiber of Effect's that yields goes on in the next one. */
export async function turns(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

/** What a promise rejects with; fails when it fulfils. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  const value = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in value) return value.error;
  throw new Error(`expected a rejection, got the value ${String(value.value)}`);
}

/** A promise with its two functions. */
export function deferred<T = void>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((fulfil, fail) => {
    resolve = fulfil;
    reject = fail;
  });
  return { promise, resolve, reject };
}

/** What a fiber ends with. */
export function exitOf<A, E>(fiber: Fiber.Fiber<A, E>): Promise<Exit.Exit<A, E>> {
  return new Promise((resolve) => void fiber.addObserver(resolve));
}

/** What an Effect ends with when run on its own. */
export function run<A, E>(effect: Effect.Effect<A, E>): Promise<Exit.Exit<A, E>> {
  return Effect.runPromiseExit(effect);
}

/** A cause or an exit in a few words: `interrupt, fail:x, die:y`. */
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

/** What goes to the uncaught handler while `work` runs. */
export async function uncaughtIn(work: () => unknown): Promise<unknown[]> {
  const caught: unknown[] = [];
  const before = setUncaughtHandler((error) => caught.push(error));
  try {
    await work();
    await turn();
  } finally {
    setUncaughtHandler(before);
  }
  return caught;
}

/** Unhandled rejections of the platform while `work` runs. */
export async function unhandledIn(work: () => unknown): Promise<unknown[]> {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown): unknown => unhandled.push(reason);
  process.on('unhandledRejection', listener);
  try {
    await work();
    await turns(2);
  } finally {
    process.off('unhandledRejection', listener);
  }
  return unhandled;
}

/** What nobody caught, as the platform tells of it, while `work` runs. */
export async function uncaughtErrorsIn(work: () => unknown): Promise<unknown[]> {
  const before = process.listeners('uncaughtException');
  const uncaught: unknown[] = [];
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => uncaught.push(error));
  try {
    await work();
    await turn();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of before) process.on('uncaughtException', listener);
  }
  return uncaught;
}
