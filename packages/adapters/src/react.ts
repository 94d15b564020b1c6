import { CancellationToken, CancelledError, reportUncaught } from '@quiesce/cancellation-token';
import { checkFunction, checkKind, checkOptions, checkTime } from '@quiesce/internal';
import { Scope, type TaskOutcome } from '@quiesce/scope';
import { type DependencyList, useEffect, useMemo, useState, version } from 'react';

/** Options for `useScope` and `useTask`. */
export interface UseScopeOptions {
  /** Name of the scope or the task, shown in errors and in `tree()`. */
  readonly name?: string | undefined;
  /** How long cancelled work may take before an error names it, in milliseconds from 0 to `Infinity` (the default). */
  readonly cleanupTimeout?: number | undefined;
}

/** Options for `useTask`. */
export interface UseTaskOptions extends UseScopeOptions {
  /**
   * How long the dependencies must stay the same before the work starts, in milliseconds, such as a pause in the typing. With 0, the
   * default, the work starts at once.
   */
  readonly delay?: number | undefined;
}

/** The result of `useTask`. `value` is the last value that arrived, so a page does not flicker while the next one loads. */
export type TaskState<T> =
  | { readonly status: 'running'; readonly value: T | undefined; readonly reason?: undefined }
  | { readonly status: 'fulfilled'; readonly value: T; readonly reason?: undefined }
  | { readonly status: 'rejected'; readonly value: T | undefined; readonly reason: unknown };

/**
 * Returns the token of a component, which is cancelled when the component unmounts.
 *
 * Use it to pass a token to code outside the component. For work that the component starts, use {@link useScope} or
 * {@link useTask}, which also await it.
 *
 * **Timing.** Cancelled synchronously by the cleanup of the component's effects. The token is the same in every render. When
 * the component mounts again with its old state, as under StrictMode and `<Activity>`, or when your code has cancelled the
 * token, the next render has a new token. List the token among the dependencies of an effect.
 *
 * **Cancel safety.** A render that React discards leaves nothing behind.
 *
 * @throws TypeError when the installed React is older than 18 or newer than 19
 * @see the cleanup of an effect with an `AbortController`
 * @example
 * <!-- run by packages/adapters/test/react.slow.test.ts -->
 * ```tsx
 * function Download({ url }: { readonly url: string }) {
 *   const token = useToken();
 *   return (
 *     <button type="button" onClick={() => void fetch(url, { signal: token.signal })}>
 *       Download
 *     </button>
 *   );
 * }
 * ```
 */
export function useToken(): CancellationToken {
  return useOwned('useToken', newToken, itself);
}

/**
 * Returns the scope of a component, which is cancelled when the component unmounts. Event handlers and effects spawn tasks in
 * it.
 *
 * For work that renders its result, use {@link useTask}.
 *
 * **Timing.** As {@link useToken}. The scope ends when its cancelled tasks and its cleanups have ended. Then `spawn` throws a
 * `ClosedError`. A failure of a task cancels the other tasks, and the next render has a new scope. Failures go to the uncaught
 * handler, as errors of event handlers do. To handle the failure of one task, spawn it with `onFailure: 'isolate'` and await
 * it.
 *
 * **Cancel safety.** A render that React discards leaves nothing behind.
 *
 * @param options `name`, `cleanupTimeout`; the options of the first render count
 * @throws TypeError for an unknown option, and when the installed React is older than 18 or newer than 19
 * @see trio.Nursery (trio 0.31)
 * @example
 * <!-- run by packages/adapters/test/react.slow.test.ts -->
 * ```tsx
 * function Save({ text }: { readonly text: string }) {
 *   const s = useScope();
 *   const save = async (token: CancellationToken) => {
 *     await fetch('/save', { method: 'POST', body: text, signal: token.signal });
 *   };
 *   // A second click cancels the request of the first.
 *   return (
 *     <button type="button" onClick={() => s.spawn(save, { key: 'save' })}>
 *       Save
 *     </button>
 *   );
 * }
 * ```
 */
export function useScope(options?: UseScopeOptions): Scope {
  checkOptions('useScope', options, names);
  return useOwned('useScope', () => newScope(options), tokenOf);
}

/**
 * Runs work when the component mounts, and again when a dependency changes. The latest run wins: earlier runs are cancelled,
 * and their results are dropped.
 *
 * **Timing.** `work` is called in an effect, so it never runs in a render that React discards, nor on a server. A new run
 * starts while the cancelled one cleans up. In the render in which a dependency changes, the status is already `running`.
 *
 * **Cancel safety.** A cancelled run that fails with another error than its cancellation is reported to the uncaught handler.
 *
 * @param work receives the token of its run
 * @param deps the values that `work` uses, as for `useEffect`
 * @param options `delay`: debounces the work; `name`, `cleanupTimeout`
 * @returns `status`: `running`, `fulfilled` or `rejected`; `value`: the last value; `reason`: the error of a rejected run. To
 *   show the error in an error boundary, throw it
 * @throws TypeError when `work` is not a function, `deps` is not a list, an option is unknown or of the wrong kind, or
 *   React is older than 18 or newer than 19; RangeError for a time out of range
 * @see the `useAsync` and `useQuery` of other libraries
 * @example
 * <!-- run by packages/adapters/test/react.slow.test.ts -->
 * ```tsx
 * function Search() {
 *   const [text, setText] = useState('');
 *   const found = useTask((token) => search(text, token), [text], { delay: 200 });
 *   return (
 *     <>
 *       <input value={text} onChange={(event) => setText(event.target.value)} />
 *       <ul>
 *         {found.value?.map((item) => (
 *           <li key={item}>{item}</li>
 *         ))}
 *       </ul>
 *     </>
 *   );
 * }
 * ```
 */
