import type * as AsyncHooks from 'node:async_hooks';
import type * as Timers from 'node:timers';
import type * as TimersPromises from 'node:timers/promises';
import type * as Util from 'node:util';
import type * as V8 from 'node:v8';
import type * as Vm from 'node:vm';

/** The modules of Node that are used if they exist, so that the package also loads where they do not. */
interface Builtins {
  'node:async_hooks': typeof AsyncHooks;
  'node:events': { getEventListeners(target: EventTarget, name: string): unknown[] };
  'node:module': { syncBuiltinESMExports(): void };
  'node:timers': typeof Timers;
  'node:timers/promises': typeof TimersPromises;
  'node:util': typeof Util;
  'node:v8': typeof V8;
  'node:vm': typeof Vm;
}

/** Returns a module of Node, or `undefined` on other hosts. */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined {
  try {
    return (globalThis.process as NodeJS.Process | undefined)?.getBuiltinModule?.(name) as Builtins[Name] | undefined;
  } catch {
    return undefined;
  }
}

/**
 * The process itself, or `undefined` outside Node. Tests of Jest see a copy that emits no events.
 */
export const realProcess: NodeJS.Process | undefined = findProcess();

function findProcess(): NodeJS.Process | undefined {
  try {
    const found = builtin('node:vm')?.runInThisContext('process') as NodeJS.Process | undefined;
    return found ?? globalThis.process;
  } catch {
    return globalThis.process;
  }
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
    setImmediate: globalThis.setImmediate,
    setTimeout: globalThis.setTimeout,
    queueMicrotask: globalThis.queueMicrotask,
    nextTick: realProcess?.nextTick.bind(realProcess),
    now: performance.now.bind(performance),
  };
}

/** Runs functions as macrotasks. A message of a channel costs a sixth of an immediate. */
export class Turns {
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
