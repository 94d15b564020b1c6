// The globals that an exploration replaces. Scheduling is our own; reading time is that of @sinonjs/fake-timers, whose `clock.now`
// becomes an accessor: it gives the time of the present run, and sees each read.

import { install as installFakeTime } from '@sinonjs/fake-timers';
import { failUnmodelled } from './handles.ts';
import { node } from './host.ts';
import { checkNumber } from './options.ts';
import { placeHere } from './place.ts';
import type { Run } from './run.ts';
import { platformDelay, VirtualImmediate, VirtualTimer } from './timers.ts';

type Callback = (...args: unknown[]) => void;
type AnyObject = Record<PropertyKey, unknown>;

/** The timers of a run, as the platform shows them. */
class Timeout {
  readonly #timer: VirtualTimer;

  constructor(timer: VirtualTimer) {
    this.#timer = timer;
  }

  ref(): this {
    this.#timer.isRef = true;
    return this;
  }

  unref(): this {
    this.#timer.isRef = false;
    return this;
  }

  hasRef(): boolean {
    return this.#timer.isRef;
  }

  refresh(): this {
    this.#timer.refresh();
    return this;
  }

  close(): this {
    this.#timer.stop();
    return this;
  }

  [Symbol.toPrimitive](): number {
    let id = ids.get(this);
    if (id === undefined) {
      id = nextId++;
      ids.set(this, id);
      byId.set(id, new WeakRef(this));
    }
    return id;
  }

  [Symbol.dispose](): void {
    this.#timer.stop();
  }
}

const ids = new WeakMap<Timeout, number>();
const byId = new Map<number, WeakRef<Timeout>>();
let nextId = 1;

class Immediate {
  readonly #immediate: VirtualImmediate;

  constructor(immediate: VirtualImmediate) {
    this.#immediate = immediate;
  }

  ref(): this {
    this.#immediate.isRef = true;
    return this;
  }

  unref(): this {
    this.#immediate.isRef = false;
    return this;
  }

  hasRef(): boolean {
    return this.#immediate.isRef;
  }

  [Symbol.dispose](): void {
    this.#immediate.stop();
  }
}

const FAKED = ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate', 'Date'];
const atLoad = FAKED.map((name) => (globalThis as AnyObject)[name]);

/** @throws TypeError that names the globals that are faked already */
export function refuseFakes(call: string): void {
  const faked = FAKED.filter((name, i) => isFake((globalThis as AnyObject)[name], atLoad[i]));
  if (faked.length === 0) return;
  throw new TypeError(
    `${call}: ${faked.join(', ')} are faked already. Restore the real ones before, or pass globals: false`,
  );
}

/** Recognises the fakes of sinon, vitest, jest and node:test. The last are bound functions, as are those of some pages. */
function isFake(value: unknown, atLoad: unknown): boolean {
  if (typeof value !== 'function') return false;
  const { clock, isFake, isMock, _isMockFunction, name } = value as unknown as Record<string, unknown>;
  if (clock !== undefined || isFake === true || isMock === true || _isMockFunction === true) return true;
  return value !== atLoad && /^bound /.test(String(name));
}

/**
 * Replaces the globals until the returned function is called.
 *
 * @param getRun the present run; between runs nothing is scheduled
 */
export function installGlobals(start: number, getRun: () => Run | undefined): () => void {
  const undo: (() => void)[] = [];
  const replace = (target: object | undefined, name: PropertyKey, value: unknown): void => {
    if (target === undefined) return;
    const before = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, {
      value,
      configurable: true,
      writable: true,
      enumerable: before?.enumerable ?? true,
    });
    undo.push(() => {
      if (before === undefined) delete (target as AnyObject)[name];
      else Object.defineProperty(target, name, before);
    });
  };

  const functions = timerFunctions(getRun);
  const promises = promiseFunctions(getRun, functions);
  const promisify = node.util?.promisify?.custom;
  if (promisify !== undefined) {
    Object.defineProperty(functions.setTimeout, promisify, { value: promises.setTimeout });
    Object.defineProperty(functions.setImmediate, promisify, { value: promises.setImmediate });
  }
  for (const target of [globalThis, node.timers]) {
    for (const [name, fn] of Object.entries(functions)) {
      if (target === globalThis && !(name in globalThis)) continue;
      replace(target, name, fn);
    }
  }
  const { scheduler, ...others } = promises;
  const timersPromises = node.timersPromises;
  for (const [name, fn] of Object.entries(others)) replace(timersPromises, name, fn);
  for (const [name, fn] of Object.entries(scheduler)) replace(timersPromises?.scheduler, name, fn);
  replace(AbortSignal, 'timeout', (ms: number) => timeoutSignal(getRun, ms));
  replace(Math, 'random', () => getRun()?.random() ?? 0.5);
  replaceReal(getRun, replace);
  undo.push(installTime(start, getRun));
  node.module?.syncBuiltinESMExports?.();
  return () => {
    for (const restore of undo.reverse()) restore();
    node.module?.syncBuiltinESMExports?.();
  };
}

