// The names `process` and `setImmediate` of test files where the runtime has neither.
import { missing, touch } from './missing.ts';

type Listener = (...args: unknown[]) => void;

/** The events that report uncaught errors: Node's name, and the web's. */
const uncaught: Readonly<Record<string, string>> = {
  uncaughtException: 'error',
  unhandledRejection: 'unhandledrejection',
};
const listeners = new Map<string, Map<Listener, (event: Event) => void>>();

function of(name: string): Map<Listener, (event: Event) => void> {
  const known = listeners.get(name) ?? new Map();
  listeners.set(name, known);
  return known;
}

/** Whether a test listens for uncaught errors, by the web's name of the event. */
export function isObserved(event: string): boolean {
  return Object.entries(uncaught).some(([name, type]) => type === event && of(name).size > 0);
}

const ofTheWeb = {
  on: (name: string, listener: Listener, isOnce = false): void => {
    const heard = (event: Event): void => {
      event.preventDefault();
      if (isOnce) ofTheWeb.off(name, listener);
      const { error, reason, promise } = event as Event & { error?: unknown; reason?: unknown; promise?: unknown };
      listener(...(event.type === 'error' ? [error, 'uncaughtException'] : [reason, promise]));
    };
    of(name).set(listener, heard);
    globalThis.addEventListener(String(uncaught[name]), heard);
  },
  off: (name: string, listener: Listener): void => {
    const heard = of(name).get(listener);
    // In a page the test runner counts these calls: after the last one it handles uncaught errors again.
    if (heard !== undefined) globalThis.removeEventListener(String(uncaught[name]), heard);
    of(name).delete(listener);
  },
  once: (name: string, listener: Listener): void => ofTheWeb.on(name, listener, true),
  prependOnceListener: (name: string, listener: Listener): void => ofTheWeb.on(name, listener, true),
  listeners: (name: string): Listener[] => [...of(name).keys()],
  removeAllListeners: (name: string): void => {
    for (const listener of of(name).keys()) ofTheWeb.off(name, listener);
  },
};

const native = (globalThis as { process?: Partial<typeof ofTheWeb> }).process;

/** In workerd the test runner listens for rejections on a `process` too, and tests take its listener away for a while. */
function emitterOf(name: string): typeof ofTheWeb {
  const isNative = name === 'unhandledRejection' && typeof native?.listeners === 'function';
  return isNative ? (native as typeof ofTheWeb) : ofTheWeb;
}

function guarded(method: keyof typeof ofTheWeb): (name: string, listener: Listener) => unknown {
  return (name, listener) => {
    if (!Object.hasOwn(uncaught, name)) touch(`process.on('${name}')`);
    return emitterOf(name)[method](name, listener);
  };
}

const known = {
  env: {} as Record<string, string | undefined>,
  on: guarded('on'),
  off: guarded('off'),
  once: guarded('once'),
  prependOnceListener: guarded('prependOnceListener'),
  listeners: guarded('listeners'),
  removeAllListeners: guarded('removeAllListeners'),
  memoryUsage: (): { heapUsed: number } => {
    const { memory } = performance as { memory?: { usedJSHeapSize: number } };
    return { heapUsed: memory?.usedJSHeapSize ?? touch('a measure of the heap') };
  },
};

export const process: unknown = new Proxy(known, {
  get: (target, name) => (name in target ? Reflect.get(target, name) : missing(`process.${String(name)}`)),
  getOwnPropertyDescriptor: (target, name) =>
    name in target ? Reflect.getOwnPropertyDescriptor(target, name) : touch(`process.${String(name)}`),
});

const { port1, port2 } = new MessageChannel();
const waiting: (() => void)[] = [];
port1.onmessage = () => waiting.shift()?.();

/** Waits for one real iteration of the event loop. Reads the global at each call, because tests replace it. */
export function setImmediate(callback: (...args: unknown[]) => void, ...args: unknown[]): unknown {
  const native = (globalThis as { setImmediate?: typeof setImmediate }).setImmediate;
  if (native !== undefined) return native(callback, ...args);
  waiting.push(() => callback(...args));
  return port2.postMessage(undefined);
}
