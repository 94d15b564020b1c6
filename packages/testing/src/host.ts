// The functions and modules of the host. They are not imported, so that the package also loads where Node's modules do not exist.

/** The parts of Node's process that are used. */
interface Process {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly versions?: Readonly<Record<string, string>>;
  readonly stdout?: unknown;
  readonly stderr?: { write(text: string): void };
  readonly getBuiltinModule?: (id: string) => unknown;
  getActiveResourcesInfo?(): string[];
  nextTick?(fn: () => void): void;
  rawListeners?(name: string): ((...args: unknown[]) => void)[];
  on?(name: string, listener: (...args: unknown[]) => void): void;
  removeListener?(name: string, listener: (...args: unknown[]) => void): void;
  removeAllListeners?(name: string): void;
}

/** Keeps an asynchronous context. */
export interface AsyncContext {
  runInAsyncScope(fn: () => void): void;
  asyncId(): number;
}

interface AsyncHooks {
  readonly AsyncResource: new (type: string) => AsyncContext;
  createHook(callbacks: { init(id: number, type: string, trigger: number): void }): { enable(): void; disable(): void };
  executionAsyncId(): number;
}

type AnyFunction = (...args: never[]) => unknown;

const platform = globalThis as unknown as {
  readonly process?: Process;
  readonly setImmediate?: (fn: () => void) => unknown;
};
const own = platform.process;

/** The modules of Node, each `undefined` where it does not exist. */
export const node = {
  asyncHooks: own?.getBuiltinModule?.('node:async_hooks') as AsyncHooks | undefined,
  events: own?.getBuiltinModule?.('node:events') as
    | { getEventListeners?(target: EventTarget, name: string): unknown[] }
    | undefined,
  module: own?.getBuiltinModule?.('node:module') as { syncBuiltinESMExports?(): void } | undefined,
  timers: own?.getBuiltinModule?.('node:timers') as Record<string, AnyFunction> | undefined,
  timersPromises: own?.getBuiltinModule?.('node:timers/promises') as { readonly scheduler?: object } | undefined,
  util: own?.getBuiltinModule?.('node:util') as
    | { readonly promisify?: { readonly custom: symbol }; inspect?(value: unknown, options: object): string }
    | undefined,
  v8: own?.getBuiltinModule?.('node:v8') as
    | { readonly promiseHooks?: { onBefore(fn: () => void): () => void } }
    | undefined,
  vm: own?.getBuiltinModule?.('node:vm') as { runInThisContext(code: string): unknown } | undefined,
} as const;

/**
 * The process itself, or `undefined` outside Node. Tests of Jest see a copy that emits no events.
 */
export const realProcess: Process | undefined = findProcess();

function findProcess(): Process | undefined {
  try {
    return (node.vm?.runInThisContext('process') as Process | undefined) ?? own;
  } catch {
    return own;
  }
}

/**
 * Throws unless the host shows when jobs of promises run. Bun and Deno have the functions for it, which throw or show nothing: the
 * explorer would call correct code wrong.
 */
export function checkHost(call: string): void {
  const isNode =
    node.v8?.promiseHooks !== undefined && !('bun' in (own?.versions ?? {})) && !('deno' in (own?.versions ?? {}));
  if (isNode) return;
  throw new TypeError(`${call}: this runtime does not show when promises run. Explore in Node 20.19 or later`);
}

/** Functions of the platform as they are before an exploration replaces them. */
export interface Host {
  setImmediate: ((fn: () => void) => unknown) | undefined;
  setTimeout: (fn: () => void, ms: number) => unknown;
  queueMicrotask: (fn: () => void) => void;
  nextTick: ((fn: () => void) => void) | undefined;
  /** Milliseconds of real time. */
  now: () => number;
}

export function captureHost(): Host {
  const { performance } = globalThis;
  return {
    setImmediate: platform.setImmediate,
    setTimeout: globalThis.setTimeout,
    queueMicrotask: globalThis.queueMicrotask,
    nextTick: realProcess?.nextTick?.bind(realProcess),
    now: performance.now.bind(performance),
  };
}

/** Runs functions as macrotasks. A message of a channel costs a sixth of an immediate. */
export class Macrotasks {
  readonly #channel = new MessageChannel();
  #next: (() => void) | undefined;

  constructor() {
    this.#channel.port1.onmessage = () => {
      const next = this.#next;
      this.#next = undefined;
      next?.();
    };
  }

  /** Calls `fn` in the next macrotask. */
  next(fn: () => void): void {
    this.#next = fn;
    this.#channel.port2.postMessage(0);
  }

  close(): void {
    this.#channel.port1.close();
  }
}