export function useTask<T>(
  work: (token: CancellationToken) => T,
  deps: DependencyList,
  options: UseTaskOptions = {},
): TaskState<Awaited<T>> {
  checkReact('useTask');
  checkFunction('useTask', work);
  checkKind(Array.isArray(deps), 'useTask', 'a list of dependencies', deps);
  checkOptions('useTask', options, [...names, 'delay']);
  const { delay = 0 } = options;
  checkTime('useTask: delay', delay);
  /** Identifies the run that these dependencies need. It holds nothing, so a discarded render leaves nothing behind. */
  const run = useMemo(() => ({}), deps);
  const [last, setLast] = useState<LastRun<Awaited<T>>>({
    run: undefined,
    state: { status: 'running', value: undefined },
  });
  useEffect(() => {
    // `<Activity>` shows the component again with the result of before, which the new run replaces.
    setLast((last) => (last.run === run ? { run, state: running(last) } : last));
    const s = newScope(options);
    const start = (): void => {
      const task = s.spawn(work, { name: options.name, onFailure: 'isolate' });
      void task.settled().then((outcome) => {
        if (!s.token.isCancelled) setLast((last) => ({ run, state: ended(outcome, last) }));
        else if (outcome.status === 'rejected') reportUncaught(outcome.reason);
      });
    };
    const timer = delay === 0 ? start() : setTimeout(start, delay);
    return () => {
      clearTimeout(timer ?? undefined);
      s.cancel(unmounted(', or a dependency of the task has changed'));
    };
  }, [run]);
  return last.run === run ? last.state : running(last);
}

/** The last run that has settled, with its state; `undefined` before the first one. */
interface LastRun<T> {
  readonly run: object | undefined;
  readonly state: TaskState<T>;
}

const names: readonly (keyof UseScopeOptions)[] = ['name', 'cleanupTimeout'];

function running<T>({ state: { value } }: LastRun<T>): TaskState<T> {
  return { status: 'running', value };
}

function ended<T>(outcome: TaskOutcome<T>, { state: { value } }: LastRun<T>): TaskState<T> {
  return outcome.status === 'fulfilled' ? outcome : { status: 'rejected', value, reason: outcome.reason };
}

/**
 * Keeps a token or a scope of a component, cancels it on unmount, and replaces a cancelled one.
 *
 * `make` runs in a render that React may discard, so the object must need no cleanup before it is used.
 *
 * Rejected: a cancellation one microtask after the unmount, which would spare StrictMode a second object. A task that an effect
 * spawns would then run twice. Rejected: an object that forwards to the scope of the current mount, because it is no `Scope`.
 */
function useOwned<T>(call: string, make: () => T, tokenOf: (owned: T) => CancellationToken): T {
  checkReact(call);
  const [owned, setOwned] = useState(make);
  useEffect(() => {
    const token = tokenOf(owned);
    // At once when it is cancelled already: StrictMode and `<Activity>` run this effect again after its cleanup.
    const replacing = token.onCancelled(() => setOwned(make));
    return () => {
      replacing.dispose();
      token.cancel(unmounted());
    };
  }, [owned]);
  return owned;
}

function newToken(): CancellationToken {
  return new CancellationToken();
}

function itself(token: CancellationToken): CancellationToken {
  return token;
}

function tokenOf({ token }: Scope): CancellationToken {
  return token;
}

/** Returns a scope that ends itself when it is cancelled. Its failures have no caller. */
function newScope({ name, cleanupTimeout }: UseScopeOptions = {}): Scope {
  const s = new Scope({ name, cleanupTimeout });
  // Not at once: effects that run again right after the cancellation may still spawn, and find a cancelled token.
  s.token.onCancelled(() => queueMicrotask(() => void s.close().catch((error) => reportUncaught(error))));
  return s;
}

function unmounted(or = ''): CancelledError {
  return new CancelledError(`The component was unmounted${or}`, { source: 'scope' });
}

/** @throws TypeError unless React is of a supported major version; experimental releases are 0.0.0 */
function checkReact(call: string): void {
  if (/^(18|19|0)\./.test(version)) return;
  throw new TypeError(
    `${call}() supports react ^18 || ^19, and react ${version} is installed: npm install "react@^19"`,
  );
}