/** Names real waits that no list of handles shows, or shows too late. */
function replaceReal(
  getRun: () => Run | undefined,
  replace: (target: object, name: PropertyKey, value: unknown) => void,
): void {
  const { fetch } = globalThis;
  if (typeof fetch === 'function') {
    replace(globalThis, 'fetch', (...args: Parameters<typeof fetch>) => {
      const run = getRun();
      if (run?.story !== undefined) run.fetchPlace = placeHere();
      return fetch(...args);
    });
  }
  const { waitAsync } = Atomics as { waitAsync?: (...args: unknown[]) => unknown };
  if (waitAsync === undefined) return;
  replace(Atomics, 'waitAsync', (...args: unknown[]) => {
    const run = getRun();
    if (run !== undefined) failUnmodelled(run, 'a wait of Atomics.waitAsync', placeHere());
    return waitAsync(...args);
  });
}

/** Makes `Date` and the other clocks show the time of the present run. */
function installTime(start: number, getRun: () => Run | undefined): () => void {
  const toFake = ['Date', 'performance', 'hrtime', 'Intl', 'Temporal'] as const;
  const present = toFake.filter((name) => name === 'hrtime' || name in globalThis);
  const clock = installFakeTime({ now: start, toFake: [...present], ignoreMissingTimers: true } as object);
  Object.defineProperty(clock, 'now', {
    configurable: true,
    get: () => start + (getRun()?.readTime() ?? 0),
    set: () => {},
  });
  return () => clock.uninstall();
}

function checkCallback(value: unknown): asserts value is Callback {
  if (typeof value === 'function') return;
  const error = new TypeError(`The "callback" argument must be of type function. Received ${String(value)}`);
  throw Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
}

/** Sets a timer of the present run. Without one, the timer never fires. */
function setTimer(run: Run | undefined, fn: Callback, delay: unknown, args: unknown[], repeats: boolean): Timeout {
  checkCallback(fn);
  const ms = platformDelay(delay);
  if (run === undefined) return new Timeout(idleTimer);
  const timer = new VirtualTimer(run, ms, () => Reflect.apply(fn, handle, args), repeats);
  const handle = new Timeout(timer);
  timers.set(handle, timer);
  run.timers.set(timer);
  run.story?.timerSet(timer);
  return handle;
}

/** The target of a handle that was made between runs. */
const idleTimer = { isRef: true, refresh() {}, stop() {} } as unknown as VirtualTimer;
const timers = new WeakMap<object, VirtualTimer>();
const immediates = new WeakMap<object, VirtualImmediate>();

interface TimerFunctions {
  setTimeout(fn: Callback, delay?: unknown, ...args: unknown[]): Timeout;
  setInterval(fn: Callback, delay?: unknown, ...args: unknown[]): Timeout;
  setImmediate(fn: Callback, ...args: unknown[]): Immediate;
  clearTimeout(handle?: unknown): void;
  clearInterval(handle?: unknown): void;
  clearImmediate(handle?: unknown): void;
}

