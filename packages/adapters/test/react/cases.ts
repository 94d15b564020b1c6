// The cases of react.slow.test.ts. They run in a page of Chromium, with each supported React, and return what happened as data.

import { type TaskState, useScope, useTask, useToken } from '@quiesce/adapters/react';
import {
  type CancellationToken,
  type CancelledError,
  type ClosedError,
  setUncaughtHandler,
} from '@quiesce/cancellation-token';
import type { Scope } from '@quiesce/scope';
import * as React from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { Download, openSearch, Save, Search } from './examples.tsx';

const { createElement: h, StrictMode, Suspense, startTransition, useEffect, useState } = React;

/** Returns once a condition holds. Only a case that hangs takes the whole time. */
async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; !isTrue(); i++) {
    if (i === 1_000) throw new Error(`never true: ${isTrue}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Long enough for everything that is going to happen. It decides nothing that is expected to happen. */
async function quiet(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
}

interface Page {
  readonly root: Root;
  readonly element: HTMLElement;
  readonly log: string[];
  readonly uncaught: unknown[];
  /** Renders, and waits until the text of the page is this one. */
  show(node: React.ReactNode, text?: string): Promise<void>;
}

/** Runs a case in a page of its own. */
async function inPage(run: (page: Page) => Promise<unknown>): Promise<unknown> {
  const element = document.createElement('main');
  document.body.append(element);
  const root = createRoot(element);
  const uncaught: unknown[] = [];
  const before = setUncaughtHandler((error) => void uncaught.push(error));
  const show = async (node: React.ReactNode, text?: string): Promise<void> => {
    root.render(node);
    if (text !== undefined) await until(() => element.textContent === text);
  };
  try {
    const got = await run({ root, element, log: [], uncaught, show });
    return {
      got,
      uncaught: uncaught.map((error) => (error as Error).message.replace(/running for \d+ ms/, 'running for … ms')),
    };
  } finally {
    root.unmount();
    setUncaughtHandler(before);
    element.remove();
  }
}

/** A promise that a case settles. */
function gate<T>(): { promise: Promise<T>; open: (value: T) => void; fail: (error: unknown) => void } {
  let open: (value: T) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { promise, open, fail };
}

/** Waits, and returns whether the token was cancelled by then. */
async function pause(ms: number, token: CancellationToken): Promise<boolean> {
  const { status } = await token.runUntilCancelled(new Promise((resolve) => setTimeout(resolve, ms)));
  return status === 'cancelled';
}

/** Work that ends with its token, and logs both ends. */
function worker(log: string[], name: string): (token: CancellationToken) => Promise<void> {
  return async (token) => {
    log.push(`${name} starts${token.isCancelled ? ' cancelled' : ''}`);
    await token.cancelled();
    await Promise.resolve();
    log.push(`${name} stops`);
  };
}

/** A document node that shows the state of a task. */
function shown({ status, value, reason }: TaskState<string>): string {
  return `${status} ${value ?? '-'}${reason === undefined ? '' : ` ${(reason as Error).message}`}`;
}

/** A promise for React to suspend on, thrown as React 18 and 19 understand it. */
function suspendOn(promise: Promise<unknown>): never {
  throw promise;
}

/** Counts the objects that are still alive, after garbage collections. */
async function alive(refs: readonly WeakRef<object>[]): Promise<number> {
  const { gc } = globalThis as unknown as { gc(): void };
  for (let i = 0; i < 20 && refs.some((ref) => ref.deref() !== undefined); i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    gc();
  }
  return refs.filter((ref) => ref.deref() !== undefined).length;
}

/** A time that only the hooks under test use. */
const UNIQUE_MS = 123_456;

/** Counts the timers that the hooks set. */
async function timersDuring(run: () => Promise<void>): Promise<number> {
  const { setTimeout: set } = globalThis;
  let count = 0;
  Object.assign(globalThis, {
    setTimeout: (fn: () => void, ms?: number) => {
      if (ms === UNIQUE_MS) count++;
      return set(fn, ms);
    },
  });
  try {
    await run();
  } finally {
    Object.assign(globalThis, { setTimeout: set });
  }
  return count;
}

export const cases: Record<string, () => Promise<unknown>> = {
  'a token is the same in every render, and is cancelled on unmount': () =>
    inPage(async ({ show }) => {
      const tokens: CancellationToken[] = [];
      const Part = ({ n }: { n: number }): string => {
        tokens.push(useToken());
        return `${n}`;
      };
      await show(h(Part, { n: 1 }), '1');
      await show(h(Part, { n: 2 }), '2');
      const [token] = tokens as [CancellationToken];
      const before = token.isCancelled;
      await show(null, '');
      await until(() => token.isCancelled);
      const { name, source, message } = token.reason as CancelledError;
      return { count: new Set(tokens).size, before, name, source, message };
    }),

  'a token that is cancelled is replaced in the next render': () =>
    inPage(async ({ show, element }) => {
      const tokens: CancellationToken[] = [];
      const Part = (): string => {
        const token = useToken();
        if (tokens.at(-1) !== token) tokens.push(token);
        return `${tokens.length}`;
      };
      await show(h(Part), '1');
      tokens[0]?.cancel('enough');
      await until(() => element.textContent === '2');
      return tokens.map(({ isCancelled, reason }) => [isCancelled, reason]);
    }),

  'a scope cancels its tasks on unmount, awaits them and runs its cleanups': () =>
    inPage(async ({ show, log }) => {
      let scope: Scope | undefined;
      const Part = (): string => {
        const s = useScope({ name: 'page' });
        scope = s;
        useEffect(() => {
          s.defer(() => log.push('cleaned up'));
          s.spawn(worker(log, 'task'));
        }, [s]);
        return 'on';
      };
      await show(h(Part), 'on');
      await until(() => log.length === 1);
      await show(null, '');
      await until(() => log.includes('cleaned up'));
      try {
        scope?.spawn(() => {});
      } catch (error) {
        log.push(`${(error as ClosedError).code}: ${(error as Error).message.slice(0, 30)}`);
      }
      return log;
    }),

  'under StrictMode the tasks of an effect run once at a time, and the first ones are cancelled': () =>
    inPage(async ({ show, log }) => {
      const Part = (): string => {
        const s = useScope();
        const token = useToken();
        useEffect(() => void s.spawn(worker(log, 'task')), [s]);
        useEffect(() => {
          log.push(`token ${token.isCancelled ? 'cancelled' : 'live'}`);
          token.onCancelled(() => log.push('token is cancelled'));
        }, [token]);
        return 'on';
      };
      await show(h(StrictMode, null, h(Part)), 'on');
      await quiet();
      const starts = (): number => log.filter((line) => line.startsWith('task starts')).length;
      const stops = (): number => log.filter((line) => line === 'task stops').length;
      const live = log.filter((line) => line.startsWith('token')).at(-1);
      const before = starts() - stops();
      await show(null, '');
      await until(() => starts() === stops());
      return { live, before, cancelled: log.includes('token is cancelled') };
    }),

  'a failure cancels the other tasks, is reported once, and the next render has a new scope': () =>
    inPage(async ({ show, log, element }) => {
      const scopes: Scope[] = [];
      const Part = (): string => {
        const s = useScope({ name: 'page' });
        if (scopes.at(-1) !== s) scopes.push(s);
        return `${scopes.length}`;
      };
      await show(h(Part), '1');
      scopes[0]?.spawn(worker(log, 'sibling'));
      scopes[0]?.spawn(async () => {
        throw new Error('disk full');
      });
      await until(() => element.textContent === '2' && log.length === 2);
      scopes[1]?.spawn(worker(log, 'next'));
      await quiet();
      return log;
    }),

  'an isolated failure belongs to the code that awaits the task': () =>
    inPage(async ({ show, log, element }) => {
      let scope: Scope | undefined;
      const Part = (): string => {
        scope = useScope();
        return 'on';
      };
      await show(h(Part), 'on');
      const failing = scope?.spawn(() => Promise.reject(new Error('404')), { onFailure: 'isolate' });
      await failing?.catch((error) => log.push(`caught ${(error as Error).message}`));
      await quiet();
      return [...log, scope?.token.isCancelled, element.textContent];
    }),

  'cancelled work that does not end within `cleanupTimeout` is named': () =>
    inPage(async ({ show, uncaught }) => {
      const Part = (): string => {
        const s = useScope({ name: 'page', cleanupTimeout: 10 });
        useEffect(() => void s.spawn(() => new Promise(() => {}), { name: 'deaf' }), [s]);
        return 'on';
      };
      await show(h(Part), 'on');
      await quiet();
      await show(null, '');
      await until(() => uncaught.length > 0);
      return (uncaught[0] as Error).name;
    }),

  'a task shows its value, and keeps it while the next run is running': () =>
    inPage(async ({ show, log, element }) => {
      const gates: Record<string, ReturnType<typeof gate<string>>> = { ada: gate(), grace: gate() };
      const Part = ({ name }: { name: string }): string => {
        const state = useTask(
          (token) => {
            token.onCancelled(() => log.push(`${name} cancelled`));
            return (gates[name] as ReturnType<typeof gate<string>>).promise;
          },
          [name],
        );
        if (log.at(-1) !== shown(state)) log.push(shown(state));
        return shown(state);
      };
      await show(h(Part, { name: 'ada' }), 'running -');
      gates['ada']?.open('Ada');
      await until(() => element.textContent === 'fulfilled Ada');
      await show(h(Part, { name: 'grace' }), 'running Ada');
      gates['grace']?.open('Grace');
      await until(() => element.textContent === 'fulfilled Grace');
      return log;
    }),

  'the latest run wins, even when an earlier one ignores its token and ends last': () =>
    inPage(async ({ show, log, element }) => {
      const gates = [gate<string>(), gate<string>()];
      const Part = ({ n }: { n: number }): string => {
        const state = useTask(
          (token) => {
            token.onCancelled(() => log.push(`${n} cancelled`));
            return gates[n]?.promise ?? '';
          },
          [n],
        );
        return shown(state);
      };
      await show(h(Part, { n: 0 }), 'running -');
      await quiet();
      await show(h(Part, { n: 1 }));
      await until(() => log.length === 1);
      gates[1]?.open('new');
      await until(() => element.textContent === 'fulfilled new');
      gates[0]?.open('old');
      await quiet();
      return [...log, element.textContent];
    }),

  'a task that fails is rejected with its error, and a cancelled run that fails is reported': () =>
    inPage(async ({ show, log, element, uncaught }) => {
      const late = gate<string>();
      const Part = ({ n }: { n: number }): string => {
        const state = useTask(() => (n === 0 ? late.promise : Promise.reject(new Error('404'))), [n]);
        return shown(state);
      };
      await show(h(Part, { n: 0 }), 'running -');
      await quiet();
      await show(h(Part, { n: 1 }), 'rejected - 404');
      log.push(element.textContent ?? '');
      late.fail(new Error('late'));
      await until(() => uncaught.length === 1);
      await quiet();
      return [...log, element.textContent];
    }),

  'a rejected task that is thrown reaches the error boundary': () =>
    inPage(async ({ show }) => {
      class Boundary extends React.Component<{ children?: React.ReactNode }, { text?: string }> {
        override readonly state: { text?: string } = {};
        static getDerivedStateFromError(error: Error): { text: string } {
          return { text: `sorry: ${error.message}` };
        }
        override render(): React.ReactNode {
          return this.state.text ?? this.props.children;
        }
      }
      const Part = (): string => {
        const state = useTask(() => Promise.reject(new Error('404')), []);
        if (state.status === 'rejected') throw state.reason;
        return 'on';
      };
      await show(h(Boundary, null, h(Part)), 'sorry: 404');
      return 'shown';
    }),

  'under StrictMode one run of a task is left': () =>
    inPage(async ({ show, log, element }) => {
      let runs = 0;
      const Part = (): string => {
        const state = useTask(async (token) => {
          const n = ++runs;
          log.push(`run ${n}`);
          if (await pause(20, token)) log.push(`run ${n} cancelled`);
          return `run ${n}`;
        }, []);
        return shown(state);
      };
      await show(h(StrictMode, null, h(Part)), 'running -');
      await until(() => element.textContent?.startsWith('fulfilled') === true);
      return [...log, element.textContent];
    }),

  'renders that are suspended and abandoned leave nothing behind': () =>
    inPage(async ({ show, log }) => {
      const refs: WeakRef<object>[] = [];
      let called = 0;
      // Nothing but React may hold the promise.
      let pending: Promise<unknown> | undefined = new Promise(() => {});
      const Part = (): string => {
        const token = useToken();
        const s = useScope({ cleanupTimeout: UNIQUE_MS });
        useTask(() => called++, [], { delay: UNIQUE_MS });
        refs.push(new WeakRef(token), new WeakRef(s), new WeakRef(s.token));
        return suspendOn(pending as Promise<unknown>);
      };
      const timers = await timersDuring(async () => {
        for (let i = 0; i < 5; i++) {
          await show(h(Suspense, { key: i, fallback: 'wait' }, h(Part)), 'wait');
        }
        await show('gone', 'gone');
      });
      pending = undefined;
      await show('later', 'later');
      log.push(refs.length === 0 ? 'not rendered' : 'abandoned');
      return [...log, `calls ${called}`, `timers ${timers}`, `alive ${await alive(refs)}`];
    }),

  'a component that was unmounted leaves nothing behind': () =>
    inPage(async ({ show }) => {
      const refs: WeakRef<object>[] = [];
      const Part = ({ n }: { n: number }): string => {
        const token = useToken();
        const s = useScope();
        const { status } = useTask(({ signal }) => pause(0, token).then(() => signal.aborted), [], { delay: 1 });
        useEffect(() => {
          const task = s.spawn((token) => token.cancelled());
          refs.push(new WeakRef(token), new WeakRef(s), new WeakRef(task));
        }, [s, token]);
        return `${n} ${status}`;
      };
      for (let i = 0; i < 5; i++) await show(h(Part, { key: i, n: i }), `${i} fulfilled`);
      await show('gone', 'gone');
      await show('later', 'later');
      return [refs.length, await alive(refs)];
    }),

  'a transition that never commits starts no work': () =>
    inPage(async ({ log, element, show }) => {
      const pending = gate<void>();
      let go: (name: string) => void = () => {};
      const Profile = ({ name }: { name: string }): string => {
        const state = useTask(
          async (token) => {
            log.push(`load ${name}`);
            token.onCancelled(() => log.push(`${name} cancelled`));
            return name;
          },
          [name],
        );
        log.push(`render ${name}`);
        if (name === 'slow') suspendOn(pending.promise);
        return shown(state);
      };
      const Page = (): React.ReactNode => {
        const [name, setName] = useState('ada');
        go = (next) => startTransition(() => setName(next));
        return h(Suspense, { fallback: 'wait' }, h(Profile, { name }));
      };
      await show(h(Page), 'fulfilled ada');
      go('slow');
      await until(() => log.includes('render slow'));
      go('grace');
      await until(() => element.textContent === 'fulfilled grace');
      return log.filter((line) => !line.startsWith('render'));
    }),

  'a part that `<Activity>` hides is cancelled, and starts again when it is shown': () =>
    inPage(async ({ show, log, element }) => {
      const { Activity } = React;
      if (Activity === undefined) return 'this React has no Activity';
      let runs = 0;
      const Part = (): string => {
        const token = useToken();
        const state = useTask(async (token) => {
          const n = ++runs;
          if (n === 1 && (await pause(60_000, token))) log.push('run 1 cancelled');
          return `run ${n}`;
        }, []);
        return `${shown(state)} ${token.isCancelled ? 'cancelled' : 'live'}`;
      };
      const page = (mode: 'visible' | 'hidden'): React.ReactNode => h(Activity, { mode, children: h(Part) });
      await show(page('visible'), 'running - live');
      await until(() => runs === 1);
      await show(page('hidden'));
      await until(() => log.length === 1);
      await show(page('visible'));
      await until(() => element.textContent === 'fulfilled run 2 live');
      return log;
    }),

  'the search of the documentation asks for the last text only, and shows its result': () =>
    inPage(async ({ show, log, element }) => {
      const answers = openSearch(log);
      await show(h(Search));
      await until(() => element.querySelector('input') !== null);
      const input = element.querySelector('input') as HTMLInputElement;
      const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')?.set;
      const type = (text: string): void => {
        set?.call(input, text);
        input.dispatchEvent(new Event('input', { bubbles: true }));
      };
      await until(() => log.includes('search ""'));
      answers.open('', ['everything']);
      await until(() => element.textContent === 'everything');
      for (const text of ['q', 'qu', 'qui']) type(text);
      await until(() => log.includes('search "qui"'));
      type('quie');
      await until(() => log.includes('search "quie"'));
      answers.open('quie', ['quiesce']);
      answers.open('qui', ['quit']);
      await until(() => element.textContent === 'quiesce');
      return log;
    }),

  'the requests of the documentation are aborted on unmount, and a second click replaces the first': () =>
    inPage(async ({ show, log, element }) => {
      const { fetch } = globalThis;
      const pending = (url: string, { signal }: { signal: AbortSignal }): Promise<never> => {
        log.push(`fetch ${url}`);
        return new Promise((_, reject) =>
          signal.addEventListener('abort', () => {
            log.push(`aborted ${url}`);
            reject(signal.reason);
          }),
        );
      };
      Object.assign(globalThis, { fetch: pending });
      const dropped = (event: PromiseRejectionEvent): void => event.preventDefault();
      addEventListener('unhandledrejection', dropped);
      const click = (n: number): void => element.querySelectorAll('button')[n]?.click();
      await show(h('div', null, h(Download, { url: '/file' }), h(Save, { text: 'a' })));
      await until(() => element.querySelectorAll('button').length === 2);
      click(0);
      click(1);
      click(1);
      await until(() => log.includes('aborted /save'));
      await show(null, '');
      await until(() => log.filter((line) => line.startsWith('aborted')).length === 3);
      await quiet();
      removeEventListener('unhandledrejection', dropped);
      Object.assign(globalThis, { fetch });
      return log;
    }),
};

Object.assign(globalThis, { cases });
