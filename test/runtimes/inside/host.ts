// The names `process` and `setImmediate` of test files where the runtime has neither.
import { missing, touch } from './missing.ts';

type Listener = (...args: unknown[]) => void;

/** The events that report uncaught errors: Node's name, and the web's. */
const events: Readonly<Record<string, string>> = {
  uncaughtException: 'error',
  unhandledRejection: 'unhandledrejection',
};
const listeners = new Map<string, Map<Listener, (event: Event) => void>>();

function of(name: string): Map<Listener, (event: Event) => void> {
  if (!Object.hasOwn(events, name)) touch(`process.on('${name}')`);
  const known = listeners.get(name) ?? new Map();
  listeners.set(name, known);
  return known;
}

function on(name: string, listener: Listener, options: AddEventListenerOptions = {}): void {
  const heard = (event: Event): void => {
    event.preventDefault();
    if (options.once) off(name, listener);
    const { error, reason, promise } = event as Event & { error?: unknown; reason?: unknown; promise?: unknown };
    listener(...(event.type === 'error' ? [error, 'uncaughtException'] : [reason, promise]));
  };
  of(name).set(listener, heard);
  globalThis.addEventListener(String(events[name]), heard);
}

function off(name: string, listener: Listener): void {
  const heard = of(name).get(listener);
  if (heard === undefined) return;
  of(name).delete(listener);
  // Through the listener's own removal the test runner knows again that uncaught errors are its own.
  globalThis.removeEventListener(String(events[name]), heard);
}

/** Whether a test listens for uncaught errors, by the web's name of the event. */
export function isObserved(event: string): boolean {
  return Object.entries(events).some(([name, type]) => type === event && (listeners.get(name)?.size ?? 0) > 0);
}

const known = {
  env: {} as Record<string, string | undefined>,
  on,
  off,
  once: (name: string, listener: Listener): void => on(name, listener, { once: true }),
  prependOnceListener: (name: string, listener: Listener): void => on(name, listener, { once: true }),
  listeners: (name: string): Listener[] => [...of(name).keys()],
  removeAllListeners: (name: string): void => {
    for (const listener of of(name).keys()) off(name, listener);
  },
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

/** Waits for one real turn of the event loop. Reads the global at each call, since tests replace it. */
export function setImmediate(callback: (...args: unknown[]) => void, ...args: unknown[]): unknown {
  const native = (globalThis as { setImmediate?: typeof setImmediate }).setImmediate;
  if (native !== undefined) return native(callback, ...args);
  waiting.push(() => callback(...args));
  return port2.postMessage(undefined);
}