function timerFunctions(getRun: () => Run | undefined): TimerFunctions {
  const clear = (handle: unknown): void => {
    const isId = typeof handle === 'number' || typeof handle === 'string';
    const found = isId ? byId.get(Number(handle))?.deref() : handle;
    if (typeof found !== 'object' || found === null) return;
    const timer = timers.get(found);
    if (timer === undefined) return;
    timer.stop();
    getRun()?.story?.timerCleared(timer);
  };
  return {
    setTimeout(fn, delay, ...args) {
      return setTimer(getRun(), fn, delay, args, false);
    },
    setInterval(fn, delay, ...args) {
      return setTimer(getRun(), fn, delay, args, true);
    },
    setImmediate(fn, ...args) {
      checkCallback(fn);
      const run = getRun();
      if (run === undefined) return new Immediate(idleTimer as unknown as VirtualImmediate);
      const immediate = new VirtualImmediate(run, () => fn(...args));
      const handle = new Immediate(immediate);
      immediates.set(handle, immediate);
      run.timers.addImmediate(immediate);
      return handle;
    },
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate(handle) {
      if (typeof handle === 'object' && handle !== null) immediates.get(handle)?.stop();
    },
  };
}

interface WaitOptions {
  signal?: AbortSignal;
  ref?: boolean;
}

/** The functions of node:timers/promises. */
function promiseFunctions(getRun: () => Run | undefined, functions: TimerFunctions) {
  const { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate } = functions;
  const wait = <T>(
    value: T,
    options: WaitOptions,
    start: (fn: () => void) => Timeout | Immediate,
    stop: (h: unknown) => void,
  ) =>
    new Promise<T>((resolve, reject) => {
      const { signal, ref = true } = options;
      if (signal?.aborted) {
        reject(abortError(signal));
        return;
      }
      const onAbort = (): void => {
        stop(handle);
        if (signal !== undefined) reject(abortError(signal));
      };
      const handle = start(() => {
        if (signal !== undefined) release(signal, onAbort);
        resolve(value);
      });
      if (!ref) handle.unref();
      if (signal !== undefined) listen(signal, onAbort);
    });
  const listen = (signal: AbortSignal, onAbort: () => void): void => {
    signal.addEventListener('abort', onAbort, { once: true });
    getRun()?.ownListener(signal, 1);
  };
  const release = (signal: AbortSignal, onAbort: () => void): void => {
    signal.removeEventListener('abort', onAbort);
    getRun()?.ownListener(signal, -1);
  };
  const delay = <T>(ms?: number, value?: T, options: WaitOptions = {}) =>
    wait(value as T, options, (fn) => setTimeout(fn, ms), clearTimeout);
  const immediate = <T>(value?: T, options: WaitOptions = {}) =>
    wait(value as T, options, (fn) => setImmediate(fn), clearImmediate);

  async function* ticks<T>(ms?: number, value?: T, options: WaitOptions = {}): AsyncGenerator<T> {
    const { signal, ref = true } = options;
    if (signal?.aborted) throw abortError(signal);
    let missed = 0;
    let wake: (() => void) | undefined;
    const onAbort = (): void => {
      clearInterval(handle);
      wake?.();
    };
    const handle = setInterval(() => {
      missed++;
      wake?.();
    }, ms);
    if (!ref) handle.unref();
    if (signal !== undefined) listen(signal, onAbort);
    try {
      for (;;) {
        if (signal?.aborted) throw abortError(signal);
        if (missed === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        for (; missed > 0 && !signal?.aborted; missed--) yield value as T;
      }
    } finally {
      clearInterval(handle);
      if (signal !== undefined && !signal.aborted) release(signal, onAbort);
    }
  }

  return {
    setTimeout: delay,
    setImmediate: immediate,
    setInterval: ticks,
    scheduler: { wait: (ms: number, options?: WaitOptions) => delay(ms, undefined, options), yield: () => immediate() },
  };
}

function abortError(signal: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal.reason });
  return Object.assign(
    Object.defineProperty(error, 'name', { value: 'AbortError', configurable: true, writable: true }),
    {
      code: 'ABORT_ERR',
    },
  );
}

/** `AbortSignal.timeout` on virtual time: its timer keeps no process alive. */
function timeoutSignal(getRun: () => Run | undefined, ms: number): AbortSignal {
  const what = 'AbortSignal.timeout: the delay';
  checkNumber(typeof ms === 'number' && ms >= 0 && ms < 2 ** 53, what, '0 to 2^53-1 milliseconds', ms);
  const controller = new AbortController();
  const run = getRun();
  if (run === undefined) return controller.signal;
  const timer = new VirtualTimer(
    run,
    Math.max(1, Math.trunc(ms)),
    () => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')),
    false,
  );
  timer.isRef = false;
  run.timers.set(timer);
  return controller.signal;
}
