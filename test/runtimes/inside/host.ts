// What tests find under the name `process`: the process, and where there is none as much of it as a web page can stand for.
import { missing, touch } from './missing.ts';

/** The environment of the runner, as far as it was handed on. */
const environment: Record<string, string> = {};

/** Says what `process.env` holds where there is no process. */
export function setEnvironment(given: Readonly<Record<string, string>>): void {
  Object.assign(environment, given);
}

type Listener = (...args: unknown[]) => void;

interface Entry {
  listener: Listener;
  once: boolean;
}

function without(entries: readonly Entry[], gone: Entry): Entry[] {
  return entries.filter((entry) => entry !== gone);
}

/** The events by which a runtime tells of errors that nobody caught, and what carries them on the web. */
const onTheWeb = { uncaughtException: 'error', unhandledRejection: 'unhandledrejection' } as const;

/** `process` on the web: listeners for what nobody caught, behave as Node's do. Everything else is missing. */
class WebHost {
  readonly env: Readonly<Record<string, string>> = environment;
  readonly #entries = new Map<string, Entry[]>();

  constructor() {
    for (const [name, event] of Object.entries(onTheWeb)) {
      globalThis.addEventListener(event, (told) => {
        const entries = this.#of(name);
        if (entries.length === 0) return;
        told.preventDefault();
        const { error, reason, promise } = told as Event & { error?: unknown; reason?: unknown; promise?: unknown };
        const args = event === 'error' ? [error, 'uncaughtException'] : [reason, promise];
        for (const entry of entries) {
          if (entry.once) this.#entries.set(name, without(this.#of(name), entry));
          entry.listener(...args);
        }
      });
    }
  }

  #of(name: string): Entry[] {
    if (!Object.hasOwn(onTheWeb, name)) touch(`process.on('${name}')`);
    return this.#entries.get(name) ?? [];
  }

  listeners(name: string): Listener[] {
    return this.#of(name).map(({ listener }) => listener);
  }

  on(name: string, listener: Listener): void {
    this.#entries.set(name, [...this.#of(name), { listener, once: false }]);
  }

  once(name: string, listener: Listener): void {
    this.#entries.set(name, [...this.#of(name), { listener, once: true }]);
  }

  prependOnceListener(name: string, listener: Listener): void {
    this.#entries.set(name, [{ listener, once: true }, ...this.#of(name)]);
  }

  off(name: string, listener: Listener): void {
    const found = this.#of(name).find((entry) => entry.listener === listener);
    if (found !== undefined) this.#entries.set(name, without(this.#of(name), found));
  }

  removeAllListeners(name: string): void {
    this.#entries.set(name, []);
  }

  memoryUsage(): { heapUsed: number } {
    const { memory } = performance as { memory?: { usedJSHeapSize: number } };
    return { heapUsed: memory?.usedJSHeapSize ?? touch('a measure of the heap') };
  }
}

function hostOnTheWeb(): NodeJS.Process {
  return new Proxy(new WebHost(), {
    get: (target, name) => {
      if (!(name in target)) return missing(`process.${String(name)}`);
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
    getOwnPropertyDescriptor: (target, name) =>
      name in target ? Reflect.getOwnPropertyDescriptor(target, name) : touch(`process.${String(name)}`),
  }) as unknown as NodeJS.Process;
}

const native = (globalThis as { process?: NodeJS.Process }).process;

export const host: NodeJS.Process = typeof native?.memoryUsage === 'function' ? native : hostOnTheWeb();
